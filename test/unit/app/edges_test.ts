/** Who called whom between two readings. */
import { describe, expect, test } from "bun:test";
import { edgesOf } from "../../../src/app/edges.ts";
import type { MetricSeries, MetricsReading } from "../../../src/model/reading.ts";

const edge = { direction: "outbound", service: "orders.default", peer: "web.default" };

function requests(value: number, labels: Record<string, string> = {}): MetricSeries {
  const plain = { route: "", code: "200", grpc_code: "", flags: "", tls: "true" };
  return { name: "heddle_requests_total", labels: { ...edge, ...plain, ...labels }, value };
}

function durations(counts: readonly number[], above = 0): MetricSeries {
  const value = counts.reduce((all, count) => all + count, above);
  const labels = { ...edge, route: "", class: "success" };
  return { name: "heddle_request_duration_seconds", labels, value, bounds: [0.01, 0.1, 1], counts, sum: 0 };
}

const at = (atMs: number, ...series: MetricSeries[]): MetricsReading => ({ atMs, series });

describe("an edge", () => {
  test("has the requests of the time between, and what became of them", () => {
    const before = at(1_000, requests(100), requests(5, { code: "503", flags: "UF" }));
    const after = at(3_000, requests(190), requests(15, { code: "503", flags: "UF" }));
    expect(edgesOf([[before, after]])).toMatchObject([
      { from: "web.default", to: "orders.default", perSecond: 50, success: 0.9, tls: "yes", total: 205 },
    ]);
  });

  test("counts what gRPC calls a failure of the server, and calls in clear text", () => {
    const before = at(0);
    const after = at(
      1_000,
      requests(1),
      requests(1, { grpc_code: "14" }),
      requests(1, { grpc_code: "5", tls: "false" }),
    );
    expect(edgesOf([[before, after]])).toMatchObject([{ success: 1 - 1 / 3, tls: "some" }]);
  });

  test("tells times within their bucket, and those above the last one apart", () => {
    const [calm] = edgesOf([
      [at(0, requests(1), durations([10, 0, 0])), at(1_000, requests(1), durations([20, 10, 0]))],
    ]);
    expect(calm?.p50).toBeCloseTo(0.01);
    expect(calm?.p99).toBeCloseTo(0.0982);
    const [slow] = edgesOf([[at(0), at(1_000, requests(2), durations([1, 0, 0], 1))]]);
    expect(slow?.p99).toBe(Number.POSITIVE_INFINITY);
  });

  test("is one over several proxies, and each route of it where that is asked for", () => {
    const pair = (route: string) => [at(0), at(1_000, requests(5, { route }))] as const;
    expect(edgesOf([pair("one"), pair("two")])).toMatchObject([{ perSecond: 10, route: "" }]);
    expect(edgesOf([pair("one"), pair("two")], true).map(({ route }) => route)).toEqual(["one", "two"]);
  });

  test("without a request has no success and no time", () => {
    const reading = (atMs: number) => at(atMs, requests(7));
    expect(edgesOf([[reading(0), reading(1_000)]])).toMatchObject([
      { perSecond: 0, success: null, p50: null, tls: "", total: 7 },
    ]);
    expect(edgesOf([[at(0), at(1_000, requests(0))]])).toEqual([]);
  });
});
