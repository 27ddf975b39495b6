/** Who may do what on the control APIs: every path with every kind of caller (identity.md, section 6). */
import { afterAll, describe, expect, test } from "bun:test";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import type { PeerCertificate } from "../../../runtime/contract.ts";
import { dashboardPaths } from "../../../src/api/dashboard_messages.ts";
import { controllerPaths, registryKeys, registryPaths } from "../../../src/api/messages.ts";
import type { Caller } from "../../../src/api/control.ts";
import { MemoryStore } from "../../../src/registry/memory_store.ts";
import { createRegistry } from "../../../src/registry/server.ts";
import { ControllerUnderTest, trustDomain } from "../../support/controller_under_test.ts";

const { clock, random } = createRuntime();
const host = await ControllerUnderTest.start();
const store = new MemoryStore(clock);
const { app: registry } = createRegistry({ store, clock, random, trustDomain });
await host.addNode("vm-1", []);
afterAll(() => {
  host.close();
  store.close();
});

const callers: Readonly<Record<string, string | null>> = {
  nobody: null,
  service: `spiffe://${trustDomain}/ns/default/sa/web`,
  node: `spiffe://${trustDomain}/node/vm-1`,
  operator: `spiffe://${trustDomain}/operator/admin`,
  "an operator that was revoked": `spiffe://${trustDomain}/operator/ada`,
  controller: `spiffe://${trustDomain}/heddle/controller/one`,
  registry: `spiffe://${trustDomain}/heddle/registry/one`,
  "operator of another mesh": "spiffe://other.example/operator/ada",
  "the trust domain itself": `spiffe://${trustDomain}`,
};
const everybody = Object.keys(callers);

interface Door {
  readonly method: "GET" | "POST" | "PUT";
  readonly path: string;
  readonly open: readonly string[];
}

const door = (method: Door["method"], path: string, ...open: readonly string[]): Door => ({
  method,
  path,
  open,
});

const controllerDoors: readonly Door[] = [
  door("GET", controllerPaths.health, ...everybody),
  door("GET", controllerPaths.root, ...everybody),
  door("GET", controllerPaths.bundle, ...everybody),
  door("POST", controllerPaths.nonce, ...everybody),
  door("POST", controllerPaths.join, ...everybody),
  door("POST", controllerPaths.reattest, ...everybody),
  door("POST", controllerPaths.renew, "node"),
  door("POST", controllerPaths.reach, "node"),
  door("POST", controllerPaths.snapshots, "node"),
  door("POST", controllerPaths.reply, "node"),
  door("PUT", controllerPaths.uses, "node"),
  door("PUT", controllerPaths.ejections, "node"),
  door("POST", controllerPaths.rates, "node"),
  door("POST", controllerPaths.budgets, "node"),
  door("GET", controllerPaths.policy.replace(":hash", "0".repeat(64)), "node"),
  door("GET", controllerPaths.documents, "operator"),
  door("POST", controllerPaths.documents, "operator"),
  door("POST", `${controllerPaths.documents}/remove`, "operator"),
  door("GET", controllerPaths.policies, "operator"),
  door("POST", `${controllerPaths.policies}/steps`, "operator"),
  door("PUT", controllerPaths.trials, "node"),
  door("POST", controllerPaths.tokens, "operator"),
  door("GET", controllerPaths.tokens, "operator"),
  door("POST", `${controllerPaths.tokens}/abc/revoke`, "operator"),
  door("GET", controllerPaths.operators, "operator"),
  door("POST", controllerPaths.operators, "operator"),
  door("POST", `${controllerPaths.operators}/renew`, ...everybody),
  door("POST", `${controllerPaths.operators}/vm-1/revoke`, "operator"),
  door("GET", controllerPaths.nodes, "operator"),
  door("POST", `${controllerPaths.nodes}/vm-1/allow`, "operator"),
  door("POST", `${controllerPaths.nodes}/vm-1/control`, "operator"),
  door("POST", `${controllerPaths.nodes}/vm-9/remove`, "operator"),
  door("POST", controllerPaths.drains, "operator"),
  door("GET", controllerPaths.status, "operator"),
  door("POST", controllerPaths.ask, "operator"),
  door("POST", dashboardPaths.sessions, "operator"),
  door("GET", dashboardPaths.mesh, "operator"),
  door("GET", dashboardPaths.service.replace(":key", "web.default"), "operator"),
  door("GET", dashboardPaths.machines, "operator"),
  door("POST", controllerPaths.answers, "node"),
  door("POST", controllerPaths.kept, "node"),
  door("GET", controllerPaths.controlPlace, "operator"),
  door("PUT", controllerPaths.controlPlace, "operator"),
  door("GET", controllerPaths.authority, "operator"),
  door("POST", `${controllerPaths.authority}/rotate`, "operator"),
  door("POST", controllerPaths.intermediate, "node", "controller"),
  door("GET", controllerPaths.peerNodes, "controller"),
  door("POST", controllerPaths.peerRelay, "controller"),
  door("POST", controllerPaths.peerRates, "controller"),
  door("POST", controllerPaths.peerBudgets, "controller"),
];

