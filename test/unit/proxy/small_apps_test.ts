/** Apps that take few requests at a time on each connection (SETTINGS_MAX_CONCURRENT_STREAMS): none is ever sent more. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, type TestMachine } from "../../support/planes.ts";
import { SmallApp } from "../../support/small_app.ts";

const answerMs = 10;

interface Scene {
  readonly net: MemoryNet;
  readonly app: SmallApp;
  readonly caller: TestMachine;
}

async function sceneOf(streamsMax: number, where: "another machine" | "the same machine"): Promise<Scene> {
  const net = new MemoryNet();
  const app = new SmallApp(net, { streamsMax, answerMs });
  const caller = { caller: { app: 9, upstreams: ["web"] } };
  const web = { web: { app: app.port } };
  const planes =
    where === "the same machine"
      ? await Planes.inMemory(net, { name: "a", services: { ...caller, ...web } })
      : await Planes.inMemory(net, { name: "a", services: caller }, { name: "b", services: web });
  planes.apply({ caller: {}, web: { protocol: "http2" } });
  return { net, app, caller: planes.machine("a") };
}

function callAll({ net, caller }: Scene, count: number): MemoryCall[] {
  const port = caller.port("caller", "web");
  // What must not be sent twice: nothing hides behind a repeat.
  const request = "POST / HTTP/1.1\r\nhost: web.mesh\r\ncontent-length: 0\r\n\r\n";
  return Array.from({ length: count }, () => new MemoryCall(net, port, [request]));
}

const statusesOf = (calls: readonly MemoryCall[]): number[] => [
  ...new Set(calls.map(({ answer }) => answer.status)),
];

for (const where of ["another machine", "the same machine"] as const)
  describe(`an app on ${where}`, () => {
    for (const streamsMax of [1, 2, 7, 40])
      test(`that takes ${streamsMax} at a time on a connection is never sent more, and all calls are answered`, async () => {
        const scene = await sceneOf(streamsMax, where);
        const calls = callAll(scene, 150);
        await scene.net.pass(2_000);
        expect(statusesOf(calls)).toEqual([200]);
        expect([scene.app.served, scene.app.refused]).toEqual([150, 0]);
        expect(scene.app.connections).toBeLessThanOrEqual(limits.sharedConnectionsMax);
      });

    test("that takes many is sent all on one connection, once it has said so", async () => {
      const scene = await sceneOf(2_000, where);
      const calls = callAll(scene, 150);
      await scene.net.pass(100);
      expect(statusesOf(calls)).toEqual([200]);
      expect(scene.app.connections).toBe(1);
    });

    test("that was called one request after the other needs one connection, however few it takes", async () => {
      const scene = await sceneOf(1, where);
      for (let count = 0; count < 20; count++) {
        const calls = callAll(scene, 1);
        await scene.net.pass(2 * answerMs);
        expect(statusesOf(calls)).toEqual([200]);
      }
      expect(scene.app.connections).toBe(1);
    });

    test("is sent as many on a new connection as it said on the last one, before it says it again", async () => {
      const scene = await sceneOf(2, where);
      callAll(scene, 10);
      await scene.net.pass(1_000);
      scene.app.restart(2);
      await scene.net.settle();
      const calls = callAll(scene, 150);
      await scene.net.pass(2_000);
      expect(statusesOf(calls)).toEqual([200]);
      expect(scene.app.refused).toBe(0);
    });

    test("that took none is called again once another one that takes some has its place", async () => {
      const scene = await sceneOf(0, where);
      callAll(scene, 1);
      await scene.net.pass(answerMs);
      scene.app.restart(5);
      await scene.net.pass(limits.pendingMs);
      const calls = callAll(scene, 20);
      await scene.net.pass(1_000);
      expect(statusesOf(calls)).toEqual([200]);
    });
  });
