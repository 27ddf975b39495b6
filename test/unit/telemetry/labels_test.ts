/** Labels come from lists and what is kept is bounded, whatever apps, peers and policies say. */
import { expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { AccessLog } from "../../../src/telemetry/access_log.ts";
import { Handles } from "../../../src/telemetry/handles.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { ProxyTelemetry } from "../../../src/telemetry/proxy_telemetry.ts";
import type { PolicyRecord } from "../../../src/telemetry/record.ts";
import { statusLabel } from "../../../src/telemetry/status_label.ts";
import { exchangeRecord } from "../../support/records.ts";
import { counter } from "../../../src/telemetry/families.ts";

function telemetry(): { readonly metrics: Metrics; readonly telemetry: ProxyTelemetry } {
  const metrics = new Metrics();
  const accessLog = new AccessLog({ sampleRatio: 0, slowMs: 1e9, write: () => {}, wallMs: () => 0 });
  return { metrics, telemetry: new ProxyTelemetry(metrics, accessLog) };
}

/** The different values of a label of a metric. */
function valuesOf(metrics: Metrics, metric: string, label: string): string[] {
  const lines = metrics.expose().split("\n");
  const values = lines
    .filter((line) => line.startsWith(`${metric}{`))
    .map((line) => new RegExp(`[{,]${label}="([^"]*)"`).exec(line)?.[1] ?? "");
  return [...new Set(values)].sort();
}

const policy: PolicyRecord = {
  name: "limits",
  hash: "0123456789abcdef",
  hook: "onRequest",
  action: "next",
  failure: null,
  said: "",
  reason: "",
  us: 1,
};

test("what an app calls a gRPC status is one of the seventeen, or UNKNOWN, which is a failure", () => {
  const { metrics, telemetry: all } = telemetry();
  for (let at = 0; at < 3_000; at++) all.finish(exchangeRecord({ grpc: `made up ${at}` }), 1004);
  for (const grpc of ["17", "-1", "00", "1e1", "9".repeat(4_000)]) all.finish(exchangeRecord({ grpc }), 1004);
  for (let code = 0; code <= 16; code++) all.finish(exchangeRecord({ grpc: String(code) }), 1004);
  const codes = Array.from({ length: 17 }, (_, code) => String(code)).sort();
  expect(valuesOf(metrics, "heddle_requests_total", "grpc_code")).toEqual(codes);
  expect(metrics.expose()).toMatch(/heddle_request_duration_seconds_count\{[^}]*class="failure"\} 3010/);
});

test("statuses that nobody registered count with their class", () => {
  const { metrics, telemetry: all } = telemetry();
  for (let status = 200; status < 1_000; status++) all.finish(exchangeRecord({ status }), 1004);
  const codes = valuesOf(metrics, "heddle_requests_total", "code");
  expect(codes.length).toBeLessThan(80);
  expect(codes).toEqual(expect.arrayContaining(["200", "404", "503", "2xx", "4xx", "5xx", "9xx"]));
  expect([0, 200, 299, 529, 599, 1_000, Number.NaN].map(statusLabel)).toEqual([
    ...["0", "200", "2xx", "529", "5xx"],
    ...["other", "other"],
  ]);
});

test("words of a policy are no labels", () => {
  const { metrics, telemetry: all } = telemetry();
  for (let at = 0; at < 500; at++) {
    const failed = {
      ...policy,
      action: "error",
      failure: "throw",
      reason: `a.ts:${at}:1: it threw ${at}`,
    } as const;
    const routed = { ...policy, action: "route", said: `search/v${at}` } as const;
    const denied = { ...policy, action: "respond", said: String(200 + at), reason: `no ${at}` } as const;
    all.finish(exchangeRecord({ policies: [failed, routed, denied] }), 1004);
  }
  expect(valuesOf(metrics, "heddle_policy_errors_total", "kind")).toEqual(["throw"]);
  expect(valuesOf(metrics, "heddle_policy_decisions_total", "decision")).toEqual([
    "error",
    "respond",
    "route",
  ]);
});

test("a label is cut where no name of a document could be longer", () => {
  const metrics = new Metrics();
  metrics
    .counter(counter("hits_total", "Hits.", ["id"]))("y".repeat(5_000))
    .add(1);
  expect(metrics.expose()).toContain(`hits_total{id="${"y".repeat(limits.labelValueLengthMax)}"} 1`);
});

test("handles are found again, and forgotten all at once before there are too many", () => {
  const handles = new Handles<number>();
  for (let at = 0; at < limits.metricHandlesMax * 3; at++) {
    expect(handles.find("a", `b${at}`, "c")).toBeUndefined();
    expect(handles.keep("a", `b${at}`, "c", at)).toBe(at);
    expect(handles.find("a", `b${at}`, "c")).toBe(at);
    expect(handles.size).toBeLessThanOrEqual(limits.metricHandlesMax);
  }
});

test("counts go on in the same series when their handles were forgotten", () => {
  const { metrics, telemetry: all } = telemetry();
  all.finish(exchangeRecord({ service: "orders.default" }), 1004);
  for (let at = 0; at < limits.metricHandlesMax; at++) {
    all.finish(exchangeRecord({ service: `s${at % 50}.default`, route: `r${at}` }), 1004);
  }
  all.finish(exchangeRecord({ service: "orders.default" }), 1004);
  expect(metrics.expose()).toMatch(
    /heddle_requests_total\{direction="outbound",service="orders.default".*\} 2/,
  );
});
