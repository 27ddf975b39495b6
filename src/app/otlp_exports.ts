/**
 * All that a mode sends to receivers of OpenTelemetry, as the mesh and the environment say: metrics and lines of its log, a proxy those of
 * its access log too, and traces.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { build } from "../base/build.ts";
import type { TelemetrySettings } from "../model/telemetry.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { LogRecord } from "../telemetry/otlp/log_record.ts";
import { pointsOf, type MetricsAt } from "../telemetry/otlp/metrics_at.ts";
import type { Attributes } from "../telemetry/trace/span.ts";
import { every } from "./chores.ts";
import { OtlpExporter } from "./otlp_exporter.ts";
import { otlpSettings } from "./otlp_settings.ts";
import type { Mode, Settings } from "./settings.ts";
import type { ProxyTracing } from "./tracing.ts";

export interface OtlpExportsOptions {
  readonly runtime: Pick<Runtime, "net" | "clock" | "process" | "files" | "random">;
  readonly settings: Pick<Settings, "node" | "trustDomain">;
  readonly metrics: Metrics;
  /** Whether metrics are sent, too. Default: they are. */
  readonly sendsMetrics?: boolean;
  readonly mode: Mode;
  /** What is logged: each line goes to the taker until what `also` returns is called. */
  readonly lines: { also(taker: (record: LogRecord) => void): () => void };
  /** null: it has no requests of others. */
  readonly tracing: ProxyTracing | null;
  readonly log: (text: string) => void;
  /** Where this machine stands; "": it does not say. */
  readonly zone: () => string;
}

export class OtlpExports {
  readonly #metrics: OtlpExporter<MetricsAt>;
  readonly #logs: OtlpExporter<LogRecord>;
  readonly #startMs: number;
  #reading: { readonly everyMs: number; close(): void } | null = null;
  #telling: (() => void) | null = null;
  #warned = "";

  constructor(readonly options: OtlpExportsOptions) {
    const { runtime, metrics, log } = options;
    this.#startMs = runtime.clock.wallMs();
    const shared = { runtime, metrics, log };
    this.#metrics = new OtlpExporter({
      ...shared,
      signal: "metrics",
      encoder: async () => {
        const { encodeMetrics, rejectedPoints } = await import("../telemetry/otlp/metric_points.ts");
        return { encode: encodeMetrics, rejected: rejectedPoints };
      },
      weigh: pointsOf,
    });
    this.#logs = new OtlpExporter({
      ...shared,
      signal: "logs",
      encoder: async () => {
        const { encodeLogs, rejectedRecords } = await import("../telemetry/otlp/log_records.ts");
        return { encode: encodeLogs, rejected: rejectedRecords };
      },
    });
  }

  /** What the mesh says now. Resolves when it is in force. */
  async apply(telemetry: TelemetrySettings): Promise<void> {
    const { runtime, tracing, log, sendsMetrics = true } = this.options;
    const { sampling, receivers, metricsEveryMs, warnings } = otlpSettings(
      telemetry,
      runtime.process.env,
      this.#resource(),
    );
    const said = warnings.join("\n");
    if (said !== this.#warned) for (const warning of warnings) log(warning);
    this.#warned = said;
    await Promise.all([
      tracing?.apply(sampling, receivers.traces),
      this.#metrics.apply(receivers.metrics, (open) =>
        this.#read(open && sendsMetrics ? metricsEveryMs : null),
      ),
      this.#logs.apply(receivers.logs, (open) => this.#tell(open)),
    ]);
  }

  async close(): Promise<void> {
    if (this.#reading !== null) this.#readNow();
    this.#reading?.close();
    this.#tell(false);
    await Promise.all([this.options.tracing?.close(), this.#metrics.close(), this.#logs.close()]);
  }

  #resource(): Attributes {
    const { settings, mode, zone } = this.options;
    return {
      "service.name": `heddle-${mode}`,
      "service.instance.id": settings.node,
      "service.version": build().version,
      "host.name": settings.node,
      "heddle.mode": mode,
      "heddle.trust_domain": settings.trustDomain,
      ...(zone() === "" ? {} : { "cloud.availability_zone": zone() }),
    };
  }

  /** Lines of the log, from now on or no longer. */
  #tell(open: boolean): void {
    this.#telling?.();
    this.#telling = open ? this.options.lines.also((record) => this.#logs.add(record)) : null;
  }

  /** null: nobody wants them. */
  #read(everyMs: number | null): void {
    if (everyMs === (this.#reading?.everyMs ?? null)) return;
    this.#reading?.close();
    this.#reading =
      everyMs === null
        ? null
        : { everyMs, ...every(this.options.runtime.clock, everyMs, () => this.#readNow()) };
  }

  #readNow(): void {
    const { metrics, runtime } = this.options;
    const atMs = runtime.clock.wallMs();
    this.#metrics.add({ startMs: this.#startMs, atMs, families: metrics.readAll() });
  }
}
