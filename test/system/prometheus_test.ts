/**
 * A real Prometheus beside a mesh, told by the files that the binary writes: it finds every machine through the controller, takes what
 * each says, rules and all, and knows the traces behind the buckets.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { callByName, callUrl } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { OtlpReceiver } from "../support/otlp_receiver.ts";
import { testMs } from "../support/patience.ts";
import { hasProgram, startProgram, waitFor, type Program } from "../support/processes.ts";
import { hasPromtool, promtoolFindings } from "../support/promtool.ts";

const missing = !hasProgram("prometheus");
const why = missing ? " (skipped: there is no prometheus)" : "";
const host = addressOf(110);

interface Target {
  readonly health: string;
  readonly lastError: string;
  readonly scrapeUrl: string;
  readonly labels: Readonly<Record<string, string>>;
}

describe.skipIf(binaryMissing || missing)(`Prometheus${why}`, () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-prometheus-`);
  const receiver = new OtlpReceiver(host);
  let mesh: Mesh;
  let prometheus: Program;

  beforeAll(async () => {
    mesh = await startMesh({
      addressFirst: 111,
      documents: `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Mesh, name: mesh, telemetry: {traces: {endpoint: "${receiver.url}", samplePercent: 100}}}
`,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: { web: "by-name" } }] },
        { name: "vm-b", services: [{ service: "web" }] },
      ],
    });
    mesh.heddle("telemetry", "files", folder);
    const config = `${folder}/prometheus.yml`;
    // As it is written, but for a test's patience.
    writeFileSync(config, readFileSync(config, "utf8").replaceAll(/(_interval): \d+s/g, "$1: 1s"));
    prometheus = startProgram({
      name: "prometheus",
      command: [
        "prometheus",
        `--config.file=${config}`,
        `--storage.tsdb.path=${folder}/data`,
        `--web.listen-address=${host}:9090`,
        "--enable-feature=exemplar-storage",
      ],
      log: `${folder}/log`,
    });
  }, testMs);
  afterAll(async () => {
    await prometheus?.stop();
    await Promise.all([mesh?.stop(), receiver.stop()]);
    rmSync(folder, { recursive: true });
  }, testMs);

  async function api<Data>(path: string): Promise<Data | null> {
    const answer = await fetch(`http://${host}:9090/api/v1/${path}`).catch(() => null);
    return answer?.ok === true ? ((await answer.json()) as { data: Data }).data : null;
  }
  const targets = async (): Promise<readonly Target[]> =>
    (await api<{ activeTargets: readonly Target[] }>("targets"))?.activeTargets ?? [];
  const control = (): string => addressOf(111);

  test("finds every machine of the mesh through the controller, and each is up", async () => {
    // The controller's own machine runs no proxy here.
    const names = ["control controller", "control registry", "vm-a", "vm-b"];
    const up = await waitFor(
      "all targets are up",
      async () => {
        const found = (await targets()).filter(({ health }) => health === "up");
        return found.length >= names.length ? found : null;
      },
      { program: prometheus, everyMs: 100 },
    );
    expect(up.map(({ labels }) => labels["instance"]).toSorted()).toEqual(names);
    expect(up.every(({ labels }) => labels["heddle_mode"] !== undefined)).toBe(true);
  });

  test("counts what passes, and knows the trace behind a bucket", async () => {
    const call = async (): Promise<void> => {
      const headers = { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4710-00f067aa0ba902b7-01" };
      expect((await callByName(mesh.machine("vm-a"), "caller", "web", { headers })).status).toBe(200);
    };
    const now = Date.now() / 1_000;
    const query = `query=heddle_request_duration_seconds_bucket&start=${now - 60}&end=${now + 600}`;
    const exemplars = await waitFor(
      "an exemplar is there",
      async () => {
        await call();
        const found = await api<{ seriesLabels: Record<string, string>; exemplars: unknown[] }[]>(
          `query_exemplars?${query}`,
        );
        return (found?.length ?? 0) > 0 ? found : null;
      },
      { program: prometheus, everyMs: 100 },
    );
    expect(JSON.stringify(exemplars)).toContain('"trace_id":"4bf92f3577b34da6a3ce929d0e0e4710"');
    const counted = encodeURIComponent('heddle_requests_total{instance="vm-b",direction="inbound"}');
    const metric = await waitFor(
      "the requests are there",
      async () => {
        const total = await api<{ result: { metric: Record<string, string> }[] }>(`query?query=${counted}`);
        return total?.result[0]?.metric ?? null;
      },
      { program: prometheus, everyMs: 100 },
    );
    expect(metric).toMatchObject({ service: "web.default", peer: "caller.default" });
  });

  test("takes the rules, and finds nothing to alert of", async () => {
    interface Rule {
      readonly name: string;
      readonly health: string;
      readonly state?: string;
    }
    const rules = await waitFor(
      "the rules were evaluated",
      async () => {
        const found = await api<{ groups: { rules: Rule[] }[] }>("rules");
        const all = found?.groups.flatMap((group) => group.rules) ?? [];
        return all.length > 0 && all.every(({ health }) => health !== "unknown") ? all : null;
      },
      { program: prometheus, everyMs: 200 },
    );
    expect(rules.filter(({ health }) => health !== "ok")).toEqual([]);
    expect(rules.filter(({ state }) => state === "firing")).toEqual([]);
  });

  test.skipIf(!hasPromtool)(
    "finds nothing wrong with what each mode says, or the controller for it",
    async () => {
      const admin = `http://${control()}:${ports.admin + 1}`;
      const pages = [
        `http://${control()}:${ports.admin + 2}/metrics`,
        `${admin}/metrics`,
        `${admin}/v1/machines/vm-a/metrics`,
        `http://${mesh.machine("vm-b").address}:${ports.admin}/metrics`,
      ];
      for (const page of pages) expect(promtoolFindings((await callUrl(page)).text)).toBe("");
    },
  );

  test("sees a machine whose proxy is away as down, with the reason", async () => {
    await mesh.machine("vm-b").proxy.stop();
    const down = await waitFor(
      "vm-b is down",
      async () =>
        (await targets()).find(({ health, labels }) => health === "down" && labels["instance"] === "vm-b") ??
        null,
      { program: prometheus, everyMs: 100 },
    );
    expect((await callUrl(down.scrapeUrl)).text).toBe("vm-b: it is not connected to the controller\n");
    const listed = JSON.parse(mesh.heddle("telemetry", "targets")) as { labels: Record<string, string> }[];
    expect(listed.map(({ labels }) => labels["instance"])).toContain("vm-b");
  });
});
