/** A machine of one, two and four event loops that share their numbers: what a document bounds, it bounds for all of them together. */
import { describe, expect, test } from "bun:test";
import type { Socket } from "../../../runtime/contract.ts";
import type { TrafficTraits } from "../../../src/model/traffic.ts";
import type { SharedRegion } from "../../../src/shards/shared_region.ts";
import { loopsOn } from "../../support/loops.ts";
import { MemoryApp, MemoryCall, type MemoryAppOptions } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, type MachinePlan } from "../../support/planes.ts";
import { SmallApp } from "../../support/small_app.ts";
import { bytesOf } from "../../support/wire.ts";

const request = "GET /x HTTP/1.1\r\nhost: web.mesh\r\n\r\n";
const says =
  (status: string): MemoryAppOptions["at"] =>
  (step, socket) => {
    if (step === "whole") socket.write(bytesOf(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`));
  };

const ok = bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");

class Scene {
  readonly net = new MemoryNet();
  readonly regions: readonly SharedRegion[];
  planes!: Planes;
  #sent = 0;

  constructor(readonly loops: number) {
    this.regions = loopsOn(loops);
  }

  /** One plane for each event loop of that machine; they serve or call the same service. */
  loopsOf(name: string, services: MachinePlan["services"]): MachinePlan[] {
    return this.regions.map((numbers, at) => ({ name: `${name}-${at}`, services, numbers }));
  }

  async start(
    plans: readonly MachinePlan[],
    traffic: TrafficTraits,
    protocol: "http" | "http2" = "http",
  ): Promise<void> {
    this.planes = await Planes.inMemory(this.net, ...plans);
    this.planes.apply({ caller: {}, web: { traffic, protocol } });
  }

  /** Each from a connection of its own, one loop after the other. */
  async send(count: number): Promise<MemoryCall[]> {
    const calls: MemoryCall[] = [];
    for (let at = 0; at < count; at++) {
      calls.push(this.#sendOne());
      await this.net.settle();
    }
    return calls;
  }

  sendAtOnce(count: number): MemoryCall[] {
    return Array.from({ length: count }, () => this.#sendOne());
  }

  #sendOne(): MemoryCall {
    const loop = this.planes.machine(`a-${this.#sent++ % this.loops}`);
    return new MemoryCall(this.net, loop.port("caller"), [request]);
  }
}

describe.each([1, 2, 4])("with %i event loops", (loops) => {
  test("an instance that fails is sent five requests, and no loop sends it more", async () => {
    const scene = new Scene(loops);
    const bad = new MemoryApp(scene.net, { at: says("503 Service Unavailable") });
    const good = new MemoryApp(scene.net, { at: says("200 OK") });
    const callers = scene.loopsOf("a", { caller: { app: 9 } });
    await scene.start(
      [
        ...callers,
        { name: "b", services: { web: { app: bad.port } } },
        { name: "c", services: { web: { app: good.port } } },
      ],
      {},
    );
    await scene.send(60);
    expect(bad.requests.length).toBe(5);
    const states = callers.map(({ name }) => {
      const web = scene.planes.machine(name).plane.state?.destinations.get("web.default");
      return [...(web?.endpoints.values() ?? [])].map(({ health }) => health.ejected);
    });
    expect(states).toEqual(callers.map(() => [true, false]));
    const ejections = callers.flatMap(({ name }) => scene.planes.machine(name).records.ejections);
    expect(ejections).toEqual(["web.default streak"]);
  });

  test("a rate of 8 a second lets 8 in, whichever loops they come by", async () => {
    const scene = new Scene(loops);
    const app = new MemoryApp(scene.net, { at: says("200 OK") });
    const callers = Array.from({ length: loops }, (_, at) => ({
      name: `a-${at}`,
      services: { caller: { app: 9 } },
    }));
    const rateLimit = { total: { perSecond: 8, burst: null }, identity: { perSecond: 6, burst: null } };
    await scene.start([...callers, ...scene.loopsOf("b", { web: { app: app.port } })], { rateLimit });
    const calls = await scene.send(20);
    expect(calls.map(({ answer }) => answer.status).filter((status) => status === 200).length).toBe(6);
    expect(app.requests.length).toBe(6);
  });

  test("a budget of retries grants as many as one loop would", async () => {
    const scene = new Scene(loops);
    const app = new MemoryApp(scene.net, { at: says("503 Service Unavailable") });
    const traffic: TrafficTraits = {
      retries: { attempts: 2, on: ["gateway-error"] },
      retryBudget: { percent: 0, min: 1, intervalMs: 10_000 },
      circuitBreaking: { failures: 0, successPercent: 0 },
    };
    const callees = ["b", "c"].map((name) => ({ name, services: { web: { app: app.port } } }));
    await scene.start([...scene.loopsOf("a", { caller: { app: 9 } }), ...callees], traffic);
    await scene.send(8);
    await scene.net.pass(300);
    // Ten for the window, but one a second, and all eight come within one.
    expect(app.requests.length).toBe(8 + 1);
  });

  test.each(["requests", "requestsPerEndpoint"])(
    "a place (%s) that one loop gives back is taken by who waits in another, and never are there more than the bound",
    async (bound) => {
      const scene = new Scene(loops);
      const waiting: Socket[] = [];
      const app = new MemoryApp(scene.net, {
        at: (step, socket) => {
          if (step === "whole") waiting.push(socket);
        },
      });
      const callee = { name: "b", services: { web: { app: app.port } } };
      const traffic = { limits: { [bound]: 8, pending: 100, pendingWaitMs: 60_000 } };
      await scene.start([...scene.loopsOf("a", { caller: { app: 9 } }), callee], traffic);
      const calls = await scene.send(24);
      const first = app.requests.length;
      expect(first).toBeGreaterThan(0);
      expect(first).toBeLessThanOrEqual(8);
      for (let served = 0; served < 24; served++) {
        waiting.shift()?.write(ok);
        await scene.net.pass(20);
        expect(waiting.length).toBeLessThanOrEqual(8);
      }
      expect(calls.map(({ answer }) => answer.status)).toEqual(calls.map(() => 200));
    },
  );

  test.each(["connections", "connectionsPerEndpoint"])(
    "connections (%s) to an app are never more than the bound, idle ones go to loops that want them, and everybody is served",
    async (bound) => {
      for (const most of [1, 3]) {
        const scene = new Scene(loops);
        const waiting: Socket[] = [];
        const app = new MemoryApp(scene.net, {
          at: (step, socket) => {
            if (step === "whole") waiting.push(socket);
          },
        });
        const traffic = { limits: { [bound]: most, pending: 100, pendingWaitMs: 60_000 } };
        const callees = scene.loopsOf("b", { web: { app: app.port } });
        await scene.start([...scene.loopsOf("a", { caller: { app: 9 } }), ...callees], traffic);
        const calls = await scene.send(24);
        const isOver = (): boolean => calls.every(({ answer }) => answer.status !== 0);
        for (let turns = 0; turns < 200 && !isOver(); turns++) {
          expect(app.open).toBeLessThanOrEqual(most);
          waiting.shift()?.write(ok);
          await scene.net.pass(20);
        }
        expect(calls.map(({ answer }) => answer.status)).toEqual(calls.map(() => 200));
        // What is kept open for nobody is another loop's once that wants it.
        const late = await scene.send(loops);
        for (let turns = 0; turns < 100; turns++) {
          waiting.shift()?.write(ok);
          await scene.net.pass(20);
        }
        expect(late.map(({ answer }) => answer.status)).toEqual(late.map(() => 200));
      }
    },
  );

  test("what an app said in one loop that it takes on a connection holds in all: none waits because another carries much", async () => {
    const scene = new Scene(loops);
    const answerMs = 10_000;
    const app = new SmallApp(scene.net, { streamsMax: 1_000, answerMs });
    const callees = scene.loopsOf("b", { web: { app: app.port } });
    await scene.start([...scene.loopsOf("a", { caller: { app: 9 } }), ...callees], {}, "http2");
    const calls = scene.sendAtOnce(200);
    await scene.net.pass(answerMs + 1_000);
    expect(calls.filter(({ answer }) => answer.status !== 200).map(({ answer }) => answer.status)).toEqual(
      [],
    );
    expect(app.connections).toBeLessThanOrEqual(loops);
  });

  test("one connection that many share and that is never idle is each loop's in turn", async () => {
    const scene = new Scene(loops);
    const app = new SmallApp(scene.net, { streamsMax: 1_000, answerMs: 50 });
    const callees = scene.loopsOf("b", { web: { app: app.port } });
    const traffic = { limits: { connectionsPerEndpoint: 1 } };
    await scene.start([...scene.loopsOf("a", { caller: { app: 9 } }), ...callees], traffic, "http2");
    const calls: MemoryCall[] = [];
    // As many to each loop, and always some under way.
    for (let passedMs = 0; passedMs < 5_000; passedMs += 20) {
      calls.push(...scene.sendAtOnce(2 * loops));
      await scene.net.pass(20);
      // One that gives way to another loop's may still have some under way.
      expect(app.open.size).toBeLessThanOrEqual(loops === 1 ? 1 : loops + 1);
    }
    await scene.net.pass(4_000);
    expect(calls.filter(({ answer }) => answer.status !== 200).map(({ answer }) => answer.status)).toEqual(
      [],
    );
  });

  test("one connection for all instances goes to whichever is wanted, as soon as nothing uses it", async () => {
    const scene = new Scene(loops);
    const apps = [0, 1].map(() => new MemoryApp(scene.net, { at: says("200 OK") }));
    const callees = apps.map(({ port }, at) => ({ name: `b-${at}`, services: { web: { app: port } } }));
    const traffic = { limits: { connections: 1, pending: 100, pendingWaitMs: 10_000 } };
    await scene.start([...scene.loopsOf("a", { caller: { app: 9 } }), ...callees], traffic);
    const calls = await scene.send(24);
    await scene.net.pass(8_000);
    expect(calls.map(({ answer }) => answer.status)).toEqual(calls.map(() => 200));
    expect(apps.map(({ requests }) => requests.length > 0)).toEqual([true, true]);
  });
});
