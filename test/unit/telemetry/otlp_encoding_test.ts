/** Metrics and lines of the access log as OTLP has them. */
import { describe, expect, test } from "bun:test";
import { AccessLog, type AccessEntry } from "../../../src/telemetry/access_log.ts";
import { counter, families, gauge } from "../../../src/telemetry/families.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import type { OtlpEncoding } from "../../../src/telemetry/otlp/encoding.ts";
import { logRecordOf } from "../../../src/telemetry/otlp/log_record.ts";
import { encodeLogs, rejectedRecords } from "../../../src/telemetry/otlp/log_records.ts";
import { encodeMetrics, rejectedPoints } from "../../../src/telemetry/otlp/metric_points.ts";
import { pointsOf } from "../../../src/telemetry/otlp/metrics_at.ts";
import { exchangeRecord } from "../../support/records.ts";

const sender = (encoding: OtlpEncoding) => ({
  resource: { "service.name": "heddle-proxy" },
  version: "0.1.0",
  encoding,
});
const startMs = Date.UTC(2030, 0, 1);

function reading() {
  const metrics = new Metrics();
  metrics
    .counter(counter("calls_total", "Calls.", ["peer"]))('a"b')
    .add(3);
  metrics.gauge(gauge("memory_bytes", "Memory."))().set(7);
  metrics.gauge(gauge("unknown", "Not known."))().set(Number.NaN);
  const duration = metrics.histogram(families.requestDurationSeconds);
  const server = duration("inbound", "orders.default", "web.default", "orders/v1", "failure");
  for (const seconds of [0.0004, 0.003, 99]) server.observe(seconds);
  return { startMs, atMs: startMs + 60_000, families: metrics.readAll() };
}

interface Point {
  readonly asDouble?: number;
  readonly bucketCounts: readonly number[];
  readonly explicitBounds: readonly number[];
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue: string } }[];
}

interface Sent {
  readonly name: string;
  readonly unit: string;
  readonly sum: { readonly dataPoints: readonly Point[] };
  readonly gauge: { readonly dataPoints: readonly Point[] };
  readonly histogram: { readonly dataPoints: readonly Point[] };
}

function sent(): Record<string, Sent | undefined> {
  const told = JSON.parse(new TextDecoder().decode(encodeMetrics([reading()], sender("http/json"))));
  const [{ scopeMetrics }] = told.resourceMetrics;
  return Object.fromEntries(
    scopeMetrics.flatMap(({ metrics }: { metrics: Sent[] }) => metrics.map((each) => [each.name, each])),
  );
}

describe("metrics by OTLP", () => {
  test("are sums since the start, gauges, and histograms with what lies above the last bound", () => {
    const { calls_total, memory_bytes, heddle_request_duration_seconds } = sent();
    expect(calls_total).toMatchObject({
      description: "Calls.",
      sum: { isMonotonic: true, aggregationTemporality: 2 },
    });
    expect(calls_total?.sum.dataPoints).toMatchObject([
      {
        asDouble: 3,
        startTimeUnixNano: `${startMs}000000`,
        timeUnixNano: `${startMs + 60_000}000000`,
        attributes: [{ key: "peer", value: { stringValue: 'a"b' } }],
      },
    ]);
    expect(memory_bytes).toMatchObject({ unit: "By", gauge: { dataPoints: [{ asDouble: 7 }] } });
    const point = heddle_request_duration_seconds?.histogram.dataPoints[0] as Point;
    expect(point).toMatchObject({ count: 3, sum: 99.0034 });
    expect(point.bucketCounts.length).toBe(point.explicitBounds.length + 1);
    expect(point.bucketCounts.at(-1)).toBe(1);
  });

  test("leave out what is no number", () => {
    expect(sent()["unknown"]?.gauge.dataPoints).toEqual([]);
  });

  test("say durations by the names of the conventions too", () => {
    const told = sent();
    expect(told["http.client.request.duration"]).toBeUndefined();
    const server = told["http.server.request.duration"];
    expect(server?.unit).toBe("s");
    const attributes = server?.histogram.dataPoints[0]?.attributes ?? [];
    expect(Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]))).toMatchObject({
      "http.route": "orders/v1",
      "error.type": "_OTHER",
      "heddle.source": "web.default",
    });
  });

  test("are not empty in protobuf, count as their points, and what was not taken is read", () => {
    expect(encodeMetrics([reading()], sender("http/protobuf")).length).toBeGreaterThan(200);
    expect(pointsOf(reading())).toBe(4);
    const partial = '{"partialSuccess":{"rejectedDataPoints":"2","errorMessage":"too old"}}';
    expect(rejectedPoints(new TextEncoder().encode(partial), "http/json")).toEqual({
      count: 2,
      reason: "too old",
    });
  });
});

describe("lines of the access log by OTLP", () => {
  const trace = {
    ...{ traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", parentId: "" },
    ...{ sampled: true, random: true, state: "" },
  };

  function entry(change: Parameters<typeof exchangeRecord>[0]): AccessEntry {
    const entries: AccessEntry[] = [];
    const log = new AccessLog({ sampleRatio: 1, slowMs: 1e9, write: () => {}, wallMs: () => startMs });
    log.also((each) => void entries.push(each));
    log.record(exchangeRecord(change), 2.5);
    return entries[0] as AccessEntry;
  }

  const recorded = (encoding: OtlpEncoding): Uint8Array => {
    const outcome = { flag: "UF", side: "upstream", repeat: "yes", detail: "refused" } as const;
    const entries = [entry({ trace }), entry({ status: 503, outcome: outcome as never })];
    return encodeLogs(entries.map(logRecordOf), sender(encoding));
  };

  test("have their time, how grave they are, who called whom, and the ids of their span", () => {
    const told = JSON.parse(new TextDecoder().decode(recorded("http/json")));
    const [well, failed] = told.resourceLogs[0].scopeLogs[0].logRecords;
    expect(well).toMatchObject({
      timeUnixNano: `${startMs}000000`,
      severityText: "INFO",
      body: { stringValue: "web.default -> orders.default GET /v1 200" },
      traceId: trace.traceId,
      spanId: trace.spanId,
      flags: 1,
    });
    expect(failed).toMatchObject({
      severityText: "ERROR",
      body: { stringValue: "web.default -> orders.default GET /v1 503 UF" },
    });
    expect(failed.traceId).toBeUndefined();
    expect(failed.attributes).toContainEqual({ key: "heddle.flag", value: { stringValue: "UF" } });
  });

  test("are not empty in protobuf, and what was not taken is read", () => {
    expect(recorded("http/protobuf").length).toBeGreaterThan(200);
    expect(rejectedRecords(new Uint8Array(0), "http/protobuf")).toEqual({ count: 0, reason: "" });
  });
});
