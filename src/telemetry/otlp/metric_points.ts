/** Metrics as OTLP has them: protobuf or JSON, by the encoder of OpenTelemetry itself. What is counted is cumulative from the start on. */
import { ValueType } from "@opentelemetry/api";
import { JsonMetricsSerializer, ProtobufMetricsSerializer } from "@opentelemetry/otlp-transformer";
import type { FamilyReading } from "../metrics.ts";
import { families } from "../families.ts";
import type { MetricSeries } from "../../model/reading.ts";
import type { Attributes } from "../trace/span.ts";
import { scopeOf, timeOf, type OtlpEncoding, type OtlpSender, type Rejected } from "./encoding.ts";
import type { MetricsAt } from "./metrics_at.ts";

/** What the encoder takes, and its numbers for what a point is and for "since the start". */
type EncoderMetrics = Parameters<typeof ProtobufMetricsSerializer.serializeRequest>[0];
const pointKinds = { histogram: 0, gauge: 2, counter: 3 } as const;
const cumulative = 1;

export function encodeMetrics(readings: readonly MetricsAt[], sender: OtlpSender): Uint8Array {
  const { resource, scope } = scopeOf(sender);
  const metrics = readings.flatMap((reading) =>
    [...reading.families, ...conventional(reading.families)].map((family) => metricOf(family, reading)),
  );
  const all = { resource, scopeMetrics: [{ scope, metrics }] } as unknown as EncoderMetrics;
  const encoder = sender.encoding === "http/json" ? JsonMetricsSerializer : ProtobufMetricsSerializer;
  return encoder.serializeRequest(all) ?? new Uint8Array(0);
}

/** Throws where the library does on what is no answer of OTLP. */
export function rejectedPoints(answer: Uint8Array, encoding: OtlpEncoding): Rejected {
  const decoder = encoding === "http/json" ? JsonMetricsSerializer : ProtobufMetricsSerializer;
  const { partialSuccess } = answer.length === 0 ? {} : decoder.deserializeResponse(answer);
  return {
    count: Number(partialSuccess?.rejectedDataPoints ?? 0),
    reason: String(partialSuccess?.errorMessage ?? ""),
  };
}

function metricOf({ name, help, kind, series }: FamilyReading, { startMs, atMs }: MetricsAt) {
  const times = { startTime: timeOf(startMs), endTime: timeOf(atMs) };
  const known = series.filter(({ value, sum = 0 }) => Number.isFinite(value) && Number.isFinite(sum));
  return {
    descriptor: { name, description: help, unit: unitOf(name), valueType: ValueType.DOUBLE },
    aggregationTemporality: cumulative,
    dataPointType: pointKinds[kind],
    ...(kind === "counter" ? { isMonotonic: true } : {}),
    dataPoints: known.map((each) => ({ ...times, attributes: each.labels, value: valueOf(each) })),
  };
}

function valueOf({ value, bounds, counts = [], sum = 0 }: MetricSeries) {
  if (bounds === undefined) return value;
  const below = counts.reduce((total, count) => total + count, 0);
  return { count: value, sum, buckets: { boundaries: [...bounds], counts: [...counts, value - below] } };
}

/** UCUM, of what the name says. */
function unitOf(name: string): string {
  if (/_seconds(_total)?$|\.duration$/.test(name)) return "s";
  return /_bytes(_total)?$/.test(name) ? "By" : "1";
}

/**
 * The durations once more, by the names of the semantic conventions 1.44: what a caller waited is a client's, what a service took a
 * server's. Requests are not counted by method, so that attribute is not there.
 */
function conventional(all: readonly FamilyReading[]): FamilyReading[] {
  const durations = all.find(({ name }) => name === families.requestDurationSeconds.name);
  if (durations === undefined) return [];
  const side = (direction: string, name: string): FamilyReading[] => {
    const series = durations.series.filter(({ labels }) => labels["direction"] === direction);
    return series.length === 0
      ? []
      : [{ ...durations, name, series: series.map((each) => ({ ...each, name, labels: called(each) })) }];
  };
  return [
    ...side("outbound", "http.client.request.duration"),
    ...side("inbound", "http.server.request.duration"),
  ];
}

function called({ labels }: MetricSeries): Record<string, string> {
  const { direction, service = "", peer = "", route = "", class: ended } = labels;
  const said: Attributes = {
    ...(direction === "outbound" ? { "server.address": service } : { "http.route": route }),
    ...(ended === "failure" ? { "error.type": "_OTHER" } : {}),
    "url.scheme": "http",
    "heddle.destination": service,
    "heddle.source": peer,
    "heddle.route": route,
  };
  return Object.fromEntries(
    Object.entries(said).flatMap(([name, value]) => (value === "" ? [] : [[name, String(value)]])),
  );
}
