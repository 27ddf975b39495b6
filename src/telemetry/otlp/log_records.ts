/** Lines of logs as OTLP has them: protobuf or JSON, by the encoder of OpenTelemetry itself, tied to their span. */
import { TraceFlags } from "@opentelemetry/api";
import { JsonLogsSerializer, ProtobufLogsSerializer } from "@opentelemetry/otlp-transformer";
import type { TraceRef } from "../../model/trace_ref.ts";
import { scopeOf, timeOf, type OtlpEncoding, type OtlpSender, type Rejected } from "./encoding.ts";
import type { LogRecord, Severity } from "./log_record.ts";

/** Of the protocol's numbers. */
const severityNumbers: Readonly<Record<Severity, number>> = { INFO: 9, WARN: 13, ERROR: 17 };

/** What the encoder takes for a line. */
type EncoderRecord = Parameters<typeof ProtobufLogsSerializer.serializeRequest>[0][number];

export function encodeLogs(records: readonly LogRecord[], sender: OtlpSender): Uint8Array {
  const { resource, scope } = scopeOf(sender);
  const all = records.map(({ atMs, severity, event, body, attributes, trace }) => ({
    resource,
    instrumentationScope: scope,
    hrTime: timeOf(atMs),
    hrTimeObserved: timeOf(atMs),
    severityText: severity,
    severityNumber: severityNumbers[severity],
    eventName: event,
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

function contextOf({ traceId, spanId, sampled }: TraceRef) {
  return { traceId, spanId, traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE };
}
