/** What the controller keeps of what passes in the mesh: now, for an hour, and never more than its limits. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { AskSink } from "../../../src/controller/asks.ts";
import { TrafficHistory } from "../../../src/controller/dashboard/traffic_history.ts";
import { TrafficWatch } from "../../../src/controller/dashboard/traffic_watch.ts";
import { limits } from "../../../src/model/limits.ts";
import type { Node } from "../../../src/model/service.ts";
import type { TrafficEdge, TrafficReading } from "../../../src/model/traffic_reading.ts";
import { families } from "../../../src/telemetry/families.ts";
import { ManualClock } from "../../support/clock.ts";
import { processorClock } from "../../support/processor_time.ts";

const { bounds } = families.requestDurationSeconds;
const stepMs = limits.trafficSampleMs;

function edge(more: Partial<TrafficEdge> = {}): TrafficEdge {
  const { requests = 100 } = more;
  const durations = [...bounds, Infinity].map((bound) => (bound === 0.01 ? requests : 0));
  const counts = { requests, failed: 0, secure: requests, bytes: 1_000, tcpOpen: 0, durations };
  return { direction: "outbound", from: "web.default", to: "orders.default", ...counts, ...more };
}

function reading(edges: readonly TrafficEdge[], more: Partial<TrafficReading> = {}): TrafficReading {
  return {
    coveredMs: stepMs,
    version: "1",
    residentBytes: 1,
    cpuSeconds: 0,
    bounds,
    edges,
    left: 0,
    ...more,
  };
}

const anything = () => true;

class Scene {
  readonly clock = new ManualClock();
  readonly history = new TrafficHistory(this.clock);

  /** A reading each sample, at some moment within it. */
  async samples(count: number, edges: readonly TrafficEdge[], offsetMs = 3_000): Promise<void> {
    for (let at = 0; at < count; at++) {
      await this.clock.advance(offsetMs);
      this.history.take("vm-1", reading(edges), anything);
      await this.clock.advance(stepMs - offsetMs);
    }
  }
}

describe("the traffic of a mesh", () => {
  test("is a rate over the newest samples, with success, times and mutual TLS", async () => {
    const scene = new Scene();
    await scene.samples(8, [edge({ failed: 1, secure: 50 })]);
    const [row] = scene.history.edges();
    expect(row).toMatchObject({
      from: "web.default",
      to: "orders.default",
      rate: 10,
      success: 0.99,
      secure: 0.5,
    });
    expect(row?.p50).toBeCloseTo(0.0075, 5);
    expect(scene.history.service("orders.default").now.rate).toBeCloseTo(10, 5);
  });

  test("does not waver when readings come a little early and a little late", async () => {
    const scene = new Scene();
    // They would come when one sample ends and the next begins.
    for (const lateMs of [0, 40, -40, 30, -60, 60, 0, -20, 50, -50, 10]) {
      const dueMs = Math.ceil((scene.clock.now() + stepMs / 2) / stepMs) * stepMs;
      await scene.clock.advance(dueMs + lateMs - scene.clock.now());
      scene.history.take("vm-1", reading([edge()]), anything);
    }
    await scene.clock.advance(2 * stepMs);
    const rates = scene.history.service("orders.default").series?.read("rate").slice(-8, -2) ?? [];
    for (const rate of rates) expect(rate ?? 0).toBeWithin(9.8, 10.2);
  });

  test("is told by the callee's proxy only where the caller's does not tell", async () => {
    const scene = new Scene();
    const inbound = edge({ direction: "inbound" });
    await scene.samples(6, [
      edge(),
      inbound,
      edge({ direction: "inbound", from: "far.default", requests: 10 }),
    ]);
    const rows = scene.history.edges().map(({ from, seenBy, rate }) => [from, seenBy, rate]);
    expect(rows).toEqual([
      ["web.default", "outbound", 10],
      ["far.default", "inbound", 1],
    ]);
    expect(scene.history.service("orders.default").now.rate).toBeCloseTo(11, 5);
  });

  test("is silence after it ended, and forgotten an hour later", async () => {
    const scene = new Scene();
    await scene.samples(6, [edge()]);
    await scene.clock.advance(10 * stepMs);
    const { series, now } = scene.history.service("orders.default");
    expect(now.rate).toBe(0);
    expect(series?.read("rate").slice(-3)).toEqual([0, 0, 0]);
    expect(series?.read("success").slice(-3)).toEqual([null, null, null]);
    expect(scene.history.edges().length).toBe(1);
    await scene.clock.advance((limits.trafficSamplesMax + 5) * stepMs);
    expect(scene.history.edges()).toEqual([]);
    expect(scene.history.service("orders.default").series).toBeNull();
  });

  test("of what was before somebody looked is not known, and not nothing", async () => {
    const scene = new Scene();
    await scene.samples(6, [edge()]);
    const rates = scene.history.service("orders.default").series?.read("rate") ?? [];
    expect(rates.length).toBe(limits.trafficSamplesMax);
    expect(rates.slice(0, -8).every((rate) => rate === null)).toBe(true);
  });

  test("counts open connections as a mean, whichever machine tells of how many", async () => {
    const scene = new Scene();
    await scene.samples(6, [edge({ requests: 0, tcpOpen: 4, durations: [] })]);
    expect(scene.history.service("orders.default").now).toMatchObject({ rate: 0, success: null, tcpOpen: 4 });
  });

  test("of another version with other buckets has no times, and all the rest", async () => {
    const scene = new Scene();
    await scene.clock.advance(stepMs);
    scene.history.take("vm-1", reading([edge()], { bounds: [1, 2] }), anything);
    await scene.clock.advance(3 * stepMs);
    expect(scene.history.edges()[0]).toMatchObject({ p50: null, p99: null });
  });
});

