/** A machine of one, two and four event loops that share their numbers: what a document bounds, it bounds for all of them together. */
import { describe, expect, test } from "bun:test";
import type { TrafficTraits } from "../../../src/model/traffic.ts";
import { regionBytes, SharedRegion } from "../../../src/shards/shared_region.ts";
import { MemoryApp, MemoryCall, type MemoryAppOptions } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, type MachinePlan } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const request = "GET /x HTTP/1.1\r\nhost: web.mesh\r\n\r\n";
const says =
  (status: string): MemoryAppOptions["at"] =>
  (step, socket) => {
    if (step === "whole") socket.write(bytesOf(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`));
  };

class Scene {
  readonly net = new MemoryNet();
  readonly regions: readonly SharedRegion[];
  planes!: Planes;
  #sent = 0;

  constructor(readonly loops: number) {
    const size = { entries: 256, numbers: 16_384 };
    const memory = new ArrayBuffer(regionBytes(size));
    this.regions = Array.from({ length: loops }, (_, own) => new SharedRegion(memory, size, { loops, own }));
  }

  /** One plane for each event loop of that machine; they serve or call the same service. */
  loopsOf(name: string, services: MachinePlan["services"]): MachinePlan[] {
    return this.regions.map((numbers, at) => ({ name: `${name}-${at}`, services, numbers }));
  }

  async start(plans: readonly MachinePlan[], traffic: TrafficTraits): Promise<void> {
    this.planes = await Planes.inMemory(this.net, ...plans);
    this.planes.apply({ caller: {}, web: { traffic } });
  }

  /** Each from a connection of its own, one loop after the other. */
  async send(count: number): Promise<MemoryCall[]> {
    const calls: MemoryCall[] = [];
    for (let at = 0; at < count; at++) {
      const loop = this.planes.machine(`a-${this.#sent++ % this.loops}`);
      calls.push(new MemoryCall(this.net, loop.port("caller"), [request]));
      await this.net.settle();
    }
    return calls;
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

  test("a place that one loop gives back is taken by who waits in another, and never are there more than the bound", async () => {
    const scene = new Scene(loops);
    const waiting: { write(bytes: Uint8Array): number }[] = [];
    const app = new MemoryApp(scene.net, {
      at: (step, socket) => {
        if (step === "whole") waiting.push(socket);
      },
    });
    const callee = { name: "b", services: { web: { app: app.port } } };
    const traffic = { limits: { requests: 8, pending: 100, pendingWaitMs: 60_000 } };
    await scene.start([...scene.loopsOf("a", { caller: { app: 9 } }), callee], traffic);
    const calls = await scene.send(24);
    const first = app.requests.length;
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThanOrEqual(8);
    for (let served = 0; served < 24; served++) {
      waiting.shift()?.write(bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
      await scene.net.pass(20);
      expect(waiting.length).toBeLessThanOrEqual(8);
    }
    expect(calls.map(({ answer }) => answer.status)).toEqual(calls.map(() => 200));
  });
});
