/** One of three instances answers 503, on the compiled binary: it is out, the operator sees it, and it comes back when it is well. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { limits } from "../../src/model/limits.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { callByName, callUrl } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http, balance: round-robin}
---
{kind: Traffic, name: web, service: web, circuitBreaking: {penalty: 30s}}
`;

describe.skipIf(binaryMissing)("one of three instances that answers 503", () => {
  const host = addressOf(96);
  const app = { status: 503, asked: 0 };
  let server: ReturnType<typeof Bun.serve>;
  let mesh: Mesh;

  beforeAll(async () => {
    server = Bun.serve({
      hostname: host,
      port: 8_080,
      fetch: () => {
        app.asked++;
        return new Response("", { status: app.status });
      },
    });
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: { web: "by-name" } }] },
        { name: "vm-b", services: [{ service: "web" }] },
        { name: "vm-c", services: [{ service: "web" }] },
        { name: "vm-d", services: [{ service: "web", host, port: 8_080 }] },
      ],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await server.stop(true);
  });

  const call = async (): Promise<number> => (await callByName(mesh.machine("vm-a"), "caller", "web")).status;
  const page = async (name: string): Promise<string> =>
    (await callUrl(`http://${mesh.machine("vm-a").address}:${ports.admin}/${name}`)).text;

  test("is out after five requests, and what the proxy shows says so", async () => {
    const statuses: number[] = [];
    // An instance that came to others grows into its share: it may take a while.
    await waitFor("it is out", async () => {
      statuses.push(await call());
      return (await page("metrics")).includes("heddle_ejections_total{") || null;
    });
    for (let count = 0; count < 10; count++) statuses.push(await call());
    expect(statuses.filter((status) => status !== 200).length).toBe(limits.breakerStreakMax);
    expect(app.asked).toBe(limits.breakerStreakMax);
    const metrics = await page("metrics");
    expect(metrics).toContain('heddle_endpoints{service="web.default",state="ejected"} 1\n');
    expect(metrics).toContain('heddle_endpoints{service="web.default",state="ready"} 2\n');
    expect(metrics).toContain('heddle_ejections_total{service="web.default",reason="streak"} 1\n');
    expect(JSON.parse(await page("config")).ejected).toMatchObject([
      { service: "web.default", endpoint: "vm-d/web.default/8080", state: "ejected", reason: "streak" },
    ]);
  });

  test("is shown by heddle status, with who took it out, why and for how long", async () => {
    await waitFor(
      "status shows it",
      async () =>
        /^web\.default +vm-d\/web\.default\/8080 +vm-a +failures in a row +in \d+ s$/m.test(
          mesh.heddle("status"),
        ) || null,
    );
  });

  test("is shown to go by what its Traffic document says, and by the defaults", () => {
    const shown = mesh.heddle("get", "traffic", "web", "--effective");
    expect(shown).toMatch(/^circuitBreaking\.penalty +30s +Traffic web\.default$/m);
    expect(shown).toMatch(/^circuitBreaking\.failures +5 +default$/m);
  });

  test("comes back by requests that go well, after a penalty that another document made short", async () => {
    mesh.apply(documents.replace("penalty: 30s", "penalty: 100ms"));
    await mesh.settled();
    await waitFor("it is out again", async () => {
      await call();
      return /heddle_ejections_total\{.*\} 2$/m.test(await page("metrics")) || null;
    });
    app.status = 200;
    await waitFor("it is back", async () => {
      expect(await call()).toBe(200);
      return (await page("metrics")).includes('{service="web.default",state="ready"} 3\n') || null;
    });
  });
});
