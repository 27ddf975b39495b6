/** What a proxy notices of what passes through it: counted, logged, remembered, traced, and sent to whom the mesh names. */
import type { Runtime } from "../../runtime/contract.ts";
import type { ControlClient } from "../api/control.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { MetricNames } from "../model/telemetry.ts";
import { istioMetrics } from "../telemetry/compat/istio.ts";
import { linkerdMetrics } from "../telemetry/compat/linkerd.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { lineRecordOf, logRecordOf } from "../telemetry/otlp/log_record.ts";
import type { KeptTraces } from "../proxy/trace/kept_traces.ts";
import { ProxyTelemetry } from "../telemetry/proxy_telemetry.ts";
import { OtlpExports, type OtlpExportsOptions } from "./otlp_exports.ts";
import { ProxyLogs, type Lines } from "./proxy_logs.ts";
import type { Settings } from "./settings.ts";
import { ProxyTracing } from "./tracing.ts";

const derivations: Readonly<Record<MetricNames, Metrics["derive"]>> = {
  istio: istioMetrics,
  linkerd: linkerdMetrics,
};

export class ProxyObservation {
  readonly metrics = new Metrics();
  readonly logs: ProxyLogs;
  readonly recorder: ProxyTelemetry;
  #exports: OtlpExports | null = null;

  /** `outputs`: of one event loop of several, whose metrics its keeper sends with those of the others. */
  constructor(
    readonly runtime: Runtime,
    readonly settings: Settings,
    logSampleRatio: number | null,
    readonly outputs?: { readonly out: Lines; readonly err: Lines },
  ) {
    this.logs = new ProxyLogs(runtime, logSampleRatio, outputs);
    this.recorder = new ProxyTelemetry(this.metrics, this.logs.accessLog);
    this.logs.expose(this.metrics);
  }

  /** Requests are traced from now on, where the mesh wants it. `zone`: where this machine stands; "": it does not say. `siblings`: what its other event loops keep. */
  trace(
    control: Pick<ControlClient, "call">,
    zone: () => string,
    siblings: KeptTraces | null = null,
  ): ProxyTracing {
    const { runtime, settings, metrics, recorder, logs } = this;
    const { log, accessLog } = logs;
    const { evidence } = recorder;
    const tracing = new ProxyTracing({ runtime, settings, metrics, control, evidence, log, siblings });
    recorder.tracer = tracing.tracer;
    const lines: OtlpExportsOptions["lines"] = {
      also: (taker) => {
        const stops = [
          accessLog.also((entry) => taker(logRecordOf(entry))),
          logs.listen((text, atMs) => taker(lineRecordOf(text, atMs))),
        ];
        return () => stops.forEach((stop) => stop());
      },
    };
    const sendsMetrics = this.outputs === undefined;
    const rest = { mode: "proxy", metrics, sendsMetrics, lines, tracing, log, zone } as const;
    this.#exports = new OtlpExports({ runtime, settings, ...rest });
    return tracing;
  }

  /** What the mesh says now. */
  apply(snapshot: Snapshot): void {
    this.logs.apply(snapshot);
    const compat = snapshot.telemetry?.metrics?.compat;
    this.metrics.derive = compat === undefined ? null : derivations[compat];
    void this.#exports?.apply(snapshot.telemetry ?? {});
  }

  /** Sends and writes what waits, for a moment at most. */
  async close(): Promise<void> {
    await this.#exports?.close();
    this.logs.flush();
  }
}
