/** How much may be under way to a service, as its Traffic document says: whole planes in memory, with an app that answers nothing. */
import { describe, expect, test } from "bun:test";
import type { Socket } from "../../../runtime/contract.ts";
import { limits as bounds } from "../../../src/model/limits.ts";
import type { Limits } from "../../../src/model/traffic.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, type DestinationPlan, type Records } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const get = "GET /x HTTP/1.1\r\nhost: web.mesh\r\n\r\n";

class Mesh {
  readonly net = new MemoryNet();
  /** Connections that reached the app, and those with a request that it has not answered. */
  readonly accepted: Socket[] = [];
  readonly held: Socket[] = [];
  readonly app = new MemoryApp(this.net, {
    at: (step, socket) => {
      if (step === "accepted") this.accepted.push(socket);
      if (step === "whole") this.held.push(socket);
    },
  });
  planes!: Planes;

  static async start(limits: Limits, web: DestinationPlan = {}): Promise<Mesh> {
    const mesh = new Mesh();
    mesh.planes = await Planes.inMemory(
      mesh.net,
      {
        name: "a",
        services: { caller: { app: 9, upstreams: ["web"] }, other: { app: 9, upstreams: ["web"] } },
      },
      { name: "b", services: { web: { app: mesh.app.port } } },
    );
    mesh.apply(limits, web);
    return mesh;
  }

  apply(limits: Limits, web: DestinationPlan = {}): void {
    this.planes.apply({ caller: {}, web: { ...web, traffic: { limits } } });
  }

  records(machine: string): Records {
    return this.planes.machine(machine).records;
  }

  /** Requests, each from a client of its own. */
  async call(count: number, service = "caller", text = get): Promise<MemoryCall[]> {
    const port = this.planes.machine("a").port(service, "web");
    const calls = Array.from({ length: count }, () => new MemoryCall(this.net, port, [text]));
    await this.net.settle();
    return calls;
  }

