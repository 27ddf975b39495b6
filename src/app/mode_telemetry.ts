/** What a mode that serves no requests tells of itself: its metrics, and a log on stderr; both to receivers of OpenTelemetry, too. */
import type { Runtime } from "../../runtime/contract.ts";
import type { TelemetrySettings } from "../model/telemetry.ts";
import { logAs } from "../telemetry/log_line.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { lineRecordOf, type LogRecord } from "../telemetry/otlp/log_record.ts";
import { OtlpExports } from "./otlp_exports.ts";
import { modeMetrics } from "./process_metrics.ts";
import type { Settings } from "./settings.ts";

export class ModeTelemetry {
  readonly metrics = new Metrics();
  readonly log: (text: string) => void;
  readonly #exports: OtlpExports;
  readonly #takers = new Set<(record: LogRecord) => void>();

  constructor(runtime: Runtime, settings: Settings, mode: "controller" | "registry") {
    const { metrics } = this;
    const write = logAs(runtime.process, mode);
    const log = (text: string): void => {
      write(text);
      for (const taker of this.#takers) taker(lineRecordOf(text, runtime.clock.wallMs()));
    };
    this.log = log;
    const lines = {
      also: (taker: (record: LogRecord) => void) => {
        this.#takers.add(taker);
        return () => void this.#takers.delete(taker);
      },
    };
    this.#exports = new OtlpExports({
      ...{ runtime, settings, mode, metrics, lines, log },
      ...{ tracing: null, zone: () => "" },
    });
    modeMetrics(runtime, metrics, mode);
  }

  /** What the mesh says now. */
  readonly apply = (said: TelemetrySettings): void => void this.#exports.apply(said);

  /** Sends what waits, for a moment at most. */
  close(): Promise<void> {
    return this.#exports.close();
  }
}
