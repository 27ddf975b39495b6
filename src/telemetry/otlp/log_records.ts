/** Lines of the access log as OTLP has them: protobuf or JSON, by the encoder of OpenTelemetry itself, tied to their span. */
import { TraceFlags } from "@opentelemetry/api";
import { JsonLogsSerializer, ProtobufLogsSerializer } from "@opentelemetry/otlp-transformer";
import { evidenceOf } from "../evidence_ring.ts";
import type { AccessEntry } from "../access_log.ts";
import { attributesOf, type Attributes } from "../trace/span.ts";
import type { TraceRef } from "../../model/trace_ref.ts";
import { scopeOf, timeOf, type OtlpEncoding, type OtlpSender, type Rejected } from "./encoding.ts";

/** A line, on its own: its record may go on to be something else. */
export interface LogRecord {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly severity: Severity;
  readonly body: string;
  readonly attributes: Attributes;
  readonly trace: TraceRef | null;
}

/** Whether it went well, the caller is at fault, or somebody else. */
type Severity = "INFO" | "WARN" | "ERROR";

/** Of the protocol's numbers. */
const severityNumbers: Readonly<Record<Severity, number>> = { INFO: 9, WARN: 13, ERROR: 17 };

/** What the encoder takes for a line. */
type EncoderRecord = Parameters<typeof ProtobufLogsSerializer.serializeRequest>[0][number];

export function logRecordOf({ record, endedWallMs, durationMs }: AccessEntry): LogRecord {
  const evidence = evidenceOf(record, record.startedMs + durationMs);
  const { kind, source, service, method, path, status, outcome } = record;
  const what = kind === "tcp" ? "connection" : `${method} ${path}`;
  const ended = [status === 0 ? "" : String(status), outcome === null ? "" : outcome.flag];
  return {
    atMs: endedWallMs,
    severity: severityOf(record),
    body: [source || "unknown", "->", service || "unknown", what, ...ended].filter(Boolean).join(" "),
    attributes: {
      ...attributesOf(evidence),
      "heddle.duration_ms": durationMs,
      ...(outcome === null ? {} : { "heddle.detail": outcome.detail }),
    },
    trace: record.trace,
  };
}

export function encodeLogs(records: readonly LogRecord[], sender: OtlpSender): Uint8Array {
  const { resource, scope } = scopeOf(sender);
  const all = records.map(({ atMs, severity, body, attributes, trace }) => ({
    resource,
    instrumentationScope: scope,
    hrTime: timeOf(atMs),
    hrTimeObserved: timeOf(atMs),
    severityText: severity,
    severityNumber: severityNumbers[severity],
    eventName: "heddle.access",
    body,
    attributes,
    droppedAttributesCount: 0,
    ...(trace === null ? {} : { spanContext: contextOf(trace) }),
  })) as unknown as EncoderRecord[];
  const encoder = sender.encoding === "http/json" ? JsonLogsSerializer : ProtobufLogsSerializer;
  return encoder.serializeRequest(all) ?? new Uint8Array(0);
}

/** Throws where the library does on what is no answer of OTLP. */
export function rejectedRecords(answer: Uint8Array, encoding: OtlpEncoding): Rejected {
  const decoder = encoding === "http/json" ? JsonLogsSerializer : ProtobufLogsSerializer;
  const { partialSuccess } = answer.length === 0 ? {} : decoder.deserializeResponse(answer);
  return {
    count: Number(partialSuccess?.rejectedLogRecords ?? 0),
    reason: String(partialSuccess?.errorMessage ?? ""),
  };
}

function severityOf({ outcome, status }: AccessEntry["record"]): Severity {
  if (outcome?.side === "downstream") return "WARN";
  return outcome !== null || status >= 500 ? "ERROR" : "INFO";
}

function contextOf({ traceId, spanId, sampled }: TraceRef) {
  return { traceId, spanId, traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE };
}