const registryDoors: readonly Door[] = [
  door("GET", registryPaths.health, ...everybody),
  door("PUT", registryPaths.instances, "service"),
  door("POST", `${registryPaths.instances}/remove`, "service"),
  door("GET", registryPaths.range, "controller"),
  door("POST", registryPaths.commit, "controller"),
  door("GET", registryPaths.watch, "controller"),
  door("PUT", registryPaths.holds, "controller"),
  door("POST", `${registryPaths.holds}/release`, "controller"),
];

interface App {
  fetch(request: Request, env: { readonly caller: Caller }): Response | Promise<Response>;
}

/** An empty body reaches no handler's work, but it passes the door. */
async function knock(app: App, { method, path }: Door, caller: Caller): Promise<number> {
  const body = method === "GET" ? null : "not even JSON";
  const response = await app.fetch(new Request(`http://control${path}`, { method, body }), { caller });
  await response.body?.cancel();
  return response.status;
}

for (const [name, app, doors] of [
  ["controller", host.controller.app, controllerDoors],
  ["registry", registry, registryDoors],
] as const) {
  describe(`the ${name}`, () => {
    for (const each of doors) {
      test(`opens ${each.method} ${each.path} to ${each.open.length === everybody.length ? "everybody" : each.open.join(", ")} alone`, async () => {
        const opened: string[] = [];
        for (const [who, spiffeId] of Object.entries(callers)) {
          const status = await knock(app, each, { certificate: null, spiffeId, remoteAddress: "10.0.0.1" });
          if (status !== 401 && status !== 403) opened.push(who);
        }
        expect(opened).toEqual(everybody.filter((who) => each.open.includes(who)));
      });
    }

    test("has no other doors than these", () => {
      const routes = (app as typeof host.controller.app).routes.filter((route) => route.method !== "ALL");
      const known = doors.map((each) =>
        each.path
          .replace(/vm-\d/, ":name")
          .replace("0".repeat(64), ":hash")
          .replace("abc", ":id")
          .replace("web.default", ":key"),
      );
      expect([...new Set(routes.map((route) => `${route.method} ${route.path}`))].sort()).toEqual(
        doors.map((each, at) => `${each.method} ${known[at]}`).sort(),
      );
    });
  });
}

describe("a certificate that was good when the connection began", () => {
  const certificate = (change: Partial<PeerCertificate>): PeerCertificate => ({
    uris: [`spiffe://${trustDomain}/node/vm-1`],
    der: new Uint8Array(0),
    serial: "5a",
    notBeforeMs: 0,
    notAfterMs: clock.wallMs() + 60_000,
    ...change,
  });
  const callerWith = (shown: PeerCertificate): Caller => ({
    certificate: shown,
    spiffeId: shown.uris[0] ?? null,
    remoteAddress: "10.0.0.1",
  });
  const uses = door("PUT", controllerPaths.uses);
  const health = door("GET", registryPaths.health);

  test("opens nothing after its end", async () => {
    const caller = callerWith(certificate({ notAfterMs: clock.wallMs() - 1 }));
    expect(await knock(host.controller.app, uses, caller)).toBe(401);
    expect(await knock(registry, health, caller)).toBe(401);
    expect(await knock(host.controller.app, uses, callerWith(certificate({})))).toBe(400);
  });

  test("opens nothing once it was revoked", async () => {
    const revoked = callerWith(certificate({ serial: "0badcafe" }));
    expect(await knock(host.controller.app, uses, revoked)).toBe(400);
    expect(await knock(registry, health, revoked)).toBe(200);
    await host.put(`${registryKeys.revoked}0badcafe`, "{}");
    await store.commit([], [{ do: "put", key: `${registryKeys.revoked}0badcafe`, value: "{}" }]);
    expect(await knock(host.controller.app, uses, revoked)).toBe(403);
    expect(await knock(registry, health, revoked)).toBe(403);
  });
});
