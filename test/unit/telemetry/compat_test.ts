/** The series that dashboards for other meshes ask for, made of heddle's own. */
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { AccessLog } from "../../../src/telemetry/access_log.ts";
import { istioMetrics } from "../../../src/telemetry/compat/istio.ts";
import { linkerdMetrics } from "../../../src/telemetry/compat/linkerd.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { ProxyTelemetry } from "../../../src/telemetry/proxy_telemetry.ts";
import { hasPromtool } from "../../support/promtool.ts";
import { exchangeRecord } from "../../support/records.ts";

function pageOf(derive: Metrics["derive"]): string {
  const metrics = new Metrics();
  metrics.derive = derive;
  const log = new AccessLog({ sampleRatio: 0, slowMs: 1e9, write: () => {}, wallMs: () => 0 });
  const telemetry = new ProxyTelemetry(metrics, log);
  const outcome = { flag: "UF", side: "upstream", repeat: "yes", detail: "" } as never;
  const access = { verdict: "deny", rule: "orders#deny[0]" } as const;
  const all = [
    exchangeRecord({ route: "orders/v1" }),
    exchangeRecord({ route: "orders/v2" }),
    exchangeRecord({ status: 503, outcome }),
    exchangeRecord({ direction: "inbound", grpc: "14", access }),
    exchangeRecord({ kind: "tcp", service: "db.prod", bytesIn: 10, bytesOut: 20, status: 0 }),
  ];
  for (const each of all) {
    telemetry.began(each);
    telemetry.finish(each, 1_003);
  }
  return metrics.expose();
}

/** Values of the series of this name that have all these labels. */
function valuesOf(page: string, name: string, labels: Record<string, string>): number[] {
  const lines = page.split("\n").filter((line) => line.startsWith(`${name}{`));
  const fits = lines.filter((line) =>
    Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)),
  );
  return fits.map((line) => Number(line.split(" ").at(-1)));
}

describe("by Istio's names", () => {
  const page = pageOf(istioMetrics);
  const edge = {
    reporter: "source",
    source_workload: "web",
    source_workload_namespace: "default",
    destination_service: "orders.mesh",
    destination_service_name: "orders",
  };

  test("requests are counted with both sides, however many routes they took", () => {
    const well = {
      ...edge,
      response_code: "200",
      response_flags: "-",
      connection_security_policy: "mutual_tls",
    };
    expect(valuesOf(page, "istio_requests_total", well)).toEqual([2]);
    expect(valuesOf(page, "istio_requests_total", { ...edge, response_flags: "UF" })).toEqual([1]);
    const grpc = { reporter: "destination", request_protocol: "grpc", grpc_response_status: "14" };
    expect(valuesOf(page, "istio_requests_total", grpc)).toEqual([1]);
  });

  test("durations are milliseconds", () => {
    const name = "istio_request_duration_milliseconds";
    expect(valuesOf(page, `${name}_bucket`, { ...edge, le: "2.5" })).toEqual([0]);
    expect(valuesOf(page, `${name}_bucket`, { ...edge, le: "5.0" })).toEqual([3]);
    expect(valuesOf(page, `${name}_sum`, edge)[0]).toBeCloseTo(9);
  });

  test("sizes are sums, and bytes of opaque connections count apart", () => {
    expect(valuesOf(page, "istio_response_bytes_sum", edge)).toEqual([3 * 1_024]);
    expect(valuesOf(page, "istio_response_bytes_count", edge)).toEqual([3]);
    const opaque = { destination_service: "db.prod.mesh", reporter: "source" };
    expect(valuesOf(page, "istio_tcp_received_bytes_total", opaque)).toEqual([10]);
    expect(valuesOf(page, "istio_tcp_sent_bytes_total", opaque)).toEqual([20]);
    expect(valuesOf(page, "istio_tcp_connections_closed_total", opaque)).toEqual([1]);
  });
});

describe("by Linkerd's names", () => {
  const page = pageOf(linkerdMetrics);
  const edge = { direction: "outbound", deployment: "web", dst_deployment: "orders", dst_service: "orders" };

  test("answers are successes or failures", () => {
    const answers = (labels: object): number[] => valuesOf(page, "response_total", { ...edge, ...labels });
    expect(answers({ classification: "success", status_code: "200", tls: "true" })).toEqual([2]);
    expect(answers({ classification: "failure", status_code: "503" })).toEqual([1]);
    const inbound = { direction: "inbound", deployment: "orders", classification: "failure" };
    expect(valuesOf(page, "response_total", { ...inbound, grpc_status: "14" })).toEqual([1]);
    expect(valuesOf(page, "request_total", edge)).toEqual([3]);
  });

  test("latency ends at the first byte, in milliseconds", () => {
    expect(valuesOf(page, "response_latency_ms_bucket", { ...edge, le: "1.0" })).toEqual([0]);
    expect(valuesOf(page, "response_latency_ms_bucket", { ...edge, le: "2.5" })).toEqual([3]);
  });

  test("connections and denials are counted", () => {
    expect(
      valuesOf(page, "tcp_open_total", { direction: "outbound", dst_service: "db", peer: "dst" }),
    ).toEqual([1]);
    expect(valuesOf(page, "inbound_http_authz_deny_total", { authz_name: "orders#deny[0]" })).toEqual([1]);
  });
});

test("heddle's own are there as without them", () => {
  const own = pageOf(null);
  for (const page of [pageOf(istioMetrics), pageOf(linkerdMetrics)]) expect(page.startsWith(own)).toBe(true);
});

test.skipIf(!hasPromtool)("Prometheus finds nothing wrong with them but the unit that others chose", () => {
  for (const derive of [istioMetrics, linkerdMetrics]) {
    const { stderr } = spawnSync("promtool", ["check", "metrics"], {
      input: pageOf(derive),
      encoding: "utf8",
    });
    const findings = stderr.split("\n").filter((line) => line !== "" && !/milliseconds|_ms /.test(line));
    expect(findings).toEqual([]);
  }
});
