/**
 * Clients that do not read, and apps that do not: what waits for them in two data planes stays within the bound that they have
 * together, is nothing once they left, and whoever reads beside them gets all of its answers.
 */
import { afterEach, expect, test } from "bun:test";
import type { ServerExchange } from "../../../src/http/exchange.ts";
import type { Shard } from "../../../src/http/shard.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { concat, data, headers, opening, preface, settings } from "../../support/h2_frames.ts";
import { dialPeer } from "../../support/h2_peer.ts";
import { serve } from "../../support/http_relay.ts";
import { connectLocal } from "../../support/opaque.ts";
import { Planes, runtime } from "../../support/planes.ts";
import { listen, until, type End } from "../../support/sockets.ts";
import { sendAll } from "../../support/streams.ts";
import { testMs } from "../../support/patience.ts";
import { sampleOf } from "../../support/quick.ts";

const boundBytes = 2 * 1024 * 1024;

const answerBytes = 200_000;
const pieceBytes = 16_384;

const ends: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Answers `answerBytes` as its caller takes them; takes nothing of the body of a POST. */
function app(exchange: ServerExchange): void {
  if (exchange.request.method === "POST") return;
  let left = answerBytes;
  const pour = (): void => {
    while (left > 0) {
      const length = Math.min(left, pieceBytes);
      left -= length;
      if (!exchange.write(new Uint8Array(length)) && left > 0) return;
    }
    exchange.end(null);
  };
  exchange.respond(200, null, noEdits, answerBytes);
  exchange.accept({ data() {}, end: pour, aborted() {}, writable: pour });
}

interface Mesh {
  readonly shards: readonly Shard[];
  readonly port: number;
  /** Most that waited in one of them between two turns. */
  most(): number;
}

async function mesh(version: "http/1.1" | "h2"): Promise<Mesh> {
  const server = serve(runtime, app, { version });
  const planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 } }, bufferedBytesMax: boundBytes },
    { name: "b", services: { web: { app: server.port } }, bufferedBytesMax: boundBytes },
  );
  planes.apply({ web: { protocol: version === "h2" ? "http2" : "http" } });
  const shards = planes.machines.map((machine) => machine.plane.options.shard);
  const watched = watch(shards);
  ends.push(() => {
    watched.stop();
    server.close();
    return planes.close();
  });
  const port = planes.machine("a").port("caller");
  // The two know each other before anything is hard.
  await beside(port);
  return { shards, port, most: watched.most };
}

/** Looks in every turn of the event loop. */
function watch(shards: readonly Shard[]): { most(): number; stop(): void } {
  let most = 0;
  let over = false;
  const look = (): void => {
    most = Math.max(most, ...shards.map(({ buffered }) => buffered.bytes));
    if (!over) setImmediate(look);
  };
  look();
  return { most: () => most, stop: () => void (over = true) };
}

const fields = (method: string): [string, string][] => [
  [":method", method],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "web.mesh"],
];

async function beside(port: number): Promise<number[]> {
  const sizes: number[] = [];
  for (let call = 0; call < 10; call++) {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { host: "web.mesh" } });
    sizes.push(answer.status, (await answer.arrayBuffer()).byteLength);
  }
  return sizes;
}

const allAnswered = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? 200 : answerBytes));

async function nothingWaits({ shards }: Pick<Mesh, "shards">): Promise<void> {
  await until(() => shards.every(({ buffered }) => buffered.bytes === 0), "nothing waits any more");
  await until(() => shards.every(({ buffered }) => buffered.lent === 0), "no window is lent any more");
}

const ways = (["http/1.1", "h2"] as const).flatMap((version) => [
  { version, who: "open no window", opens: concat(preface, settings([4, 0])) },
  { version, who: "use up the window of their connection", opens: opening },
]);