describe("what is kept", () => {
  test("is bounded, whatever machines tell, and what is left out is counted", async () => {
    const scene = new Scene();
    await scene.clock.advance(stepMs);
    const each = limits.trafficReadingEdgesMax;
    for (let machine = 0; machine < limits.trafficEdgesMax / each + 2; machine++) {
      const edges = Array.from({ length: each }, (_, at) => edge({ to: `s${machine}-${at}.default` }));
      scene.history.take(`vm-${machine}`, reading(edges, { left: machine === 0 ? 7 : 0 }), anything);
    }
    await scene.clock.advance(3 * stepMs);
    expect(scene.history.edges().length).toBe(limits.trafficEdgesMax);
    const withSeries = [...scene.history.services().values()].filter(({ series }) => series !== null);
    expect(withSeries.length).toBe(limits.trafficServicesMax);
    expect(scene.history.left).toBe(7 + 2 * each);
  });

  test("is of those edges alone that the machine may tell of", async () => {
    const scene = new Scene();
    await scene.clock.advance(stepMs);
    scene.history.take("vm-1", reading([edge()]), ({ from }) => from === "other.default");
    expect(scene.history.edges()).toEqual([]);
  });

  test("adds up to what was told, whenever readings come", async () => {
    const told = fc.array(
      fc.record({
        afterMs: fc.integer({ min: 1, max: 30_000 }),
        requests: fc.integer({ min: 0, max: 1_000 }),
      }),
      { minLength: 1, maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(told, async (readings) => {
        const scene = new Scene();
        await scene.clock.advance(5 * stepMs);
        for (const { afterMs, requests } of readings) {
          await scene.clock.advance(afterMs);
          scene.history.take("vm-1", reading([edge({ requests })], { coveredMs: afterMs }), anything);
        }
        await scene.clock.advance(3 * stepMs);
        const rates = scene.history.service("orders.default").series?.read("rate") ?? [];
        const sum = rates.reduce((all: number, rate) => all + (rate ?? 0), 0) * (stepMs / 1_000);
        const all = readings.reduce((total, { requests }) => total + requests, 0);
        expect(Math.abs(sum - all)).toBeLessThanOrEqual(0.001 * all + 0.01);
      }),
      { numRuns: 50 },
    );
  });
});

test("a mesh of 300 machines costs its controller next to nothing while nobody looks", async () => {
  const scene = new Scene();
  const machines = Array.from({ length: 300 }, (_, at) => `s${at}.default`);
  const sinks: ((line: unknown) => boolean)[] = [];
  const nodes = new Map(
    machines.map((_, at): [string, Node] => [
      `vm-${at}`,
      {
        name: `vm-${at}`,
        services: [{ name: `s${at}`, namespace: "default" }],
        publicKey: "",
        joinedMs: 0,
        removed: false,
      },
    ]),
  );
  const follow = (_question: unknown, _machine: string, { send }: AskSink): (() => void) => {
    sinks.push(send);
    return () => undefined;
  };
  const watch = new TrafficWatch({ follow }, { nodes }, scene.history);
  for (const name of nodes.keys()) watch.connected(name);
  const lines = machines.map((from, at) =>
    JSON.stringify(
      reading(Array.from({ length: 10 }, (_, to) => edge({ from, to: `s${(at + to + 1) % 300}.default` }))),
    ),
  );
  const sample = async (): Promise<void> => {
    for (const [at, text] of lines.entries()) {
      await scene.clock.advance(stepMs / lines.length);
      sinks[at]?.({ kind: "line", machine: `vm-${at}`, line: JSON.parse(text) as unknown });
    }
  };
  for (let count = 0; count < 5; count++) await sample();
  const spent = processorClock();
  for (let count = 0; count < 20; count++) await sample();
  // Of ten seconds each; far above what it takes.
  expect(spent() / 20).toBeLessThan(250);
  expect(scene.history.edges().length).toBe(3_000);
});
