/** Several instances of one service on one machine, in whole planes in memory: each is called, judged and taken out by itself. */
import { describe, expect, test } from "bun:test";
import { endpointState } from "../../../src/app/endpoint_states.ts";
import { limits } from "../../../src/model/limits.ts";
import type { Transport } from "../../../src/model/service.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, type DestinationPlan } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

interface Workers {
  readonly net: MemoryNet;
  readonly planes: Planes;
  readonly apps: readonly MemoryApp[];
  /** Statuses that so many requests got. */
  call(count: number): Promise<number[]>;
  /** How many requests each app got since it was asked last. */
  asked(): number[];
  states(): string[];
}

/** `caller` of machine a calls `web`, of which machine b, or a itself, runs three instances. `first`: status of the first one's answers. */
async function workersOf(web: DestinationPlan, here = false, first = { status: 200 }): Promise<Workers> {
  const net = new MemoryNet();
  const apps = [first, { status: 200 }, { status: 200 }].map(
    (app) =>
      new MemoryApp(net, {
        at: (step, socket) => {
          if (step === "whole")
            socket.write(bytesOf(`HTTP/1.1 ${app.status} X\r\ncontent-length: 2\r\n\r\nok`));
        },
      }),
  );
  const [one, ...more] = apps.map(({ port }) => port) as [number, ...number[]];
  const workers = { web: { app: one, more } };
  const caller = { caller: { app: 9, upstreams: ["web"] } };
  const planes = await Planes.inMemory(
    net,
    { name: "a", services: here ? { ...caller, ...workers } : caller },
    ...(here ? [] : [{ name: "b", services: workers }]),
  );
  planes.apply({ caller: {}, web });
  const port = planes.machine("a").port("caller", "web");
  const counted = apps.map(() => 0);
  return {
    net,
    planes,
    apps,
    call: async (count) => {
      const calls: MemoryCall[] = [];
      for (let at = 0; at < count; at++) {
        calls.push(new MemoryCall(net, port, ["GET /x HTTP/1.1\r\nhost: web.mesh\r\n\r\n"]));
        await net.settle();
      }
      return calls.map((call) => call.answer.status);
    },
    asked: () =>
      apps.map(({ requests }, at) => {
        const since = requests.length - (counted[at] as number);
        counted[at] = requests.length;
        return since;
      }),
    states: () => {
      const endpoints = planes.machine("a").plane.state?.destinations.get("web.default")?.endpoints;
      return [...(endpoints?.values() ?? [])].map(endpointState);
    },
  };
}

describe("three instances of a service on one machine", () => {
  for (const transport of ["shared", "http/1.1"] satisfies Transport[])
    test(`are endpoints of their own to callers on another machine, transport ${transport}`, async () => {
      const workers = await workersOf({ transport });
      expect(await workers.call(30)).toEqual(Array<number>(30).fill(200));
      expect(workers.asked()).toEqual([10, 10, 10]);
      const inbound = workers.planes.machine("b").records.of("inbound");
      const outbound = workers.planes.machine("a").records.of("outbound");
      expect(inbound.map(({ endpoint }) => endpoint)).toEqual(outbound.map(({ endpoint }) => endpoint));
    });

  test("are endpoints of their own to callers on the same machine", async () => {
    const workers = await workersOf({}, true);
    expect(await workers.call(30)).toEqual(Array<number>(30).fill(200));
    expect(workers.asked()).toEqual([10, 10, 10]);
  });

  for (const transport of ["shared", "own"] satisfies Transport[])
    test(`are reached one by one by opaque connections, transport ${transport}`, async () => {
      const workers = await workersOf({ protocol: "tcp", transport });
      expect(await workers.call(9)).toEqual(Array<number>(9).fill(200));
      expect(workers.asked()).toEqual([3, 3, 3]);
    });

  test("lose the one that answers 503, and the others serve", async () => {
    const workers = await workersOf({}, false, { status: 503 });
    const statuses = await workers.call(40);
    expect(statuses.filter((status) => status !== 200).length).toBe(limits.breakerStreakMax);
    expect(workers.states()).toEqual(["ejected", "ready", "ready"]);
    expect(workers.asked()[0]).toBe(limits.breakerStreakMax);
  });

  test("lose the one that is dead without a failed request", async () => {
    const workers = await workersOf({});
    workers.apps[1]?.kill();
    expect(await workers.call(40)).toEqual(Array<number>(40).fill(200));
    expect(workers.states()).toEqual(["ready", "ejected", "ready"]);
  });

  test("are all called by a proxy that knows no names of instances", async () => {
    const workers = await workersOf({});
    const { planes } = workers;
    const machine = planes.machine("a");
    const snapshot = planes.snapshot(machine, { caller: {}, web: {} });
    machine.plane.apply({
      ...snapshot,
      destinations: snapshot.destinations.map((each) => ({
        ...each,
        endpoints: each.endpoints.slice(0, 1).map(({ apart: _, ...endpoint }) => endpoint),
      })),
    });
    expect(await workers.call(60)).toEqual(Array<number>(60).fill(200));
    expect(Math.min(...workers.asked())).toBeGreaterThan(0);
  });

  test("are refused to whoever names one that the machine does not run", async () => {
    const workers = await workersOf({});
    const { planes } = workers;
    const machine = planes.machine("a");
    const snapshot = planes.snapshot(machine, { caller: {}, web: {} });
    machine.plane.apply({
      ...snapshot,
      destinations: snapshot.destinations.map((each) => ({
        ...each,
        endpoints: each.endpoints.slice(0, 1).map((endpoint) => ({ ...endpoint, id: "b/web.default/1" })),
      })),
    });
    await workers.call(1);
    expect(workers.asked()).toEqual([0, 0, 0]);
    expect(planes.machine("b").logs).toContain('inbound: refused a client that wants "1.web.default.mesh"');
  });
});
