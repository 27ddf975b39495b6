/**
 * Calls of one service that lead to another, and snapshots that come meanwhile: who pays for retries, whose identity the record
 * tells, and which state decides. Whole planes on the network in memory.
 */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import type { CompiledRoute, Destination } from "../../../src/model/snapshot.ts";
import type { PolicyChain } from "../../../src/policy/chain.ts";
import type { PolicyVerdict } from "../../../src/policy/verdict.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { captureHello } from "../../support/hello.ts";
import { MemoryApp, MemoryCall, type MemoryAnswer } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { idOf, named, Planes, type DestinationPlan } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const backends = (service: string) => [{ service: named(service), subset: null, weight: 1, invalid: null }];
const routeTo = (service: string): CompiledRoute => ({
  name: "elsewhere",
  match: { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] },
  backends: backends(service),
  requestTimeoutMs: null,
  idempotent: false,
  policies: [],
});
const tlsRouteTo = (service: string): Destination["tlsRoutes"] => [
  { name: "elsewhere", hostname: "*.example", backends: backends(service) },
];
const hello = String.fromCharCode(...(await captureHello("a.example", [])));

interface Mesh {
  readonly net: MemoryNet;
  readonly planes: Planes;
  readonly app: MemoryApp;
  readonly destinations: Record<string, DestinationPlan>;
  call(): Promise<MemoryAnswer>;
}

