/** `heddle edges` and `heddle stat` on the compiled binary: what an operator sees of who talks to whom. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { callByName } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { plainEnvironment } from "../support/processes.ts";
import { SteadyLoad } from "../support/steady_load.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: HTTPRoute, name: web, service: web, rules: [{name: all, matches: [{path: /}]}]}
`;

describe.skipIf(binaryMissing)("a mesh under load", () => {
  let mesh: Mesh;
  let load: SteadyLoad;

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: { web: "by-name" } }] },
        { name: "vm-b", services: [{ service: "web" }] },
      ],
    });
    const caller = mesh.machine("vm-a");
    expect((await callByName(caller, "caller", "web")).status).toBe(200);
    const about = { host: caller.address, port: caller.httpPort("caller"), authority: "web.mesh" };
    load = new SteadyLoad({ ...about, path: "/", connections: 2, everyMs: 5 }).start();
  }, testMs);
  afterAll(async () => {
    await load?.stop();
    await mesh?.stop();
  }, testMs);

  /** While the load of this process goes on. */
  const heddle = (...args: string[]): Promise<string> => meanwhile(...args, "--window", "1s");
  const meanwhile = (...args: string[]): Promise<string> => {
    const command = [binaryPath, ...args, "--state", `${mesh.folder}/control`];
    return new Response(Bun.spawn(command, { env: plainEnvironment() }).stdout).text();
  };

  test("shows each edge as both sides count it, with mutual TLS", async () => {
    const shown = await heddle("edges");
    expect(shown).toMatch(/^caller\.default +web\.default +caller +yes +100\.00% +\d+\.\d /m);
    expect(shown).toMatch(/^caller\.default +web\.default +callee +yes +100\.00% +\d+\.\d /m);
    const { edges } = JSON.parse(await heddle("edges", "--output", "json")) as {
      edges: { perSecond: number; total: number }[];
    };
    expect(edges.length).toBe(2);
    for (const { perSecond, total } of edges) expect(Math.min(perSecond, total)).toBeGreaterThan(0);
  });

  test("shows a service and its routes as its callers see them", async () => {
    expect(await heddle("stat")).toMatch(/^web\.default +caller\.default +100\.00% /m);
    expect(await heddle("stat", "web")).toMatch(/^web\/all +caller\.default +100\.00% /m);
  });

  test("is shown once by top, where there is no terminal to draw on", async () => {
    expect(await meanwhile("top", "--once", "--every", "1s")).toMatch(
      /^caller > web web\/all +100\.00% .* 1\/1$/m,
    );
    const { edges } = JSON.parse(await meanwhile("top", "--every", "1s", "--output", "json")) as {
      edges: { endpoints: number }[];
    };
    expect(edges).toMatchObject([
      { from: "caller.default", to: "web.default", route: "web/all", endpoints: 1 },
    ]);
    expect(() => mesh.heddle("top")).toThrow("heddle top --once prints it once");
  });

  test("says which window can be watched", () => {
    expect(() => mesh.heddle("edges", "--window", "1ms")).toThrow("expected a duration from 500ms to 60s");
  });
});
