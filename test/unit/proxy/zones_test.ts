/** Zones and weights in whole planes in memory: what Machine documents say decides where calls go. */
import { describe, expect, test } from "bun:test";
import type { Socket } from "../../../runtime/contract.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, type DestinationPlan } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const answerOk = (socket: Socket): void =>
  void socket.write(bytesOf("HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\nok"));

interface Place {
  readonly zone?: string;
  readonly region?: string;
}

/** A caller somewhere, and an instance of `web` in each of the places. */
async function meshOf(caller: Place, places: readonly Place[], web: DestinationPlan = {}) {
  const net = new MemoryNet();
  const apps = places.map(
    () =>
      new MemoryApp(net, {
        at: (step, socket) => {
          if (step === "whole") answerOk(socket);
        },
      }),
  );
  const planes = await Planes.inMemory(
    net,
    { name: "a", ...caller, services: { caller: { app: 9, upstreams: ["web"] } } },
    ...places.map((place, at) => ({
      name: `web-${at}`,
      ...place,
      services: { web: { app: (apps[at] as MemoryApp).port } },
    })),
  );
  planes.apply({ caller: {}, web });
  const { port, records } = planes.machine("a");
  const counted = apps.map(() => 0);
  return {
    net,
    apps,
    records,
    /** How many of so many requests each instance got. */
    call: async (count: number): Promise<number[]> => {
      for (let at = 0; at < count; at++) {
        const call = new MemoryCall(net, port("caller", "web"), [
          "GET /x HTTP/1.1\r\nhost: web.mesh\r\n\r\n",
        ]);
        await net.settle();
        expect(call.answer.status).toBe(200);
      }
      return apps.map(({ requests }, at) => {
        const since = requests.length - (counted[at] as number);
        counted[at] = requests.length;
        return since;
      });
    },
  };
}

const places = [
  { zone: "eu-1a", region: "eu-1" },
  { zone: "eu-1a", region: "eu-1" },
  { zone: "eu-1b", region: "eu-1" },
  { zone: "us-1a", region: "us-1" },
];

describe("a caller in a zone", () => {
  test("calls instances of its own zone, which the metric of zones shows", async () => {
    const mesh = await meshOf({ zone: "eu-1a", region: "eu-1" }, places);
    expect(await mesh.call(20)).toEqual([10, 10, 0, 0]);
    expect(new Set(mesh.records.zones)).toEqual(new Set(["eu-1a"]));
  });

  test("goes to another zone of its region when too few of its own are left", async () => {
    const mesh = await meshOf({ zone: "eu-1a", region: "eu-1" }, places, {
      traffic: { circuitBreaking: { ejectedPercent: 100 } },
    });
    mesh.apps[0]?.kill();
    // One of two left is too few to carry the zone.
    await mesh.call(20);
    expect(await mesh.call(20)).toEqual([0, 0, 20, 0]);
    expect(mesh.records.zones.slice(-20)).toEqual(Array<string>(20).fill("eu-1b"));
  });

  test("calls everybody alike where machines say nothing of where they stand", async () => {
    const mesh = await meshOf({ zone: "eu-1a", region: "eu-1" }, [{}, {}]);
    expect(await mesh.call(20)).toEqual([10, 10]);
    expect(mesh.records.zones).toEqual([]);
  });
});

describe("what the documents of a service say of zones", () => {
  const home = { zone: "eu-1a", region: "eu-1" };

  test("is the order in which others stand in for the caller's own", async () => {
    const traffic = { zones: { failover: ["us-1a", "eu-1b"] } };
    const away = places.slice(2);
    expect(await (await meshOf(home, away, { traffic })).call(10)).toEqual([0, 10]);
    expect(await (await meshOf(home, places, { traffic })).call(10)).toEqual([5, 5, 0, 0]);
  });

  test("is that they do not matter", async () => {
    const mesh = await meshOf(home, places, { traffic: { zones: { prefer: "none" } } });
    expect(await mesh.call(20)).toEqual([5, 5, 5, 5]);
  });
});

describe("a caller that is nowhere", () => {
  test("calls instances of all zones alike", async () => {
    const mesh = await meshOf({}, places);
    expect(await mesh.call(20)).toEqual([5, 5, 5, 5]);
  });
});

describe("weights of instances", () => {
  test("are their shares", async () => {
    const mesh = await meshOf({}, [{}, {}], { weights: { "web-0": 3 } });
    const [first = 0] = await mesh.call(40);
    expect(Math.abs(first - 30)).toBeLessThan(3);
  });
});
