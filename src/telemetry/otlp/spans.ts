/** Spans as OTLP has them: protobuf or JSON, by the encoder of OpenTelemetry itself. */
import { SpanKind, SpanStatusCode, TraceFlags, type SpanContext } from "@opentelemetry/api";
import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { Attributes, Span } from "../trace/span.ts";
import { scopeOf, timeOf, type OtlpEncoding, type OtlpSender, type Rejected } from "./encoding.ts";

/** What the encoder takes for a span. */
type EncoderSpan = Parameters<typeof ProtobufTraceSerializer.serializeRequest>[0][number];

export function encodeSpans(spans: readonly Span[], sender: OtlpSender): Uint8Array {
  const { resource, scope } = scopeOf(sender);
  const shared = {
    resource,
    instrumentationScope: scope,
    links: [],
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
    ended: true,
  };
  const all = spans.map((span) => ({ ...shared, ...encoderSpan(span) })) as unknown as EncoderSpan[];
  const encoder = sender.encoding === "http/json" ? JsonTraceSerializer : ProtobufTraceSerializer;
  return encoder.serializeRequest(all) ?? new Uint8Array(0);
}

/** Throws where the library does on what is no answer of OTLP. */
export function rejectedSpans(answer: Uint8Array, encoding: OtlpEncoding): Rejected {
  const decoder = encoding === "http/json" ? JsonTraceSerializer : ProtobufTraceSerializer;
  const { partialSuccess } = answer.length === 0 ? {} : decoder.deserializeResponse(answer);
  return {
    count: Number(partialSuccess?.rejectedSpans ?? 0),
    reason: String(partialSuccess?.errorMessage ?? ""),
  };
}

function encoderSpan({ trace, name, kind, startMs, endMs, attributes, events, error }: Span) {
  const context = contextOf(trace.traceId, trace.spanId, trace.state);
  const parent = trace.parentId === "" ? null : contextOf(trace.traceId, trace.parentId, "", true);
  return {
    name,
    kind: kind === "client" ? SpanKind.CLIENT : SpanKind.SERVER,
    spanContext: () => context,
    ...(parent === null ? {} : { parentSpanContext: parent }),
    startTime: timeOf(startMs),
    endTime: timeOf(endMs),
    duration: timeOf(endMs - startMs),
    status: error === null ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message: error },
    attributes: error === null ? attributes : { ...attributes, "error.type": errorType(attributes, error) },
    events: events.map((event) => ({
      name: event.name,
      time: timeOf(event.atMs),
      attributes: event.attributes,
      droppedAttributesCount: 0,
    })),
  };
}

/** One of few words: a status, a code of gRPC, a flag. */
function errorType(attributes: Attributes, error: string): string {
  return String(attributes["heddle.flag"] ?? error);
}

function contextOf(traceId: string, spanId: string, state: string, isRemote = false): SpanContext {
  const traceState = { serialize: () => state } as unknown as NonNullable<SpanContext["traceState"]>;
  const context = { traceId, spanId, isRemote, traceFlags: TraceFlags.SAMPLED };
  return state === "" ? context : { ...context, traceState };
}
