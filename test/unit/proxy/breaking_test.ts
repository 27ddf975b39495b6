/** One of three instances fails, in whole planes in memory: after how many requests it is out, why, and how it comes back. */
import { describe, expect, test } from "bun:test";
import type { Socket } from "../../../runtime/contract.ts";
import { ejectionsOf, endpointState } from "../../../src/app/endpoint_states.ts";
import { limits } from "../../../src/model/limits.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { named, Planes, type DestinationPlan, type TestMachine } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const answer = (status: number): string => `HTTP/1.1 ${status} X\r\ncontent-length: 2\r\n\r\nok`;
const answers = (status: number) => (socket: Socket) => void socket.write(bytesOf(answer(status)));
const halfAnAnswer = (socket: Socket): void => {
  socket.write(bytesOf("HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nok"));
  socket.reset();
};
const longestPenaltyMs = limits.breakerPenaltyMs * (1 + limits.breakerJitterRatio);

class Mesh {
  readonly net = new MemoryNet();
  readonly apps: readonly MemoryApp[];
  planes!: Planes;

  /** `first`: what the first instance does with a request; the others answer 200. */
  private constructor(
    public first: (socket: Socket) => void,
    count: number,
  ) {
    this.apps = Array.from(
      { length: count },
      (_, at) =>
        new MemoryApp(this.net, {
          at: (step, socket) => {
            if (step === "whole") (at === 0 ? this.first : answers(200))(socket);
          },
        }),
    );
  }

  static async start(first: (socket: Socket) => void, web: DestinationPlan = {}, count = 3): Promise<Mesh> {
    const mesh = new Mesh(first, count);
    mesh.planes = await Planes.inMemory(
      mesh.net,
      { name: "a", services: { caller: { app: 9, upstreams: ["web"] } } },
      ...mesh.apps.map(({ port }, at) => ({ name: `web-${at}`, services: { web: { app: port } } })),
    );
    mesh.apply(web);
    return mesh;
  }

  apply(web: DestinationPlan): void {
    this.planes.apply({ caller: {}, web });
  }

  get caller(): TestMachine {
    return this.planes.machine("a");
  }

  /** Statuses that so many requests got, one after the other. */
  async call(count: number, waitMs = 0): Promise<number[]> {
    const calls: MemoryCall[] = [];
    for (let at = 0; at < count; at++) {
      const port = this.caller.port("caller", "web");
      const call = new MemoryCall(this.net, port, ["GET /x HTTP/1.1\r\nhost: web.mesh\r\n\r\n"]);
      if (waitMs > 0) await this.net.pass(waitMs);
      else await this.net.settle();
      calls.push(call);
    }
    return calls.map((call) => call.answer.status);
  }

  /** Requests that the first instance got. */
  get sent(): number {
    return this.apps[0]?.requests.length ?? 0;
  }

  get states(): string[] {
    const web = this.caller.plane.state?.destinations.get("web.default");
    return [...(web?.endpoints.values() ?? [])].map(endpointState);
  }

  /** What took an instance out, as the records of requests have it. */
  get tripped(): string[] {
    return this.caller.records.all.map(({ ejected }) => ejected).filter((each) => each !== "");
  }
}

const failures = (statuses: readonly number[]): number => statuses.filter((status) => status !== 200).length;

