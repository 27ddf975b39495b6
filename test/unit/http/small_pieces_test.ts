/** Bytes that wait and came in the smallest pieces cost about what one piece of them does, wherever they wait. */
import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { servePlain } from "../../../src/app/plain_server.ts";
import { Buffered } from "../../../src/http/buffered.ts";
import type { ServerExchange } from "../../../src/http/exchange.ts";
import { Output } from "../../../src/http/output.ts";
import { Shard } from "../../../src/http/shard.ts";
import { RequestBody } from "../../../src/proxy/attempt/request_body.ts";
import { ManualClock } from "../../support/clock.ts";
import { FakeSocket } from "../../support/fake_socket.ts";
import { runtime } from "../../support/planes.ts";
import { dialled, until } from "../../support/sockets.ts";
import { hangMs } from "../../support/patience.ts";

const pieces = 20_000;
/** Of a few large blocks and of what else comes and goes meanwhile. */
const arraysMax = 500;
const one = Uint8Array.of(97);

function arrays(): number {
  Bun.gc(true);
  return heapStats().objectTypeCounts["Uint8Array"] ?? 0;
}

test("a request body that is kept for another attempt, which counts what it takes", () => {
  const buffered = new Buffered({ nowMs: () => 0 });
  const exchange = { accept() {}, resume() {}, pause() {} } as unknown as ServerExchange;
  const body = new RequestBody(exchange, { aborted() {} }, buffered, true);
  const before = arrays();
  for (let each = 0; each < pieces; each++) body.data(one, 0, 1);
  expect(body.replayable).toBe(true);
  expect(arrays() - before).toBeLessThan(arraysMax);
  expect(buffered.bytes).toBeGreaterThanOrEqual(pieces);
  body.settle();
  expect(buffered.bytes).toBe(0);
});

test("output that the kernel does not take", () => {
  const shard = new Shard(new ManualClock());
  const socket = new FakeSocket();
  socket.room = 0;
  const output = new Output(socket, shard, { giveWay() {} });
  output.bytes(one, 0, 1);
  output.flush();
  // The first buffer is full: the rest waits behind it.
  output.bytes(new Uint8Array(70_000), 0, 70_000);
  const before = arrays();
  for (let each = 0; each < pieces; each++) output.text("a");
  expect(output.pendingBytes).toBe(70_001 + pieces);
  expect(arrays() - before).toBeLessThan(arraysMax);
});

test("the body of a request to a control port", async () => {
  let more = Number.POSITIVE_INFINITY;
  let before = 0;
  const server = servePlain(runtime, { host: "127.0.0.1", port: 0 }, async (request) => {
    more = arrays() - before;
    return new Response(await request.text());
  });
  const client = await dialled(runtime, { host: "127.0.0.1", port: server.port, timeoutMs: hangMs });
  before = arrays();
  const few = 5_000;
  const head = "POST / HTTP/1.1\r\nhost: c\r\ntransfer-encoding: chunked\r\n\r\n";
  client.socket.write(Buffer.from(`${head}${"1\r\na\r\n".repeat(few)}0\r\n\r\n`));
  await until(() => client.heard.text().includes("a".repeat(few)), "the answer is what was sent");
  expect(more).toBeLessThan(arraysMax);
  client.socket.destroy();
  await server.close(0);
});
