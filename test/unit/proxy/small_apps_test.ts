/** Apps that take few requests at a time on each connection (SETTINGS_MAX_CONCURRENT_STREAMS): none is ever sent more. */
import { describe, expect, test } from "bun:test";
import type { Listener } from "../../../runtime/contract.ts";
import type { ServerExchange } from "../../../src/http/exchange.ts";
import { Http2Server } from "../../../src/http/h2_server.ts";
import { Shard } from "../../../src/http/shard.ts";
import { limits } from "../../../src/model/limits.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { profiles } from "../../../src/wire/h2/settings.ts";
import { MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, type TestMachine } from "../../support/planes.ts";

const answerMs = 10;

/** An app that answers each request after a while. */
class SmallApp {
  readonly port: number;
  connections = 0;
  served = 0;
  /** Requests that came beyond what was announced. */
  refused = 0;
  readonly #shard: Shard;
  readonly #listener: Listener;
  #streamsMax: number;
  readonly open = new Set<Http2Server>();

  constructor(
    readonly net: MemoryNet,
    streamsMax: number,
    port = 0,
  ) {
    this.#streamsMax = streamsMax;
    this.#shard = new Shard(net.clock);
    this.#listener = net.listen({ host: "127.0.0.1", port }, (socket) => {
      this.connections++;
      const server: Http2Server = new Http2Server(socket, {
        shard: this.#shard,
        profile: { ...profiles.local, streamsMax: this.#streamsMax },
        connection: { remoteAddress: "", remotePort: 0, localPort: 0, peer: null, serverName: "" },
        handler: (exchange) => this.#serve(exchange),
        onLimit: (limit) => void (limit === "streamsMax" && this.refused++),
        onClosed: () => void this.open.delete(server),
      });
      this.open.add(server);
      return server;
    });
    this.port = this.#listener.port;
  }

  #serve(exchange: ServerExchange): void {
    this.net.clock.after(answerMs, () => {
      this.#shard.enter();
      this.served++;
      exchange.respond(200, null, noEdits, 0);
      exchange.end(null);
      this.#shard.leave();
    });
  }

  /** Another one takes its place. */
  restart(streamsMax: number): void {
    this.#streamsMax = streamsMax;
    for (const server of this.open) server.destroy();
  }
}

interface Scene {
  readonly net: MemoryNet;
  readonly app: SmallApp;
  readonly caller: TestMachine;
}

async function sceneOf(streamsMax: number, where: "another machine" | "the same machine"): Promise<Scene> {
  const net = new MemoryNet();
  const app = new SmallApp(net, streamsMax);
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
