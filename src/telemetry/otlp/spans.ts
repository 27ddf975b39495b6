/** Spans as OTLP has them: JSON by the encoder of OpenTelemetry itself, protobuf by one of our own, which costs a fraction of it. */
import { SpanKind, SpanStatusCode, TraceFlags, type SpanContext } from "@opentelemetry/api";
import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { Span } from "../trace/span.ts";
import { ProtoWriter } from "./proto_writer.ts";
import { SpanBytes } from "./span_blocks.ts";
import { spanRequest } from "./span_messages.ts";
import { scopeOf, timeOf, type OtlpEncoding, type OtlpSender, type Rejected } from "./encoding.ts";

/** What the encoder takes for a span. */
type EncoderSpan = Parameters<typeof ProtobufTraceSerializer.serializeRequest>[0][number];

/** A span that waits: as bytes where those are sent, else as the encoder of OpenTelemetry takes it. */
export type WaitingSpan = Span | SpanBytes;

/** `into`: of protobuf; what was written there before is gone, and what is returned stands there. */
export function encodeSpans(
  spans: readonly WaitingSpan[],
  sender: OtlpSender,
  into: ProtoWriter = new ProtoWriter(0),
): Uint8Array {
  if (sender.encoding === "http/protobuf") return spanRequest(spans.filter(isBytes), sender, into);
  const objects = spans.filter((span): span is Span => !isBytes(span));
  return JsonTraceSerializer.serializeRequest(encoderSpans(objects, sender)) ?? new Uint8Array(0);
}

function isBytes(span: WaitingSpan): span is SpanBytes {
  return span instanceof SpanBytes;
}

/**
 * As the encoder of OpenTelemetry takes them.
 * @visibleForTesting
 */
export function encoderSpans(spans: readonly Span[], sender: OtlpSender): EncoderSpan[] {
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
  return spans.map((span) => ({ ...shared, ...encoderSpan(span) })) as unknown as EncoderSpan[];
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
    attributes,
    events: events.map((event) => ({
      name: event.name,
      time: timeOf(event.atMs),
      attributes: event.attributes,
      droppedAttributesCount: 0,
    })),
  };
}

function contextOf(traceId: string, spanId: string, state: string, isRemote = false): SpanContext {
  const traceState = { serialize: () => state } as unknown as NonNullable<SpanContext["traceState"]>;
  const context = { traceId, spanId, isRemote, traceFlags: TraceFlags.SAMPLED };
  return state === "" ? context : { ...context, traceState };
}