describe("one of three instances", () => {
  test("that answers 503 gets five requests, and the one that took it out says so", async () => {
    const mesh = await Mesh.start(answers(503));
    expect(failures(await mesh.call(40))).toBe(limits.breakerStreakMax);
    expect(mesh.sent).toBe(limits.breakerStreakMax);
    expect(mesh.tripped).toEqual(["streak"]);
    expect(mesh.caller.records.ejections).toEqual(["web.default streak"]);
    expect(mesh.states).toEqual(["ejected", "ready", "ready"]);
    expect(ejectionsOf(mesh.caller.plane.state, mesh.net.clock.now())).toMatchObject([
      { service: "web.default", state: "ejected", reason: "streak", ejections: 1 },
    ]);
  });

  test("that refuses connections is out, and no request fails", async () => {
    const mesh = await Mesh.start(answers(200));
    mesh.apps[0]?.kill();
    expect(failures(await mesh.call(40))).toBe(0);
    expect(mesh.tripped).toEqual(["connect"]);
    expect(mesh.states).toEqual(["ejected", "ready", "ready"]);
  });

  test("that stalls is out once five requests came to their timeout", async () => {
    const match = { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] } as const;
    const backends = [{ service: named("web"), subset: null, weight: 1, invalid: null }];
    const route = { name: "r", match, backends, requestTimeoutMs: 100, idempotent: false, policies: [] };
    const mesh = await Mesh.start(() => {}, { routes: [route] });
    // As many as it takes wherever the turns begin, and in all less than a penalty: nothing is probed.
    const statuses = await mesh.call(15, 250);
    expect(statuses.filter((status) => status === 504).length).toBe(limits.breakerStreakMax);
    expect(mesh.tripped).toEqual(["streak"]);
  });

  test("whose answers break off is out by the share of what went well", async () => {
    const mesh = await Mesh.start(halfAnAnswer);
    await mesh.call(40);
    expect(mesh.tripped).toEqual(["rate"]);
    expect(mesh.sent).toBeLessThanOrEqual(limits.breakerWindowAnswersMin);
  });

  test("that asks for less with 429 is not taken out", async () => {
    const mesh = await Mesh.start(answers(429));
    await mesh.call(40);
    expect(mesh.sent).toBeGreaterThan(limits.breakerStreakMax);
    expect(mesh.tripped).toEqual([]);
  });

  test("is asked again by one request after its penalty: back when that goes well, out for longer when not", async () => {
    const mesh = await Mesh.start(answers(503));
    await mesh.call(40);
    await mesh.net.pass(longestPenaltyMs);
    expect(failures(await mesh.call(10))).toBe(1);
    expect(mesh.sent).toBe(limits.breakerStreakMax + 1);
    await mesh.net.pass(longestPenaltyMs);
    mesh.first = answers(200);
    // The second penalty is twice the first: either way its end is one request away.
    await mesh.net.pass(longestPenaltyMs);
    expect(failures(await mesh.call(1))).toBe(0);
    expect(mesh.states).toEqual(["ready", "ready", "ready"]);
    expect(mesh.caller.records.ejections.length).toBe(1);
  });

  test("stays out over a new snapshot, and when only its health probe failed and passes again", async () => {
    const mesh = await Mesh.start(answers(503));
    await mesh.call(40);
    mesh.apply({});
    expect(mesh.states).toEqual(["ejected", "ready", "ready"]);
    mesh.apply({ unready: ["web-0"] });
    expect(mesh.states).toEqual(["unhealthy", "ready", "ready"]);
    mesh.apply({});
    expect(mesh.states).toEqual(["ejected", "ready", "ready"]);
    await mesh.call(20);
    expect(mesh.sent).toBe(limits.breakerStreakMax);
  });

  test("gives the turn of its probe back when the caller leaves", async () => {
    const mesh = await Mesh.start(answers(503));
    await mesh.call(40);
    await mesh.net.pass(longestPenaltyMs);
    let left = (): void => {};
    mesh.first = () => left();
    const port = mesh.caller.port("caller", "web");
    const call = new MemoryCall(mesh.net, port, ["GET /x HTTP/1.1\r\nhost: web.mesh\r\n\r\n"]);
    left = () => call.leave();
    await mesh.net.settle();
    expect(mesh.states).toEqual(["ejected", "ready", "ready"]);
    mesh.first = answers(200);
    await mesh.call(1);
    expect(mesh.states).toEqual(["ready", "ready", "ready"]);
  });
});

describe("what a document says of circuit breaking", () => {
  test("is how many failures take an instance out, and for how long", async () => {
    const mesh = await Mesh.start(answers(503), {
      traffic: { circuitBreaking: { failures: 2, penaltyMs: 10_000 } },
    });
    await mesh.call(20);
    expect(mesh.sent).toBe(2);
    await mesh.net.pass(9_000);
    await mesh.call(5);
    expect(mesh.sent).toBe(2);
    await mesh.net.pass(6_000);
    await mesh.call(5);
    expect(mesh.sent).toBe(3);
  });

  test("may be that nobody is ever out", async () => {
    const mesh = await Mesh.start(answers(503), { traffic: { circuitBreaking: { ejectedPercent: 0 } } });
    await mesh.call(30);
    expect(mesh.sent).toBe(10);
    expect(mesh.tripped).toEqual([]);
  });

  test("holds from the snapshot on that brings it: who was out by another is asked again", async () => {
    const mesh = await Mesh.start(answers(503));
    await mesh.call(20);
    mesh.apply({ traffic: { circuitBreaking: { failures: 2 } } });
    expect(mesh.states).toEqual(["ready", "ready", "ready"]);
    await mesh.call(20);
    expect(mesh.sent).toBe(limits.breakerStreakMax + 2);
  });
});

describe("where there is no other", () => {
  test("an instance that fails is never out", async () => {
    const mesh = await Mesh.start(answers(503), {}, 1);
    expect(failures(await mesh.call(20))).toBe(20);
    expect(mesh.sent).toBe(20);
    expect(mesh.tripped).toEqual([]);
  });
});
