/** Spans as OTLP has them: protobuf or JSON, by the encoder of OpenTelemetry itself. */
import { SpanKind, SpanStatusCode, TraceFlags, type HrTime, type SpanContext } from "@opentelemetry/api";
import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { Attributes, Span } from "../trace/span.ts";

export type OtlpEncoding = "http/protobuf" | "http/json";

/** What the encoder takes for a span. */
type EncoderSpan = Parameters<typeof ProtobufTraceSerializer.serializeRequest>[0][number];

/** `resource`: what sent them: `service.name`, `host.name`, … */
export function encodeSpans(
  spans: readonly Span[],
  resource: Attributes,
  version: string,
  encoding: OtlpEncoding,
): Uint8Array {
  const shared = {
    resource: resourceOf(resource),
    instrumentationScope: { name: "heddle", version },
    links: [],
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
    ended: true,
  };
  const all = spans.map((span) => ({ ...shared, ...encoderSpan(span) })) as unknown as EncoderSpan[];
  const encoder = encoding === "http/json" ? JsonTraceSerializer : ProtobufTraceSerializer;
  return encoder.serializeRequest(all) ?? new Uint8Array(0);
}

/** What a receiver said that it did not take: how many, and why. Throws where the library does on what is no answer of OTLP. */
export function rejectedIn(answer: Uint8Array, encoding: OtlpEncoding): { count: number; reason: string } {
  const decoder = encoding === "http/json" ? JsonTraceSerializer : ProtobufTraceSerializer;
  const { partialSuccess } = answer.length === 0 ? {} : decoder.deserializeResponse(answer);
  return {
    count: Number(partialSuccess?.rejectedSpans ?? 0),
    reason: String(partialSuccess?.errorMessage ?? ""),
  };
}

function resourceOf(attributes: Attributes): EncoderSpan["resource"] {
  return { attributes } as unknown as EncoderSpan["resource"];
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

/** Seconds and nanoseconds since 1970. */
function timeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
}