for (const { version, who, opens } of sampleOf(ways, 1))
  test(
    `streams that ${who} hold what all of them may, of an app of ${version}, and stop nobody`,
    async () => {
      const pair = await mesh(version);
      const peer = await dialPeer(runtime, pair.port);
      peer.send(opens, ...Array.from({ length: 100 }, (_, at) => headers(2 * at + 1, fields("GET"))));
      await until(() => pair.most() > boundBytes / 4, "much waits");
      expect(await beside(pair.port)).toEqual(allAnswered);
      expect(pair.most()).toBeLessThanOrEqual(boundBytes);
      peer.socket.reset();
      await nothingWaits(pair);
    },
    testMs,
  );

for (const version of ["http/1.1", "h2"] as const)
  test(
    `bodies that an app of ${version} does not take hold what all of them may, and stop nobody`,
    async () => {
      const pair = await mesh(version);
      const peer = await dialPeer(runtime, pair.port);
      const body = concat(...Array.from({ length: 3 }, () => new Uint8Array(pieceBytes)));
      for (let at = 0; at < 120; at++) {
        const id = 2 * at + 1;
        const pieces = Array.from({ length: 3 }, (_, piece) =>
          data(id, body.subarray(piece * pieceBytes, (piece + 1) * pieceBytes)),
        );
        if (at === 0) peer.send(opening);
        peer.send(headers(id, fields("POST"), false), ...pieces);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await until(() => pair.most() > boundBytes / 4, "much waits");
      expect(await beside(pair.port)).toEqual(allAnswered);
      expect(pair.most()).toBeLessThanOrEqual(boundBytes);
      peer.socket.reset();
      await nothingWaits(pair);
    },
    testMs,
  );

test(
  "clients of HTTP/1.1 that do not read hold what all of them may, and stop nobody",
  async () => {
    const pair = await mesh("http/1.1");
    const clients = await Promise.all(Array.from({ length: 6 }, () => connectLocal(pair.port)));
    for (const { socket } of clients) {
      socket.pause();
      const get = "GET / HTTP/1.1\r\nhost: web.mesh\r\n\r\n";
      // Enough for several answers more than the kernel takes.
      socket.write(new TextEncoder().encode(get.repeat(40)));
    }
    await until(() => pair.most() > boundBytes / 4, "much waits");
    expect(await beside(pair.port)).toEqual(allAnswered);
    expect(pair.most()).toBeLessThanOrEqual(boundBytes);
    for (const { socket } of clients) socket.reset();
    await nothingWaits(pair);
  },
  testMs,
);

test(
  "opaque connections of which neither end reads hold what all of them may, and stop nobody",
  async () => {
    const app = listen(runtime);
    const planes = await Planes.start(
      { name: "a", services: { caller: { app: 9, upstreams: ["queue"] } }, bufferedBytesMax: boundBytes },
      { name: "b", services: { queue: { app: app.port } }, bufferedBytesMax: boundBytes },
    );
    planes.apply({ queue: { protocol: "tcp" } });
    const shards = planes.machines.map((machine) => machine.plane.options.shard);
    const watched = watch(shards);
    ends.push(() => {
      app.listener.close();
      watched.stop();
      return planes.close();
    });
    const port = planes.machine("a").port("caller", "queue");
    const clients = await Promise.all(Array.from({ length: 20 }, () => connectLocal(port)));
    await until(() => app.accepted.length === clients.length, "all reach the app");
    for (const end of [...clients, ...app.accepted]) {
      end.socket.pause();
      sendAll(end, new Uint8Array(16 * 1024 * 1024)).catch(() => {});
    }
    await until(() => watched.most() > boundBytes / 4, "much waits");
    const beside = await connectLocal(port);
    await until(() => app.accepted.length > clients.length, "one more reaches the app");
    const other = app.accepted[clients.length] as End;
    await sendAll(beside, new Uint8Array(answerBytes));
    await until(() => other.heard.received === answerBytes, "all of it arrives");
    expect(watched.most()).toBeLessThanOrEqual(boundBytes);
    for (const { socket } of [...clients, beside]) socket.reset();
    await nothingWaits({ shards });
  },
  testMs,
);
