/** Metrics as those read them who fetch them. */
import { describe, expect, test } from "bun:test";
import { adminHandler } from "../../../src/admin/admin_pages.ts";
import { AccessLog } from "../../../src/telemetry/access_log.ts";
import { metricFormatFor } from "../../../src/telemetry/exposition.ts";
import { counter, families, histogram } from "../../../src/telemetry/families.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { ProxyTelemetry } from "../../../src/telemetry/proxy_telemetry.ts";
import { exchangeRecord } from "../../support/records.ts";

const trace = {
  ...{ traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", parentId: "" },
  ...{ sampled: true, random: true, state: "" },
};
const wallMs = Date.UTC(2030, 0, 1);

test("OpenMetrics names a counter by what its samples have in common, and says where it ends", () => {
  const metrics = new Metrics();
  metrics.counter(counter("hits_total", "Hits."))().add(2);
  expect(metrics.expose("openmetrics")).toBe("# HELP hits Hits.\n# TYPE hits counter\nhits_total 2\n# EOF\n");
});

test("every counter of heddle has a name that OpenMetrics takes", () => {
  const counters = Object.values(families).filter(({ kind }) => kind === "counter");
  expect(counters.filter(({ name }) => !name.endsWith("_total"))).toEqual([]);
});

test("a bucket has the newest trace that fell into it, another one each second, in OpenMetrics alone", () => {
  const metrics = new Metrics();
  const size = metrics.histogram(histogram("size", "Sizes.", [], [1, 2.5]))();
  size.observe(1, trace, wallMs);
  size.observe(0.5, trace, wallMs + 1_250);
  size.observe(0.25, { ...trace, spanId: "too-soon" }, wallMs + 1_300);
  size.observe(2);
  size.observe(9, trace, wallMs + 2_000);
  const ids = `{trace_id="${trace.traceId}",span_id="${trace.spanId}"}`;
  expect(metrics.expose("openmetrics").split("\n").slice(2, 5)).toEqual([
    `size_bucket{le="1.0"} 3 # ${ids} 0.5 ${wallMs / 1_000 + 1.25}`,
    'size_bucket{le="2.5"} 4',
    `size_bucket{le="+Inf"} 5 # ${ids} 9 ${wallMs / 1_000 + 2}`,
  ]);
  expect(metrics.expose()).not.toContain("trace_id");
});

test("of two sets of metrics a bucket has the newer trace of both", () => {
  const sets = [0, 5_000].map((at) => {
    const metrics = new Metrics();
    const size = metrics.histogram(histogram("size", "Sizes.", [], [1]))();
    size.observe(1, { ...trace, spanId: `00f067aa0ba902b${at / 5_000}` }, wallMs + at);
    return metrics;
  });
  for (const each of [sets, sets.toReversed()])
    expect(Metrics.merged(each).expose("openmetrics")).toContain('span_id="00f067aa0ba902b1"');
});

test("a request whose span is kept is the trace of its bucket, and no other is", () => {
  const metrics = new Metrics();
  const log = new AccessLog({ sampleRatio: 0, slowMs: 1e9, write: () => {}, wallMs: () => wallMs });
  const telemetry = new ProxyTelemetry(metrics, log);
  telemetry.tracer = { finish: ({ requestId }) => (requestId === "kept" ? wallMs : null) };
  for (const requestId of ["left", "kept"]) {
    const record = exchangeRecord({ requestId, trace: { ...trace, spanId: requestId } });
    telemetry.began(record);
    telemetry.finish(record, 1_003);
  }
  const text = metrics.expose("openmetrics");
  expect(text).toContain(`le="0.005"} 2 # {trace_id="${trace.traceId}",span_id="kept"} 0.003`);
  expect(text).not.toContain("left");
});

describe("whoever fetches metrics", () => {
  test("gets OpenMetrics where that is named and nothing is liked better", () => {
    const prometheus =
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    expect(metricFormatFor(prometheus)).toBe("openmetrics");
    for (const accept of ["", "*/*", "text/plain", "application/openmetrics-text;q=0"])
      expect(metricFormatFor(accept)).toBe("text");
    expect(metricFormatFor("text/plain, application/openmetrics-text;q=0.2")).toBe("text");
  });

  test("is told what it is", async () => {
    const pages = { metrics: new Metrics(), ready: () => ({}), config: () => ({}) };
    const answer = await adminHandler(pages)(
      new Request("http://127.0.0.1/metrics", { headers: { accept: "application/openmetrics-text" } }),
    );
    expect(answer.headers.get("content-type")).toBe(
      "application/openmetrics-text; version=1.0.0; charset=utf-8",
    );
    expect(await answer.text()).toBe("# EOF\n");
  });
});