  /** The app answers one of those that it holds. */
  async answer(): Promise<void> {
    this.held.shift()?.write(bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    await this.net.settle();
  }
}

const statuses = (calls: readonly MemoryCall[]): number[] => calls.map(({ answer }) => answer.status);

describe("requests under way to a service", () => {
  test("are as many as it says; the next waits until one has ended", async () => {
    const mesh = await Mesh.start({ requests: 2 });
    const calls = await mesh.call(4);
    expect(mesh.held.length).toBeLessThanOrEqual(2);
    for (let answered = 0; answered < 4; answered++) await mesh.answer();
    expect(statuses(calls)).toEqual([200, 200, 200, 200]);
  });

  test("wait no longer than it says, and hear then which limit that was, its value and where to raise it", async () => {
    const mesh = await Mesh.start({ requests: 1, pendingWaitMs: 400 });
    const [, second] = await mesh.call(2);
    await mesh.net.pass(300);
    expect(second?.answer.status).toBe(0);
    await mesh.net.pass(300);
    expect(second?.answer.status).toBe(503);
    const { body } = second?.answer ?? { body: "" };
    expect(body).toContain("of the 1 requests that may be under way to web.default (requestsMax)");
    expect(body).toContain("waited 400 ms for another (pendingMs)");
    expect(body).toContain("limits.requests and limits.pendingWait of the Traffic document");
    expect(mesh.records("a").of("outbound")[0]?.outcome?.flag).toBe("UO");
    expect(mesh.records("a").limits).toEqual(["requestsMax", "pendingMs"]);
  });

  test("that find no place are refused at once where none may wait", async () => {
    const mesh = await Mesh.start({ requests: 1, pending: 0 });
    const calls = await mesh.call(3);
    expect(statuses(calls).filter((status) => status === 503).length).toBe(2);
    expect(mesh.records("a").limits).toEqual(["pendingMax", "pendingMax"]);
  });

  test("are as many as a new document says, and those under way go on", async () => {
    const mesh = await Mesh.start({ requests: 1, pending: 0 });
    const before = await mesh.call(1);
    mesh.apply({ requests: 3, pending: 0 });
    await mesh.call(1, "other");
    expect(mesh.held.length).toBe(2);
    mesh.apply({});
    expect(statuses(await mesh.call(4))).toEqual([0, 0, 0, 0]);
    await mesh.answer();
    expect(statuses(before)).toEqual([200]);
  });
});

describe("requests under way to an instance", () => {
  test("are as many as the service says, however many its connections would carry", async () => {
    const mesh = await Mesh.start({ requestsPerEndpoint: 1, pendingWaitMs: 400 });
    const [, second] = await mesh.call(2);
    expect(mesh.held.length).toBe(1);
    // It is tried twice.
    await mesh.net.pass(1_200);
    expect(second?.answer.body).toContain("(limits.requestsPerEndpoint), its share, and waited 400 ms");
  });

  test("share as few connections to the app as the service says", async () => {
    const mesh = await Mesh.start({ connectionsPerEndpoint: 2 });
    await mesh.call(3);
    await mesh.call(3, "other");
    expect(mesh.accepted.length).toBe(2);
    for (let answered = 0; answered < 6; answered++) await mesh.answer();
    expect(
      mesh
        .records("a")
        .of("outbound")
        .map(({ status }) => status),
    ).toEqual([200, 200, 200, 200, 200, 200]);
    expect(mesh.accepted.length).toBe(2);
  });
});

test("opaque connections to an instance are as many as the service says, and the next one is told why not", async () => {
  const mesh = await Mesh.start({ connectionsPerEndpoint: 2 }, { protocol: "tcp" });
  const hello = "hello";
  await mesh.call(3, "caller", hello);
  const inbound = mesh.records("b").of("inbound");
  expect(mesh.accepted.length).toBe(2);
  expect(inbound.map(({ outcome }) => outcome?.flag)).toContain("UO");
  expect(inbound[0]?.outcome?.detail).toContain(
    "2 of the 2 connections that an instance of web.default takes are open (limits.connectionsPerEndpoint",
  );
  mesh.accepted[0]?.reset();
  await mesh.net.settle();
  await mesh.call(1, "caller", hello);
  expect(mesh.accepted.length).toBe(3);
});

describe("connections over all instances of a service", () => {
  const hello = "hello";

  test("that are opaque are as many as it says; the next one waits until one has ended", async () => {
    const mesh = await Mesh.start({ connections: 2, pendingWaitMs: 400 }, { protocol: "tcp" });
    await mesh.call(1, "caller", hello);
    await mesh.call(1, "other", hello);
    const [third] = await mesh.call(1, "caller", hello);
    expect([mesh.accepted.length, third?.answer.reset]).toEqual([2, false]);
    mesh.accepted[0]?.reset();
    await mesh.net.settle();
    expect(mesh.accepted.length).toBe(3);
    expect(mesh.records("a").limits).toEqual(["limits.connections"]);
  });

  test("that are opaque wait no longer than it says, and the record names the limit, its value and where to raise it", async () => {
    const mesh = await Mesh.start({ connections: 1, pendingWaitMs: 400 }, { protocol: "tcp" });
    await mesh.call(2, "caller", hello);
    await mesh.net.pass(600);
    const [outcome] = mesh
      .records("a")
      .of("outbound")
      .map((record) => record.outcome);
    expect(outcome?.flag).toBe("UO");
    expect(outcome?.detail).toContain(
      "of the 1 connections that may be open to web.default (limits.connections)",
    );
    expect(outcome?.detail).toContain("limits.connections and limits.pendingWait of the Traffic document");
    expect(mesh.records("a").limits).toEqual(["limits.connections", "pendingMs"]);
    const refused = await Mesh.start({ connections: 1, pending: 0 }, { protocol: "tcp" });
    await refused.call(2, "caller", hello);
    expect(refused.records("a").limits).toEqual(["pendingMax"]);
  });

  test("that carry requests are as many as it says, and requests wait for one that is free", async () => {
    const mesh = await Mesh.start({ connections: 2 }, { transport: "http/1.1" });
    await mesh.call(3);
    await mesh.call(2, "other");
    expect(mesh.accepted.length).toBe(2);
    for (let answered = 0; answered < 5; answered++) await mesh.answer();
    const outbound = mesh.records("a").of("outbound");
    expect(outbound.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(mesh.records("a").limits).toContain("limits.connections");
  });

  test("that carry requests are waited for no longer than it says, and the answer says what is full", async () => {
    const mesh = await Mesh.start({ connections: 1, pendingWaitMs: 400 }, { transport: "http/1.1" });
    await mesh.call(1);
    const [second] = await mesh.call(1, "other");
    await mesh.net.pass(1_200);
    expect(second?.answer.status).toBe(503);
    expect(second?.answer.body).toContain(
      "this machine may have 1 to the service, which are in use (limits.connections of its Traffic document: raise it there)",
    );
  });

  for (const transport of ["http/1.1", "shared"] as const)
    test(`that nothing uses make room for others, of another caller too: transport ${transport}`, async () => {
      const mesh = await Mesh.start({ connections: 1 }, { transport });
      for (const caller of ["caller", "other", "caller"]) {
        const [call] = await mesh.call(1, caller);
        await mesh.answer();
        await mesh.net.settle();
        expect(call?.answer.status).toBe(200);
      }
      const room = mesh.planes.machine("a").plane.state?.destinations.get("web.default")?.room;
      expect(room?.open).toBe(1);
    });

  test("are as many as a new document says, and none of those that stand ends", async () => {
    const mesh = await Mesh.start({ connections: 1 }, { protocol: "tcp" });
    const calls = [...(await mesh.call(1, "caller", hello)), ...(await mesh.call(1, "other", hello))];
    expect(mesh.accepted.length).toBe(1);
    mesh.apply({}, { protocol: "tcp" });
    await mesh.net.settle();
    expect(mesh.accepted.length).toBe(2);
    mesh.apply({ connections: 1 }, { protocol: "tcp" });
    await mesh.call(1, "caller", hello);
    expect(mesh.accepted.length).toBe(2);
    expect(calls.map(({ answer }) => answer.reset)).toEqual([false, false]);
  });
});

test("without a document the limits are those of before", async () => {
  const mesh = await Mesh.start({});
  const gate = mesh.planes.machine("a").plane.state?.destinations.get("web.default")?.admission;
  expect([gate?.max, gate?.pendingMax, gate?.pendingMs]).toEqual([
    bounds.requestsMax,
    bounds.pendingMax,
    bounds.pendingMs,
  ]);
});