/** `web` and `db` lead to `other`, which runs on b; web and db run on c. */
async function meshOf(policies?: PolicyChain): Promise<Mesh> {
  const net = new MemoryNet();
  const app = new MemoryApp(net, {
    at: (step, socket) => {
      if (step === "whole") socket.write(bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    },
  });
  const caller = { caller: { app: 9, upstreams: ["web", "db"] } };
  const planes = await Planes.inMemory(
    net,
    { name: "a", services: caller, ...(policies === undefined ? {} : { policies }) },
    { name: "b", services: { other: { app: app.port }, vault: { app: app.port } } },
    { name: "c", services: { web: { app: app.port }, db: { app: app.port } } },
  );
  const destinations: Record<string, DestinationPlan> = {
    caller: {},
    web: { routes: [routeTo("other")] },
    other: {},
    db: { protocol: "tls", tlsRoutes: tlsRouteTo("vault") },
    vault: { protocol: "tls" },
  };
  planes.apply(destinations);
  const port = planes.machine("a").port("caller", "web");
  return {
    net,
    planes,
    app,
    destinations,
    call: async () => {
      const call = new MemoryCall(net, port, ["GET /x HTTP/1.1\r\nhost: web.mesh\r\n\r\n"]);
      await net.settle();
      return call.answer;
    },
  };
}

const leftOf = ({ planes, net }: Mesh, service: string): number | undefined =>
  planes.machine("a").plane.state?.destinations.get(`${service}.default`)?.budget.left(net.clock.now());
const outbound = ({ planes }: Mesh) => planes.machine("a").records.of("outbound");

async function connectTls({ net, planes }: Mesh): Promise<void> {
  new MemoryCall(net, planes.machine("a").port("caller", "db"), [hello]);
  await net.settle();
}

describe("a request that a route leads to another service", () => {
  test("fills the budget of retries of the service whose endpoints it goes to, and no other", async () => {
    const mesh = await meshOf();
    const floor = limits.retryBudgetFloorPerSecond;
    for (let count = 0; count < 10; count++) await mesh.call();
    expect([leftOf(mesh, "web"), leftOf(mesh, "other")]).toEqual([
      floor,
      floor + 10 * limits.retryBudgetRatio,
    ]);
  });

  test("costs that service its retries", async () => {
    const mesh = await meshOf();
    const before = [leftOf(mesh, "web"), leftOf(mesh, "other")];
    void mesh.planes.machine("b").plane.close(0);
    await mesh.net.settle();
    await mesh.call();
    await mesh.net.pass(limits.retryBackoffMs + 1);
    expect(outbound(mesh)[0]?.attempts.length).toBe(2);
    expect([leftOf(mesh, "web"), leftOf(mesh, "other")]).toEqual([before[0], (before[1] ?? 0) - 1]);
  });

  test("is recorded with the identity that was verified, that of the other service", async () => {
    const mesh = await meshOf();
    await mesh.call();
    expect(outbound(mesh)[0]).toMatchObject({ service: "web.default", destinationId: idOf("other") });
  });

  test("is recorded without any where another one was shown, or nobody was reached", async () => {
    const mesh = await meshOf();
    mesh.planes.machine("b").credentials.set("other.default", await mesh.planes.issue("vault"));
    await mesh.call();
    await mesh.net.pass(limits.retryBackoffMs + 1);
    expect(outbound(mesh)[0]).toMatchObject({ destinationId: "", outcome: { flag: "ID" } });
  });
});

describe("a connection of TLS that a route leads to another service", () => {
  test("fills that service's budget and is recorded with its identity", async () => {
    const mesh = await meshOf();
    const before = [leftOf(mesh, "db"), leftOf(mesh, "vault")];
    for (let count = 0; count < 5; count++) await connectTls(mesh);
    await mesh.planes.machine("a").plane.close(0);
    await mesh.net.settle();
    expect(outbound(mesh)[0]).toMatchObject({ route: "elsewhere", destinationId: idOf("vault") });
    expect([leftOf(mesh, "db"), leftOf(mesh, "vault")]).toEqual([before[0], (before[1] ?? 0) + 1]);
  });

  test("is recorded without an identity where another one was shown", async () => {
    const mesh = await meshOf();
    mesh.planes.machine("b").credentials.set("vault.default", await mesh.planes.issue("other"));
    await connectTls(mesh);
    await mesh.net.pass(limits.retryBackoffMs + 1);
    expect(outbound(mesh)[0]).toMatchObject({ destinationId: "", outcome: { flag: "ID" } });
  });
});

describe("the snapshot that was in force when a call began", () => {
  const chooses: PolicyVerdict = {
    do: "route",
    policy: "guide",
    service: named("other"),
    subset: null,
    edits: noEdits,
    target: null,
    records: [],
  };

  test("decides where a policy's choice leads, though a new one has come", async () => {
    let decide = (): void => {};
    const mesh = await meshOf({ evaluate: (_all, _call, done) => (decide = () => done(chooses)) });
    const { web = {}, other: _gone, ...rest } = mesh.destinations;
    const policies = [{ hash: "h", name: "guide", options: {} }];
    mesh.planes.apply({ ...mesh.destinations, web: { ...web, policies, routes: [] } });
    const calling = mesh.call();
    await calling;
    const { records } = mesh.planes.machine("a");
    expect(records.all).toEqual([]);
    mesh.planes.apply({ ...rest, web: { policies, routes: [] } });
    decide();
    await mesh.net.settle();
    expect(outbound(mesh)[0]).toMatchObject({ status: 200, destinationId: idOf("other") });
  });

  test("says who calls as long as a connection waits for its share", async () => {
    const mesh = await meshOf();
    const { plane } = mesh.planes.machine("a");
    const admission = plane.state?.destinations.get("db.default")?.admission;
    const max = admission?.max ?? 0;
    admission?.resize(0);
    await connectTls(mesh);
    expect(admission?.waiting).toBe(1);
    const snapshot = mesh.planes.snapshot(mesh.planes.machine("a"), mesh.destinations);
    plane.apply({ ...snapshot, locals: [] });
    admission?.resize(max);
    await mesh.net.settle();
    await plane.close(0);
    await mesh.net.settle();
    expect(outbound(mesh)[0]).toMatchObject({
      sourceId: idOf("caller"),
      endpoint: expect.stringContaining("vault"),
    });
  });
});
