/**
 * What the OpenTelemetry Collector gets of a mesh, by the compiled binary: whole traces over three services and five proxies, metrics,
 * and the access log; in clear text, and over TLS with certificates of both sides.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { makeTestAuthority, type TestAuthority } from "../support/certificates.ts";
import { Collector, hasCollector, type Collected } from "../support/collector.ts";
import { callByName, callUrl } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";

const why = hasCollector ? "" : " (skipped: test/support/install_collector.sh needs Go)";
const host = addressOf(90);

describe.skipIf(binaryMissing || !hasCollector)(`a Collector${why}`, () => {
  const collector = new Collector(host);
  let mesh: Mesh;
  let apps: ReturnType<typeof Bun.serve>[] = [];

  /** One caller, one service in the middle that calls three times, and a leaf on three machines. */
  beforeAll(async () => {
    await collector.start();
    const leaf = (port: number) =>
      Bun.serve({ hostname: host, port, fetch: ({ url }) => new Response("", { status: statusIn(url) }) });
    const mid = Bun.serve({
      hostname: host,
      port: 8_082,
      fetch: async ({ headers, url }) => {
        const machine = mesh.machine("vm-b");
        // As every traced app does.
        const traceparent = headers.get("traceparent") ?? "";
        for (const leaf of ["v1", "v2", "v3"])
          await fetch(`http://${machine.address}:${machine.httpPort("mid")}${new URL(url).pathname}`, {
            headers: { host: "leaf.mesh", traceparent, "x-leaf": leaf },
          });
        return new Response("");
      },
    });
    apps = [mid, leaf(8_083), leaf(8_084), leaf(8_085)];
    mesh = await startMesh({
      addressFirst: 91,
      documents: `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: mid, port: 80, protocol: http}
---
{kind: Service, name: leaf, port: 80, protocol: http, subsets: {v1: {version: v1}, v2: {version: v2}, v3: {version: v3}}}
---
kind: HTTPRoute
name: leaf
service: leaf
rules:
  - {match: {headers: {x-leaf: v1}}, split: {leaf/v1: 100}}
  - {match: {headers: {x-leaf: v2}}, split: {leaf/v2: 100}}
  - {split: {leaf/v3: 100}}
---
kind: Mesh
name: mesh
telemetry:
  accessLog: {samplePercent: 100}
  traces: {endpoint: "${collector.url}", samplePercent: 100}
  metrics: {endpoint: "${collector.url}", interval: 1s}
  logs: {endpoint: "${collector.url}"}
`,
      proxyEnv: { OTEL_BSP_SCHEDULE_DELAY: "50", OTEL_BLRP_SCHEDULE_DELAY: "50" },
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: { mid: "by-name" } }] },
        { name: "vm-b", services: [{ service: "mid", host, port: 8_082, calls: { leaf: "by-name" } }] },
        { name: "vm-c", services: [{ service: "leaf", host, port: 8_083, version: "v1" }] },
        { name: "vm-d", services: [{ service: "leaf", host, port: 8_084, version: "v2" }] },
        { name: "vm-e", services: [{ service: "leaf", host, port: 8_085, version: "v3" }] },
      ],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await Promise.all([collector.stop(), ...apps.map((each) => each.stop(true))]);
  }, testMs);

  const call = async (path: string, headers: Record<string, string>): Promise<void> => {
    expect((await callByName(mesh.machine("vm-a"), "caller", "mid", { path, headers })).status).toBe(200);
  };
  const spansOf = async (traceId: string): Promise<Collected[]> =>
    await waitFor(`all of the trace ${traceId}`, () => {
      const spans = collector.spans().filter(({ told }) => told.traceId === traceId);
      return spans.length >= whole.length ? spans : null;
    });
  const shown = (spans: readonly Collected[]): string[] =>
    spans
      .map(({ resource, told }) => `${resource["host.name"]} ${told.kind === 3 ? "client" : "server"}`)
      .toSorted();
  const whole = [
    ...["vm-a client", "vm-b client", "vm-b client", "vm-b client", "vm-b server"],
    ...["vm-c server", "vm-d server", "vm-e server"],
  ];
  const trace = (last: string): string => `4bf92f3577b34da6a3ce929d0e0e47${last}`;

  test("gets a trace over five proxies with the one id of its caller's traceparent", async () => {
    await call("/parent", { traceparent: `00-${trace("01")}-00f067aa0ba902b7-01` });
    const spans = await spansOf(trace("01"));
    expect(shown(spans)).toEqual(whole);
    // Each span but the first hangs on one of the others.
    const ids = new Set(spans.map(({ told }) => told.spanId ?? ""));
    const roots = spans.filter(({ told }) => !ids.has(told.parentSpanId ?? ""));
    expect(roots.map(({ told }) => told.parentSpanId)).toEqual(["00f067aa0ba902b7"]);
  });

  test("gets one from a caller that speaks B3, in one field or in several", async () => {
    await call("/b3", { b3: `${trace("02")}-00f067aa0ba902b7-1` });
    expect(shown(await spansOf(trace("02")))).toEqual(whole);
    const several = { "x-b3-traceid": trace("03"), "x-b3-spanid": "00f067aa0ba902b7", "x-b3-sampled": "1" };
    await call("/b3", several);
    expect(shown(await spansOf(trace("03")))).toEqual(whole);
  });

  test("gets one that began at the first proxy where the caller says none", async () => {
    await call("/none", {});
    const first = await waitFor(
      "a span without a parent",
      () =>
        collector
          .spans()
          .find(
            ({ told, attributes }) =>
              (told.parentSpanId ?? "") === "" && String(attributes["url.full"]).endsWith("/none"),
          ) ?? null,
    );
    expect(shown(await spansOf(first.told.traceId ?? ""))).toEqual(whole);
  });

  test("gets the access log of each proxy, tied to the spans", async () => {
    await call("/status/503", { traceparent: `00-${trace("04")}-00f067aa0ba902b7-01` });
    const spans = await spansOf(trace("04"));
    const records = await waitFor("a line for each span", () => {
      const found = collector.records().filter(({ told }) => told.traceId === trace("04"));
      return found.length >= whole.length ? found : null;
    });
    const ids = (all: readonly Collected[]): string[] => all.map(({ told }) => told.spanId ?? "").toSorted();
    expect(ids(records)).toEqual(ids(spans));
    const failed = records.filter(({ told }) => told.severityText === "ERROR");
    expect(failed.length).toBe(6);
    expect(failed[0]?.told.body?.stringValue).toMatch(/^mid\.default -> leaf\.default GET \/status\/503 503/);
  });

  test("gets what each proxy says of itself, also what it said before it knew of the receiver", async () => {
    await waitFor("a line of all five proxies", () => {
      const said = collector
        .records()
        .filter(({ told }) => told.body?.stringValue?.endsWith("connected to the controller") === true);
      return new Set(said.map(({ resource }) => resource["host.name"])).size === 5 || null;
    });
  });

  test("gets the metrics of each proxy, which are those that can be fetched there", async () => {
    const name = "heddle_requests_total";
    const points = await waitFor("requests of all five proxies", () => {
      const found = collector.points().filter(({ told }) => told.name === name);
      return new Set(found.map(({ resource }) => resource["host.name"])).size === 5 ? found : null;
    });
    const page = (await callUrl(`http://${mesh.machine("vm-b").address}:${ports.admin}/metrics`)).text;
    const [own] = points.filter(({ resource }) => resource["host.name"] === "vm-b");
    for (const label of Object.keys(own?.attributes ?? {})) expect(page).toContain(`${label}="`);
    const durations = collector.points().filter(({ told }) => told.name === "http.server.request.duration");
    expect(durations[0]?.told.unit).toBe("s");
    expect(durations.map(({ attributes }) => attributes["heddle.destination"])).toContain("leaf.default");
  });

  test("gets metrics of controller and registry, and what the controller logs", async () => {
    const of = (all: readonly Collected[], service: string, name?: string): Collected[] =>
      all.filter(
        ({ resource, told }) =>
          resource["service.name"] === service && (name === undefined || told.name === name),
      );
    await waitFor("metrics of both", () => {
      const points = collector.points();
      const connected = of(points, "heddle-controller", "heddle_nodes_connected");
      const revision = of(points, "heddle-registry", "heddle_registry_revision");
      return (connected.length > 0 && revision.length > 0) || null;
    });
    mesh.heddle("drain", "vm-e");
    mesh.heddle("undrain", "vm-e");
    await waitFor("who did what", () => {
      const lines = of(collector.records(), "heddle-controller").map(({ told }) => told.body?.stringValue);
      return lines.some((line) => line?.includes("vm-e") === true) || null;
    });
  });

  test("takes all that was sent, as the proxies count it", async () => {
    const page = (await callUrl(`http://${mesh.machine("vm-a").address}:${ports.admin}/metrics`)).text;
    for (const signal of ["traces", "metrics", "logs"])
      expect(page).toMatch(new RegExp(`^heddle_otlp_sent_total\\{signal="${signal}"\\} [1-9]`, "m"));
    expect(page).not.toMatch(/^heddle_otlp_dropped_total/m);
  });
});

