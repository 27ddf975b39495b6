/** Rates of a service, in whole planes in memory: who is refused, how that is told, and when there is room again. */
import { describe, expect, test } from "bun:test";
import type { RateLimits } from "../../../src/model/traffic.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { dialHttp2, Heard, request } from "../../support/http_relay.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, type TestMachine } from "../../support/planes.ts";
import { bytesOf, fieldsOf } from "../../support/wire.ts";

const get = (host: string, ...lines: readonly string[]): string =>
  `GET /x HTTP/1.1\r\nhost: ${host}.mesh\r\n${lines.map((each) => `${each}\r\n`).join("")}\r\n`;

class Mesh {
  readonly net = new MemoryNet();
  readonly app = new MemoryApp(this.net, {
    at: (step, socket) => {
      if (step === "whole") socket.write(bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    },
  });
  planes!: Planes;

  /** `near`: the service runs where it is called. */
  static async start(rateLimit: RateLimits, near = false): Promise<Mesh> {
    const mesh = new Mesh();
    const callers = { caller: { app: 9 }, other: { app: 9 } };
    const web = { web: { app: mesh.app.port } };
    mesh.planes = near
      ? await Planes.inMemory(mesh.net, { name: "a", services: { ...callers, ...web } })
      : await Planes.inMemory(mesh.net, { name: "a", services: callers }, { name: "b", services: web });
    mesh.apply(rateLimit);
    return mesh;
  }

  apply(rateLimit: RateLimits): void {
    this.planes.apply({ caller: {}, web: { traffic: { rateLimit } } });
  }

  get machine(): TestMachine {
    return this.planes.machine("a");
  }

  async call(service: string, ...lines: readonly string[]): Promise<MemoryCall> {
    const call = new MemoryCall(this.net, this.machine.port(service), [get("web", ...lines)]);
    await this.net.settle();
    return call;
  }

  async grpc(service: string): Promise<Heard> {
    const { net } = this;
    const dialled = dialHttp2({ net, clock: net.clock }, this.machine.port(service));
    await net.settle();
    const client = await dialled;
    const heard = new Heard();
    client.shard.enter();
    const fields = fieldsOf("content-type: application/grpc", "te: trailers");
    client.start(request({ method: "POST", authority: "web.mesh", fields }), noEdits, heard);
    client.shard.leave();
    await net.settle();
    return heard;
  }

  async statuses(service: string, count: number): Promise<number[]> {
    const statuses: number[] = [];
    for (let at = 0; at < count; at++) statuses.push((await this.call(service)).answer.status);
    return statuses;
  }
}

describe.each([
  ["of another machine", false],
  ["of the same machine", true],
])("a service %s that takes 2 requests a second of each caller", (_where, near) => {
  const identity = { perSecond: 2, burst: null };

  test("answers the third 429 with Retry-After, and another caller all the same", async () => {
    const mesh = await Mesh.start({ identity }, near);
    expect(await mesh.statuses("caller", 3)).toEqual([200, 200, 429]);
    expect(await mesh.statuses("other", 2)).toEqual([200, 200]);
    const { answer } = await mesh.call("caller");
    expect(answer.fields.get("retry-after")).toBe("1");
    expect(answer.body).toContain(
      "caller.default may send web.default 2 requests a second (rateLimit.identity of its Traffic document",
    );
    const records = near ? mesh.machine.records : mesh.planes.machine("b").records;
    expect(records.of("inbound").at(-1)).toMatchObject({ status: 429, outcome: { flag: "RL" } });
    expect(mesh.machine.records.of("outbound").at(-1)).toMatchObject({ outcome: { flag: "RL" } });
    expect(records.limits).toEqual(["rateLimit.identity", "rateLimit.identity"]);
    expect(mesh.app.requests.length).toBe(4);
  });

  test("tells a gRPC caller RESOURCE_EXHAUSTED, and when to come again", async () => {
    const mesh = await Mesh.start({ identity }, near);
    await mesh.statuses("caller", 2);
    const { answer, failure } = await mesh.grpc("caller");
    expect([failure, answer?.status, answer?.fields.get("grpc-status")]).toEqual([null, 200, "8"]);
    const pushback = Number(answer?.fields.get("grpc-retry-pushback-ms"));
    expect(pushback).toBeGreaterThan(0);
    expect(pushback).toBeLessThanOrEqual(1_000);
  });

  test("has room again when Retry-After is over", async () => {
    const mesh = await Mesh.start({ identity }, near);
    expect(await mesh.statuses("caller", 3)).toEqual([200, 200, 429]);
    await mesh.net.pass(1_000);
    expect(await mesh.statuses("caller", 3)).toEqual([200, 200, 429]);
  });
});

test("a snapshot that changes nothing of the rates gives nobody a fresh one, and one that does begins anew", async () => {
  const mesh = await Mesh.start({ total: { perSecond: 2, burst: null } });
  expect(await mesh.statuses("caller", 3)).toEqual([200, 200, 429]);
  mesh.apply({ total: { perSecond: 2, burst: null } });
  expect(await mesh.statuses("caller", 1)).toEqual([429]);
  mesh.apply({ total: { perSecond: 3, burst: null } });
  expect(await mesh.statuses("caller", 4)).toEqual([200, 200, 200, 429]);
});

test("requests that an access rule denies cost the caller nothing", async () => {
  const mesh = await Mesh.start({});
  const access = { otherwise: "deny", deny: [], allow: [] } as const;
  const traffic = { rateLimit: { total: { perSecond: 1, burst: null } } };
  mesh.planes.apply({ caller: {}, web: { access, traffic } });
  expect(await mesh.statuses("caller", 3)).toEqual([403, 403, 403]);
  expect(mesh.planes.machine("b").records.limits).toEqual([]);
});

test("of a rate that the mesh shares a machine lets in what the controller gives it, and says what the whole is", async () => {
  const mesh = await Mesh.start({ mesh: { perSecond: 100, burst: null } });
  const { plane, records } = mesh.planes.machine("b");
  // Nothing is known yet: the part that is kept for machines that come new.
  expect(await mesh.statuses("caller", 6)).toEqual([200, 200, 200, 200, 200, 429]);
  await mesh.net.pass(1_000);
  const asked = plane.rates.asks();
  expect(asked["web.default"]).toMatchObject({ sequence: 0, heldPerSecond: 5 });
  const slice = { sequence: 1, perSecond: 2, evenPerSecond: 50, forMs: 5_000 };
  plane.rates.given({ "web.default": slice, "gone.default": slice }, mesh.net.clock.now());
  expect(await mesh.statuses("caller", 3)).toEqual([200, 200, 429]);
  const { answer } = await mesh.call("caller");
  expect(answer.body).toContain(
    "to the instances of this machine 2 of them, may send web.default 100 requests",
  );
  expect(answer.body).toContain("(rateLimit.mesh of its Traffic document");
  expect(Number(answer.fields.get("retry-after"))).toBe(1);
  expect(new Set(records.limits)).toEqual(new Set(["rateLimit.mesh"]));
});
