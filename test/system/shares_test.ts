/**
 * One client that takes all it can get, beside one that behaves, through two proxies of the compiled binary: streams that are
 * never read to their end, and requests that are never ended.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { createRuntime } from "../../runtime/bun/runtime.ts";
import { limits } from "../../src/model/limits.ts";
import { errorCodes, frameFlags, frameTypes } from "../../src/wire/h2/frames.ts";
import { untilIdle } from "../support/processor_time.ts";
import { addressOf } from "../support/addresses.ts";
import { concat, frame, headers, opening, type FieldList } from "../support/h2_frames.ts";
import { H2Counter } from "../support/h2_counter.ts";
import { startMesh, type Machine, type Mesh } from "../support/mesh.ts";
import { until } from "../support/sockets.ts";
import { hangMs, testMs } from "../support/patience.ts";

const runtime = createRuntime();
const documents = `
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Service, name: batch, port: 80, protocol: http}
---
{kind: Service, name: orders, port: 80, protocol: http}
`;
const ack = frame(frameTypes.settings, frameFlags.ack, 0);
const fields = (method: string, path: string): FieldList => [
  [":method", method],
  [":scheme", "http"],
  [":path", path],
  [":authority", "orders.mesh"],
];

/** Answers with a beginning that no end follows; anything else at once. */
function startApp(hostname: string) {
  let open = 0;
  const server = Bun.serve({
    hostname,
    port: 8_080,
    idleTimeout: 0,
    fetch(asked) {
      if (new URL(asked.url).pathname !== "/endless") return new Response("ok");
      open++;
      return new Response(new ReadableStream({ start: (stream) => stream.enqueue(new Uint8Array(1_000)) }));
    },
  });
  return { server, open: () => open };
}

/** Bursts of requests that never end, one when the last one was answered, for as long as it is let. */
async function flooded(peer: H2Counter): Promise<void> {
  await peer.send(concat(opening, ack));
  for (let round = 0; !peer.over; round++) {
    const ids = Array.from({ length: 1_500 }, (_, at) => 2 * (1_500 * round + at) + 1);
    await peer.send(concat(...ids.map((id) => headers(id, fields("POST", "/"), false))));
    const answered = (): boolean => peer.count(frameTypes.headers) >= 1_500 * (round + 1);
    await until(() => peer.over || answered(), "a burst is dealt with");
  }
}

describe.skipIf(binaryMissing)("one client that takes all it can get", () => {
  const host = addressOf(81);
  let app: ReturnType<typeof startApp>;
  let mesh: Mesh;
  let caller: Machine;
  const peers: H2Counter[] = [];

  beforeAll(async () => {
    app = startApp(host);
    mesh = await startMesh({
      documents,
      machines: [
        {
          name: "vm-a",
          services: [
            { service: "web", app: "none", calls: { orders: "by-name" } },
            { service: "batch", app: "none", calls: { orders: "by-name" } },
          ],
        },
        { name: "vm-b", services: [{ service: "orders", host, port: 8_080 }] },
      ],
    });
    caller = mesh.machine("vm-a");
  }, testMs);
  afterEach(() => {
    for (const peer of peers.splice(0)) peer.socket.destroy();
  });
  afterAll(async () => {
    await mesh?.stop();
    await app.server.stop(true);
  });

  function dial(service: string): Promise<H2Counter> {
    const address = { host: caller.address, port: caller.httpPort(service), timeoutMs: hangMs };
    return new Promise((resolve, reject) => {
      runtime.net.connect(address, {
        opened(socket) {
          const peer = new H2Counter(socket);
          peers.push(peer);
          resolve(peer);
          return peer;
        },
        failed: (error) => reject(new Error(error.message)),
      });
    });
  }

  /** The statuses of so many requests in turn. */
  async function statuses(service: string, count: number): Promise<Set<number>> {
    const found = new Set<number>();
    for (let each = 0; each < count; each++) {
      const proxy = `http://${caller.address}:${caller.httpPort(service)}`;
      const answer = await fetch("http://orders.mesh/", { proxy });
      found.add(answer.status);
      await answer.text();
    }
    return found;
  }

  for (const connections of [1, 8])
    test(
      `by 1,100 silent streams on ${connections} connections takes no answer from others`,
      async () => {
        const before = app.open();
        const streams = Math.ceil(1_100 / connections);
        for (let each = 0; each < connections; each++) {
          const ids = Array.from({ length: streams }, (_, at) => 2 * at + 1);
          const peer = await dial("web");
          await peer.send(concat(opening, ack, ...ids.map((id) => headers(id, fields("GET", "/endless")))));
        }
        await until(() => app.open() - before >= 500, "the app has many of them");
        expect([await statuses("web", 100), await statuses("batch", 100)]).toEqual([
          new Set([200]),
          new Set([200]),
        ]);
      },
      testMs,
    );

  test(
    "by requests that it never ends is ended, and the proxy has nothing to do afterwards",
    async () => {
      const flood = await Promise.all(["web", "web", "web"].map(dial));
      for (const peer of flood) void flooded(peer);
      await until(() => flood.every((peer) => peer.over), "each is ended");
      for (const peer of flood) {
        expect(peer.goaway).toBe(errorCodes.enhanceYourCalm);
        expect(peer.count(frameTypes.headers)).toBeLessThan(2 * limits.h2UnfinishedMax);
      }
      expect(await statuses("web", 20)).toEqual(new Set([200]));
      await untilIdle([caller.proxy.pid, mesh.machine("vm-b").proxy.pid], 0.1);
    },
    testMs,
  );
});
