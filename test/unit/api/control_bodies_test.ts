/** What unfinished and unanswered bodies may take of a control port, for one caller and for all. */
import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { BodyRoom } from "../../../src/api/body_room.ts";
import { serveControl, type ControlServer } from "../../../src/api/control_server.ts";
import { Shard } from "../../../src/http/shard.ts";
import { runtime } from "../../support/planes.ts";
import { dialled, until, type End } from "../../support/sockets.ts";
import { hangMs } from "../../support/patience.ts";

const bytesMax = 16_000;
const { net, clock } = runtime;
let server: ControlServer;
let room: BodyRoom;
let trips: string[];
let answer: (response: Response) => void;

function serve(): void {
  trips = [];
  room = new BodyRoom((limit) => void trips.push(limit), bytesMax);
  const handler = (request: Request): Promise<Response> | Response =>
    request.url.endsWith("/later") ? new Promise((resolve) => (answer = resolve)) : new Response("taken");
  server = serveControl({
    net,
    clock,
    shard: new Shard(clock),
    listen: { host: "127.0.0.1", port: 0 },
    identity: null,
    peer: "optional",
    strangers: null,
    bodies: room,
    handler,
  });
}

/** A request that says 5,000 bytes, and sends so many of them. */
async function post(from: string, bytes: number, path = "/"): Promise<End> {
  const client = await dialled(runtime, {
    host: "127.0.0.1",
    port: server.port,
    timeoutMs: hangMs,
    localAddress: from,
  });
  const head = `POST ${path} HTTP/1.1\r\nhost: c\r\ncontent-length: 5000\r\n\r\n`;
  client.socket.write(Buffer.from(head + "a".repeat(bytes)));
  return client;
}

/** The same, and its bytes have come. */
async function hold(from: string, bytes: number, path = "/"): Promise<End> {
  const before = room.bytes;
  const client = await post(from, bytes, path);
  await until(() => room.bytes >= before + bytes, "its body has come");
  return client;
}

const says = (client: End, text: string): Promise<void> =>
  until(() => client.heard.text().includes(text), `it is answered ${text}`);

test("however many callers take what they get, a newcomer gets half of what is free, and something is", () => {
  const taking = fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 900 }));
  fc.assert(
    fc.property(fc.array(taking, { maxLength: 200 }), (takings) => {
      const small = new BodyRoom(undefined, bytesMax);
      for (const [caller, bytes] of takings) small.take(String(caller), bytes);
      expect(small.bytes).toBeLessThan(bytesMax);
      expect(small.take("newcomer", Math.floor((bytesMax - small.bytes) / 2))).toBe(true);
    }),
  );
});

describe("of bodies that wait at a control port", () => {
  afterEach(() => server.close(0));

  test("one caller has as much as it leaves free, and others are served beside it", async () => {
    serve();
    await hold("127.0.0.2", 4_000);
    await says(await post("127.0.0.3", 5_000), "taken");
    const refused = await post("127.0.0.2", 4_500);
    await says(refused, "503");
    expect(refused.heard.text()).toContain("controlBodiesBytesMax");
    await says(await post("127.0.0.3", 5_000), "taken");
    expect(trips).toEqual(["controlBodiesBytesMax"]);
  });

  test("what was left, refused or answered counts no more, also while its answer goes on", async () => {
    serve();
    for (let each = 0; each < 5; each++) {
      (await hold("127.0.0.2", 4_900)).socket.destroy();
      await until(() => room.bytes === 0, "it was noticed that it left");
    }
    const streaming = await hold("127.0.0.2", 5_000, "/later");
    answer(new Response(new ReadableStream({ start: (stream) => stream.enqueue(Buffer.from("begun")) })));
    await says(streaming, "begun");
    await says(await post("127.0.0.2", 5_000), "taken");
    expect(trips).toEqual([]);
  });
});
