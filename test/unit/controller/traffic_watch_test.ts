/** What the controller believes of what machines tell of their traffic. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { TrafficHistory } from "../../../src/controller/dashboard/traffic_history.ts";
import { TrafficWatch } from "../../../src/controller/dashboard/traffic_watch.ts";
import type { AskSink } from "../../../src/controller/asks.ts";
import { limits } from "../../../src/model/limits.ts";
import type { Node } from "../../../src/model/service.ts";
import { families } from "../../../src/telemetry/families.ts";
import { ManualClock } from "../../support/clock.ts";

const { bounds } = families.requestDurationSeconds;
const web = { name: "web", namespace: "default" };
const node: Node = { name: "vm-1", services: [web], publicKey: "", joinedMs: 0, removed: false };

class Scene {
  readonly clock = new ManualClock();
  readonly history = new TrafficHistory(this.clock);
  readonly asked: { machine: string; sink: AskSink; stopped: boolean }[] = [];
  readonly watch = new TrafficWatch(
    {
      follow: (_question, machine, sink) => {
        const ask = { machine, sink, stopped: false };
        this.asked.push(ask);
        return () => void (ask.stopped = true);
      },
    },
    { nodes: new Map([["vm-1", node]]) },
    this.history,
  );

  tell(line: unknown): void {
    this.asked.at(-1)?.sink.send({ kind: "line", machine: "vm-1", line });
  }
}

const edge = {
  ...{
    direction: "outbound",
    from: "web.default",
    to: "orders.default",
    requests: 100,
    failed: 0,
    secure: 100,
  },
  ...{ bytes: 0, tcpOpen: 0, durations: [...bounds, 0].map(() => 0) },
};
const reading = {
  coveredMs: 10_000,
  version: "1.2.3",
  residentBytes: 5,
  cpuSeconds: 1,
  bounds,
  edges: [edge],
  left: 0,
};

describe("a machine that is connected", () => {
  test("is asked for its traffic, and anew on each stream that it begins", () => {
    const scene = new Scene();
    scene.watch.connected("vm-1");
    scene.watch.connected("vm-1");
    expect(scene.asked.map(({ machine, stopped }) => [machine, stopped])).toEqual([
      ["vm-1", true],
      ["vm-1", false],
    ]);
    scene.watch.disconnected("vm-1");
    expect(scene.asked.map(({ stopped }) => stopped)).toEqual([true, true]);
    expect(scene.watch.figures("vm-1")).toBeNull();
  });

  test("is believed of its own services alone", async () => {
    const scene = new Scene();
    scene.watch.connected("vm-1");
    await scene.clock.advance(limits.trafficSampleMs);
    const others = [
      { ...edge, from: "bank.default" },
      { ...edge, direction: "inbound", to: "bank.default" },
    ];
    scene.tell({ ...reading, edges: [edge, ...others] });
    await scene.clock.advance(3 * limits.trafficSampleMs);
    expect(scene.history.edges().map(({ from, to }) => `${from}>${to}`)).toEqual([
      "web.default>orders.default",
    ]);
    expect(scene.watch.figures("vm-1")).toEqual({ version: "1.2.3", residentBytes: 5, processors: 0.1 });
  });

  test("that knows no such question, or tells what cannot be read, is named", () => {
    const scene = new Scene();
    scene.watch.connected("vm-1");
    expect(scene.watch.silent()).toEqual([]);
    scene.asked.at(-1)?.sink.send({ kind: "end", machine: "vm-1", problem: "this version does not know it" });
    expect(scene.watch.silent()).toEqual(["vm-1"]);
    scene.watch.connected("vm-1");
    scene.tell({ ...reading, edges: [{ ...edge, requests: -1 }] });
    expect(scene.watch.silent()).toEqual(["vm-1"]);
    scene.tell(reading);
    expect(scene.watch.silent()).toEqual([]);
  });

  test("may tell anything: nothing of it throws, and what is shown are numbers", async () => {
    const value = fc.oneof(fc.anything(), fc.double(), fc.constantFrom(1e308, -1, Infinity, "1", null));
    const fields = fc.record(Object.fromEntries(Object.keys(edge).map((name) => [name, value])));
    const told = fc.record({
      ...Object.fromEntries(
        Object.keys(reading).map((name) => [name, fc.oneof(value, fc.constant(reading[name as "edges"]))]),
      ),
      edges: fc.oneof(
        value,
        fc.array(
          fc.oneof(
            fields,
            fields.map((own) => ({ ...edge, ...own })),
            fc.constant(edge),
          ),
        ),
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(told, fc.anything()), { maxLength: 5 }), async (lines) => {
        const scene = new Scene();
        scene.watch.connected("vm-1");
        await scene.clock.advance(limits.trafficSampleMs);
        for (const line of lines) scene.tell(line);
        await scene.clock.advance(3 * limits.trafficSampleMs);
        for (const { rate, success } of scene.history.edges()) {
          expect(Number.isFinite(rate)).toBe(true);
          expect(success === null || Number.isFinite(success)).toBe(true);
        }
        JSON.stringify([...scene.history.services()]);
      }),
    );
  });
});
