/** How instances are chosen, as `balance` of Traffic says, in whole planes in memory. */
import { describe, expect, test } from "bun:test";
import type { Balancing } from "../../../src/model/traffic.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, type DestinationPlan } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

async function meshOf(balance: Balancing, count = 4, web: DestinationPlan = {}) {
  const net = new MemoryNet();
  const apps = Array.from(
    { length: count },
    () =>
      new MemoryApp(net, {
        at: (step, socket) => {
          if (step === "whole") socket.write(bytesOf("HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\nok"));
        },
      }),
  );
  const planes = await Planes.inMemory(
    net,
    { name: "a", services: { caller: { app: 9, upstreams: ["web"] } } },
    ...apps.map(({ port }, at) => ({ name: `web-${at}`, services: { web: { app: port } } })),
  );
  const apply = (changes: DestinationPlan = {}): void =>
    planes.apply({ caller: {}, web: { balance: "ewma", traffic: { balance }, ...web, ...changes } });
  apply();
  const counts = apps.map(() => 0);
  return {
    net,
    planes,
    apps,
    apply,
    /** How many of these requests each instance got. */
    call: async (...requests: readonly (readonly [target: string, ...lines: string[]])[]) => {
      for (const [target, ...lines] of requests) {
        const head = [`GET ${target} HTTP/1.1`, "host: web.mesh", ...lines, "", ""].join("\r\n");
        const call = new MemoryCall(net, planes.machine("a").port("caller", "web"), [head]);
        await net.settle();
        expect(call.answer.status).toBe(200);
      }
      return apps.map(({ requests: all }, at) => {
        const since = all.length - (counts[at] as number);
        counts[at] = all.length;
        return since;
      });
    },
  };
}

const times = (count: number, of: (at: number) => readonly [string, ...string[]]) =>
  Array.from({ length: count }, (_, at) => of(at));
const instancesOf = (shares: readonly number[]): number => shares.filter((each) => each > 0).length;

describe("balance of Traffic", () => {
  for (const strategy of ["maglev", "ring-hash"] as const) {
    test(`sends requests of one user to one instance, of many users to all (${strategy})`, async () => {
      const mesh = await meshOf({ strategy, key: { header: "x-user" } });
      const one = await mesh.call(...times(12, () => ["/", "x-user: ann"]));
      expect(instancesOf(one)).toBe(1);
      expect(instancesOf(await mesh.call(...times(40, (at) => ["/", `x-user: ${at}`])))).toBe(4);
      expect(await mesh.call(...times(12, () => ["/", "x-user: ann"]))).toEqual(one);
    });

    test(`takes a user's requests elsewhere while its instance is not there, and back (${strategy})`, async () => {
      const mesh = await meshOf({ strategy, key: { query: "user" } });
      const home = await mesh.call(...times(6, () => ["/x?user=ann"]));
      const at = home.indexOf(6);
      mesh.apply({ unready: [`web-${at}`] });
      await mesh.net.pass(1_000);
      const away = await mesh.call(...times(6, () => ["/x?user=ann"]));
      expect([away[at], instancesOf(away)]).toEqual([0, 1]);
      mesh.apply();
      await mesh.net.pass(1_000);
      expect(await mesh.call(...times(6, () => ["/x?user=ann"]))).toEqual(home);
    });
  }

  test("sends all requests of a calling service to one instance where the key is the caller", async () => {
    const mesh = await meshOf({ strategy: "maglev", key: { caller: true } });
    expect(instancesOf(await mesh.call(...times(12, (at) => [`/${at}`])))).toBe(1);
  });

  test("has its turns with round-robin, whatever the Service says for older proxies", async () => {
    const mesh = await meshOf({ strategy: "round-robin" });
    expect(await mesh.call(...times(12, () => ["/"]))).toEqual([3, 3, 3, 3]);
  });

  test("is as the Service says where Traffic says nothing", async () => {
    const mesh = await meshOf({}, 4, { balance: "round-robin", traffic: {} });
    expect(await mesh.call(...times(12, () => ["/"]))).toEqual([3, 3, 3, 3]);
  });

  for (const strategy of ["random", "least-request", "peak-ewma"] as const)
    test(`reaches every instance with ${strategy}`, async () => {
      const mesh = await meshOf({ strategy });
      expect(instancesOf(await mesh.call(...times(60, () => ["/"])))).toBe(4);
    });

  test("lets an instance that comes have its whole share at once with slowStart 0s", async () => {
    const mesh = await meshOf({ strategy: "round-robin", slowStartMs: 0 }, 4, { unready: ["web-3"] });
    await mesh.call(["/"]);
    mesh.apply({ unready: [] });
    expect(await mesh.call(...times(12, () => ["/"]))).toEqual([3, 3, 3, 3]);
  });
});
