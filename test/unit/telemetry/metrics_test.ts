import { describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { AccessLog } from "../../../src/telemetry/access_log.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { policyCpu } from "../../../src/telemetry/policy_telemetry.ts";
import { ProxyTelemetry } from "../../../src/telemetry/proxy_telemetry.ts";
import type { ExchangeRecord } from "../../../src/telemetry/record.ts";
import { exchangeRecord as record } from "../../support/records.ts";
import { counter, gauge, histogram } from "../../../src/telemetry/families.ts";

test("a counter is exposed with its labels escaped", () => {
  const metrics = new Metrics();
  const hits = metrics.counter(counter("hits_total", "Hits.", ["path"]));
  hits('a"b\\c\nd').add(2);
  hits('a"b\\c\nd').add(1);
  expect(metrics.expose()).toBe(
    '# HELP hits_total Hits.\n# TYPE hits_total counter\nhits_total{path="a\\"b\\\\c\\nd"} 3\n',
  );
});

test("histogram buckets are cumulative and end with +Inf", () => {
  const metrics = new Metrics();
  const size = metrics.histogram(histogram("size", "Sizes.", [], [1, 10]));
  for (const value of [0.5, 1, 5, 100]) size().observe(value);
  expect(metrics.expose().split("\n").slice(2, 7)).toEqual([
    'size_bucket{le="1.0"} 2',
    'size_bucket{le="10.0"} 3',
    'size_bucket{le="+Inf"} 4',
    "size_sum 106.5",
    "size_count 4",
  ]);
});

test("beyond the limit of series all further label values share the series `other`", () => {
  const metrics = new Metrics();
  const hits = metrics.counter(counter("hits_total", "Hits.", ["id"]));
  for (let id = 0; id < limits.seriesPerMetricMax + 50; id++) hits(String(id)).add(1);
  const text = metrics.expose();
  expect(text).toContain('hits_total{id="other"} 50');
  expect(text.split("\n").length).toBeLessThan(limits.seriesPerMetricMax + 10);
});

describe("a handle of a metric", () => {
  test("is found again without its labels being written, and is another one for other labels", () => {
    const hits = new Metrics().counter(counter("hits_total", "Hits.", ["a", "b"]));
    expect(hits("1", "2")).toBe(hits("1", "2"));
    expect(hits("1", "2")).not.toBe(hits("12", ""));
    expect(hits("1")).toBe(hits("1", ""));
  });

  test("is forgotten with its family's series, so that what is counted later is shown", () => {
    const metrics = new Metrics();
    const open = metrics.gauge(gauge("open", "Open.", ["a"]));
    open("1").set(1);
    metrics.clear("open");
    open("1").set(2);
    expect(metrics.expose()).toContain('open{a="1"} 2');
  });

  test("of many labels, or of several metrics, is kept by three words, so many of them", () => {
    const made: string[] = [];
    const bundle = new Metrics().bundle((a, b, c) => {
      made.push(a + b + c);
      return { of: a + b + c };
    });
    expect(bundle("1", "2", "3")).toBe(bundle("1", "2", "3"));
    expect(made).toEqual(["123"]);
    for (let at = 0; at < limits.metricHandlesMax; at++) bundle("x", String(at), "");
    bundle("1", "2", "3");
    expect(made.filter((each) => each === "123").length).toBe(2);
  });
});

describe("of two sets of metrics", () => {
  function shard(hits: Readonly<Record<string, number>>, sizes: readonly number[]): Metrics {
    const metrics = new Metrics();
    const hit = metrics.counter(counter("hits_total", "Hits.", ["path"]));
    for (const [path, count] of Object.entries(hits)) hit(path).add(count);
    const seen = metrics.histogram(histogram("size", "Sizes.", [], [1, 10]));
    for (const size of sizes) seen().observe(size);
    return metrics;
  }

  test("the sum is what one set would have counted", () => {
    const whole = shard({ "/a": 5, "/b": 2, "/c": 7 }, [0.5, 5, 50, 5]);
    const parts = [shard({ "/a": 1, "/b": 2 }, [0.5, 5]), shard({ "/a": 4, "/c": 7 }, [50, 5])];
    expect(Metrics.merged(parts).expose()).toBe(whole.expose());
    // They themselves stay what they were.
    expect(parts[0]?.expose()).toContain('hits_total{path="/a"} 1');
  });

  test("what is read when somebody looks is read for the sum", () => {
    const metrics = new Metrics();
    const open = metrics.gauge(gauge("open", "Open."));
    metrics.collect(() => open().set(3));
    expect(Metrics.merged([metrics, metrics]).expose()).toContain("open 6");
  });

  test("the sum has no more series than a metric may have, and loses no count", () => {
    const many = (from: number): Metrics =>
      shard(Object.fromEntries(Array.from({ length: 1_500 }, (_, at) => [`/${from + at}`, 1])), []);
    const lines = Metrics.merged([many(0), many(1_500)])
      .expose()
      .split("\n");
    const counts = lines.filter((line) => line.startsWith("hits_total{"));
    expect(counts.length).toBe(limits.seriesPerMetricMax + 1);
    const sum = counts.reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
    expect(sum).toBe(3_000);
  });

  test("a metric of one name and two meanings is a bug", () => {
    const other = new Metrics();
    other
      .gauge(gauge("hits_total", "Hits.", ["path"]))("/a")
      .set(1);
    expect(() => Metrics.merged([shard({ "/a": 1 }, []), other])).toThrow("hits_total");
  });
});

test("a finished record is counted once with its route, code, flag and peer", () => {
  const metrics = new Metrics();
  const log = new AccessLog({ sampleRatio: 0, slowMs: 1e9, write: () => {}, wallMs: () => 0 });
  const telemetry = new ProxyTelemetry(metrics, log);
  telemetry.finish(record({}), 1004);
  telemetry.finish(record({}), 1004);
  const outcome = { flag: "UH", side: "mesh", repeat: "no", status: 503, detail: "no endpoint" } as const;
  telemetry.finish(record({ status: 503, outcome }), 1001);
  const text = metrics.expose();
  const labels = 'direction="outbound",service="orders.default",peer="web.default",route=""';
  expect(text).toContain(`heddle_requests_total{${labels},code="200",grpc_code="",flags="",tls="true"} 2`);
  expect(text).toContain(`heddle_requests_total{${labels},code="503",grpc_code="",flags="UH",tls="true"} 1`);
  expect(text).toContain(`heddle_request_duration_seconds_count{${labels},class="success"} 2`);
  expect(text).toContain(`heddle_request_duration_seconds_count{${labels},class="failure"} 1`);
});

test("an opaque connection counts as open from its beginning to its end", () => {
  const metrics = new Metrics();
  const log = new AccessLog({ sampleRatio: 0, slowMs: 1e9, write: () => {}, wallMs: () => 0 });
  const telemetry = new ProxyTelemetry(metrics, log);
  const [one, other] = [record({ kind: "tcp" }), record({ kind: "tcp" })];
  telemetry.began(one);
  telemetry.began(other);
  telemetry.finish(one, 1004);
  const labels = 'direction="outbound",service="orders.default",peer="web.default"';
  const text = metrics.expose();
  expect(text).toContain(`heddle_tcp_connections_opened_total{${labels}} 2`);
  expect(text).toContain(`heddle_tcp_open{${labels}} 1`);
  expect(text).toContain(`heddle_tcp_connections_closed_total{${labels},tls="true",reason="done"} 1`);
});

test("what is under way is counted until it ends, in whatever order, and known by what it has become since it began", () => {
  const metrics = new Metrics();
  const log = new AccessLog({ sampleRatio: 0, slowMs: 1e9, write: () => {}, wallMs: () => 0 });
  const telemetry = new ProxyTelemetry(metrics, log);
  const all = [1, 2, 3].map(() => record({ service: "" }));
  for (const each of all) telemetry.began(each);
  telemetry.began(record({ kind: "tcp" }));
  for (const each of all) each.service = "orders.default";
  const open = (): string | undefined =>
    /^heddle_requests_open\{direction="outbound",service="orders.default",peer="web.default"\} (\d)$/m.exec(
      metrics.expose(),
    )?.[1];
  expect(open()).toBe("3");
  const [first, middle, last] = all as [ExchangeRecord, ExchangeRecord, ExchangeRecord];
  telemetry.finish(middle, 1004);
  expect([...telemetry.underWay].slice(0, 2)).toEqual([first, last]);
  telemetry.finish(first, 1004);
  expect(open()).toBe("1");
  telemetry.finish(last, 1004);
  expect(open()).toBeUndefined();
});

test("each evaluation of a policy is counted with its time, and one that failed by what failed", () => {
  const metrics = new Metrics();
  const log = new AccessLog({ sampleRatio: 0, slowMs: 1e9, write: () => {}, wallMs: () => 0 });
  const telemetry = new ProxyTelemetry(metrics, log);
  const call = { name: "limits", hash: "0123456789abcdef", hook: "request", said: "", reason: "", us: 40 };
  const policies = [
    { ...call, action: "next", failure: null },
    { ...call, action: "route", failure: null, said: "search/v2" },
    { ...call, action: "error", failure: "throw", reason: "a.ts:1:1: one" },
    { ...call, action: "error", failure: "throw", reason: "a.ts:1:1: other" },
  ] as const;
  telemetry.finish(record({ policies: [...policies] }), 1004);
  const text = metrics.expose();
  const labels = 'policy="limits",version="0123456789ab",hook="request",service="orders.default"';
  expect(text).toContain(`heddle_policy_decisions_total{${labels},decision="next"} 1`);
  expect(text).toContain(`heddle_policy_decisions_total{${labels},decision="route"} 1`);
  expect(text).toContain(`heddle_policy_decisions_total{${labels},decision="error"} 2`);
  expect(text).toContain(`heddle_policy_errors_total{${labels},kind="throw"} 2`);
  expect(text).toContain(`heddle_policy_duration_seconds_bucket{${labels},le="0.00005"} 4`);
});

test("CPU time of a policy is counted in seconds by name and the beginning of its hash", () => {
  const metrics = new Metrics();
  const cpu = policyCpu(metrics)({ name: "limits", hash: "0123456789abcdef" });
  cpu.add(0.25);
  cpu.add(0.5);
  expect(metrics.expose()).toContain(
    'heddle_policy_cpu_seconds_total{policy="limits",version="0123456789ab"} 0.75',
  );
});

test("a family that was cleared shows only what was set since", () => {
  const metrics = new Metrics();
  const endpoints = metrics.gauge(gauge("endpoints", "Endpoints.", ["service"]));
  endpoints("gone").set(1);
  metrics.clear("endpoints");
  endpoints("here").set(2);
  expect(metrics.expose()).toBe(
    '# HELP endpoints Endpoints.\n# TYPE endpoints gauge\nendpoints{service="here"} 2\n',
  );
});

test("the access log keeps errors and denials always and samples the rest alike in every proxy", () => {
  const lines: string[] = [];
  const log = new AccessLog({
    sampleRatio: 0.5,
    slowMs: 1e9,
    write: (text) => lines.push(...text.trim().split("\n")),
    wallMs: () => 0,
  });
  for (let id = 0; id < 2000; id++) {
    log.record(record({ requestId: `id-${id}` }), 1);
    if (id % 100 === 0) log.flush();
  }
  log.flush();
  expect(lines.length).toBeGreaterThan(800);
  expect(lines.length).toBeLessThan(1200);
  const before = lines.length;
  const never = new AccessLog({
    sampleRatio: 0,
    slowMs: 1e9,
    write: (text) => lines.push(text.trim()),
    wallMs: () => 0,
  });
  never.record(record({ access: { verdict: "deny", rule: "payments#deny[0]" }, status: 403 }), 1);
  never.flush();
  expect(lines.length).toBe(before + 1);
  expect(JSON.parse(lines[before] ?? "")).toMatchObject({
    dst: "orders.default",
    status: 403,
    access: { verdict: "deny" },
  });
});

test("the access log keeps what the other proxy of a call keeps: what it says with its answer, and what was sent again", () => {
  const lines: string[] = [];
  const write = (text: string): void => void lines.push(...text.trim().split("\n"));
  const log = new AccessLog({ sampleRatio: 0, slowMs: 1e9, write, wallMs: () => 0 });
  const failed = { endpoint: "vm-2/orders.default/8080", ms: 1, result: "UC" };
  const trace = {
    ...{ traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", parentId: "" },
    ...{ sampled: false, random: true, state: "" },
  };
  log.record(record({ requestId: "told", keepLine: true, trace }), 1);
  log.record(record({ requestId: "caller", attempts: [failed, { ...failed, result: "ok" }] }), 1);
  log.record(record({ requestId: "callee", direction: "inbound", attempt: 1, zone: "eu-1a" }), 1);
  log.record(record({ requestId: "usual", attempts: [{ ...failed, result: "ok" }] }), 1);
  log.flush();
  expect(lines.map((line) => JSON.parse(line) as Record<string, unknown>)).toMatchObject([
    { request_id: "told", trace_id: trace.traceId, span_id: trace.spanId },
    { request_id: "caller", attempts: [{ result: "UC" }, { result: "ok" }] },
    { request_id: "callee", attempt: 1, zone: "eu-1a" },
  ]);
});

test("the access log goes by what the mesh says from then on", () => {
  const lines: string[] = [];
  const write = (text: string): void => void lines.push(...text.trim().split("\n"));
  const log = new AccessLog({ sampleRatio: 0, slowMs: 1e9, write, wallMs: () => 0 });
  log.record(record({ requestId: "before" }), 1);
  log.change({ sampleRatio: 0, slowMs: 5 });
  log.record(record({ requestId: "slow" }), 5);
  log.change({ sampleRatio: 1, slowMs: 1e9 });
  log.record(record({ requestId: "sampled" }), 1);
  log.flush();
  expect(lines.map((line) => (JSON.parse(line) as { request_id: string }).request_id)).toEqual([
    "slow",
    "sampled",
  ]);
});

test("the access log keeps every upgrade, and says to what", () => {
  const lines: string[] = [];
  const write = (text: string): void => void lines.push(...text.trim().split("\n"));
  const log = new AccessLog({ sampleRatio: 0, slowMs: 1e9, write, wallMs: () => 0 });
  log.record(record({ status: 101, upgrade: "chat" }), 1);
  log.record(record({}), 1);
  log.flush();
  expect(lines.map((line) => (JSON.parse(line) as { upgrade?: string }).upgrade)).toEqual(["chat"]);
});

test("the access log keeps what a policy answered or was at fault for, with its reason, whatever the sample is", () => {
  const lines: string[] = [];
  const write = (text: string): void => void lines.push(...text.trim().split("\n"));
  const log = new AccessLog({ sampleRatio: 0, slowMs: 1e9, write, wallMs: () => 0 });
  const policy = { name: "limits", hash: "01", hook: "onRequest", us: 4 } as const;
  const kept = [
    { ...policy, action: "respond", failure: null, said: "200", reason: "maintenance" },
    {
      ...policy,
      action: "error",
      failure: "throw",
      said: "",
      reason: "policies/limits.ts:3:4: TypeError: x",
    },
    { ...policy, action: "error", failure: "invalid", said: "", reason: "its status is 99" },
  ] as const;
  const left = [
    { ...policy, action: "next", failure: null, said: "", reason: "" },
    { ...policy, action: "error", failure: "unanswered", said: "", reason: "it was unloaded" },
  ] as const;
  for (const each of [...kept, ...left]) log.record(record({ policies: [each] }), 1);
  log.flush();
  expect(lines.map((line) => (JSON.parse(line) as { policies: unknown[] }).policies)).toEqual([
    [{ ...policy, decision: "respond 200", reason: "maintenance" }],
    [{ ...policy, decision: "error throw", reason: "policies/limits.ts:3:4: TypeError: x" }],
    [{ ...policy, decision: "error invalid", reason: "its status is 99" }],
  ]);
});

describe("between two writes", () => {
  const outcome = {
    flag: "UF",
    side: "upstream",
    repeat: "yes",
    status: 503,
    detail: "nothing listens",
  } as const;
  const logOf = (sampleRatio: number): { log: AccessLog; lines: string[] } => {
    const lines: string[] = [];
    const write = (text: string): void => void lines.push(...text.trim().split("\n"));
    return { log: new AccessLog({ sampleRatio, slowMs: 1e9, write, wallMs: () => 0 }), lines };
  };

  test("all of a thousand errors are kept, beside a sample that is full", () => {
    const { log, lines } = logOf(1);
    for (let at = 0; at < 1000; at++) {
      log.record(record({}), 1);
      log.record(record({ outcome, status: 503 }), 1);
    }
    log.flush();
    expect(lines.filter((line) => line.includes('"flags":"UF"')).length).toBe(1000);
    expect(log.droppedBy("accessLogKeptBytes")).toBe(0);
    expect(log.droppedBy("accessLogSampleBytes")).toBeGreaterThan(500);
  });

  test("what is too much is dropped and counted by its limit, and the next interval begins anew", () => {
    const { log, lines } = logOf(0);
    const lineBytes = 100;
    const count = Math.ceil(limits.accessLogKeptBytes / lineBytes);
    for (let at = 0; at < count; at++) log.record(record({ outcome, status: 503 }), 1);
    log.flush();
    const kept = lines.length;
    expect(log.droppedBy("accessLogKeptBytes")).toBe(count - kept);
    expect(kept).toBeLessThan(count);
    expect(log.droppedBy("accessLogSampleBytes")).toBe(0);
    log.record(record({ outcome, status: 503 }), 1);
    log.flush();
    expect(lines.length).toBe(kept + 1);
  });
});
