/** A line of a log as it goes to receivers of OpenTelemetry: what is sent, apart from how. */
import type { TraceRef } from "../../model/trace_ref.ts";
import type { AccessEntry } from "../access_log.ts";
import { attributesOf, type Attributes } from "../trace/span.ts";

/** A line, on its own: its record may go on to be something else. */
export interface LogRecord {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly severity: Severity;
  /** What kind of line it is: one of few words. */
  readonly event: "heddle.access" | "heddle.log";
  readonly body: string;
  readonly attributes: Attributes;
  readonly trace: TraceRef | null;
}

/** Whether it went well, the caller is at fault, or somebody else. */
export type Severity = "INFO" | "WARN" | "ERROR";

export function logRecordOf({ record, endedWallMs, durationMs }: AccessEntry): LogRecord {
  const { kind, source, service, method, path, status, outcome } = record;
  const what = kind === "tcp" ? "connection" : `${method} ${path}`;
  const ended = [status === 0 ? "" : String(status), outcome === null ? "" : outcome.flag];
  return {
    atMs: endedWallMs,
    severity: severityOf(record),
    event: "heddle.access",
    body: [source || "unknown", "->", service || "unknown", what, ...ended].filter(Boolean).join(" "),
    attributes: {
      ...attributesOf(record),
      "heddle.duration_ms": durationMs,
      ...(outcome === null ? {} : { "heddle.detail": outcome.detail }),
    },
    trace: record.trace,
  };
}

/** What a mode says of itself. */
export function lineRecordOf(text: string, atMs: number): LogRecord {
  return { atMs, severity: "INFO", event: "heddle.log", body: text, attributes: {}, trace: null };
}

function severityOf({ outcome, status }: AccessEntry["record"]): Severity {
  if (outcome?.side === "downstream") return "WARN";
  return outcome !== null || status >= 500 ? "ERROR" : "INFO";
}