describe.skipIf(binaryMissing || !hasCollector)(`a Collector behind TLS${why}`, () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-otlp-tls-`);
  let authority: TestAuthority;
  let stranger: TestAuthority;
  let collector: Collector;

  beforeAll(async () => {
    [authority, stranger] = await Promise.all([makeTestAuthority(), makeTestAuthority()]);
    const { chainPem, keyPem } = await authority.issue({ ip: [host], usages: ["server"] });
    collector = new Collector(host, { chainPem, keyPem, clientRootPem: authority.rootPem });
    await collector.start();
    const client = await authority.issue({ usages: ["client"] });
    writeFileSync(`${folder}/client.pem`, client.chainPem);
    writeFileSync(`${folder}/client.key`, client.keyPem);
    writeFileSync(`${folder}/root.pem`, authority.rootPem);
    writeFileSync(`${folder}/stranger.pem`, stranger.rootPem);
  }, testMs);
  afterAll(async () => {
    await collector?.stop();
    rmSync(folder, { recursive: true });
  }, testMs);

  /** What a proxy that sends there with these files says of it. */
  async function counted(
    addressFirst: number,
    env: Record<string, string>,
    pattern: RegExp,
  ): Promise<string> {
    const mesh = await startMesh({
      addressFirst,
      documents: "{kind: Service, name: caller, port: 80, protocol: http}",
      machines: [{ name: `vm-${addressFirst}`, services: [{ service: "caller", app: "none" }] }],
      proxyEnv: {
        OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${collector.url}/v1/metrics`,
        OTEL_METRIC_EXPORT_INTERVAL: "1000",
        ...env,
      },
    });
    try {
      const { proxy, address } = mesh.machine(`vm-${addressFirst}`);
      return await waitFor(`it tells ${pattern}`, async () => {
        const page = (await callUrl(`http://${address}:${ports.admin}/metrics`)).text;
        return pattern.test(page) || pattern.test(proxy.output()) ? page : null;
      });
    } finally {
      await mesh.stop();
    }
  }
  const client = {
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: `${folder}/client.pem`,
    OTEL_EXPORTER_OTLP_CLIENT_KEY: `${folder}/client.key`,
  };
  const sent = /^heddle_otlp_sent_total\{signal="metrics"\} [1-9]/m;
  const machines = (): unknown[] => collector.points().map(({ resource }) => resource["host.name"]);

  test(
    "takes what comes with a certificate of its own authority",
    async () => {
      await counted(100, { ...client, OTEL_EXPORTER_OTLP_CERTIFICATE: `${folder}/root.pem` }, sent);
      await waitFor("its points are there", () => machines().includes("vm-100") || null);
    },
    testMs,
  );

  test(
    "is told nothing where its certificate is not of the named authority, and that is counted",
    async () => {
      // It waits a while for the receiver to be mended: what is too much meanwhile is dropped.
      const full = /^heddle_otlp_dropped_total\{signal="metrics",reason="full"\} [1-9]/m;
      const page = await counted(
        102,
        { ...client, OTEL_EXPORTER_OTLP_CERTIFICATE: `${folder}/stranger.pem` },
        full,
      );
      expect(page).not.toMatch(sent);
      expect(machines()).not.toContain("vm-102");
    },
    testMs,
  );

  test(
    "takes nothing from who shows no certificate",
    async () => {
      const page = await counted(
        104,
        { OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE: `${folder}/root.pem` },
        /metrics for .* cannot be sent now/,
      );
      expect(page).not.toMatch(sent);
      expect(machines()).not.toContain("vm-104");
    },
    testMs,
  );
});

function statusIn(url: string): number {
  return Number(/\/status\/(\d+)$/.exec(url)?.[1] ?? 200);
}
