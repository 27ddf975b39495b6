/** Requests whose answers would only wait, where much waits already: begun when there is room for them, and not before. */
import { expect, test } from "bun:test";
import type { ServerExchange } from "../../../src/http/exchange.ts";
import { Http2Server } from "../../../src/http/h2_server.ts";
import { Shard } from "../../../src/http/shard.ts";
import { limits } from "../../../src/model/limits.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { errorCodes, frameFlags, frameTypes } from "../../../src/wire/h2/frames.ts";
import { profiles, type Profile } from "../../../src/wire/h2/settings.ts";
import { ManualClock } from "../../support/clock.ts";
import { FakeSocket } from "../../support/fake_socket.ts";
import { concat, frame, getFields, headers, number32, preface, settings } from "../../support/h2_frames.ts";
import { TakenExchanges } from "../../support/taken_exchanges.ts";

const clock = () => new ManualClock();
const settingsAck = frame(frameTypes.settings, frameFlags.ack, 0);
const windowUpdate = (id: number, more: number) => frame(frameTypes.windowUpdate, 0, id, number32(more));
const window = limits.h2StreamWindowBytesMin;

/** Much waits in its shard; its client opens streams with so much window. */
function crowded(windowBytes: number, profile: Profile = profiles.local, time = clock()) {
  const shard = new Shard(time);
  const much = limits.bufferedBytesMax * limits.bufferedTightShare + 1;
  shard.buffered.count(much);
  const socket = new FakeSocket();
  const { all, handler } = new TakenExchanges();
  const server = new Http2Server(socket, {
    shard,
    profile,
    connection: { remoteAddress: "", remotePort: 0, localPort: 0, peer: null, serverName: "" },
    handler,
  });
  socket.handler = server;
  socket.handler.data(concat(preface, settings([4, windowBytes]), settingsAck));
  const get = (...ids: number[]): void =>
    socket.handler.data(concat(...ids.map((id) => headers(id, getFields))));
  return { time, shard, socket, server, all, get, ease: () => shard.buffered.count(-much) };
}

test("requests that leave no room wait for a window, one that leaves some is begun at once", async () => {
  const { time, socket, all, get } = crowded(0);
  get(1);
  await time.advance(10 * limits.h2SlowedLongTickMs);
  get(3);
  await time.advance(10 * limits.h2SlowedLongTickMs);
  expect(all.length).toBe(0);
  socket.handler.data(windowUpdate(3, window - 1));
  await time.advance(limits.h2SlowedLongTickMs);
  expect(all.length).toBe(0);
  socket.handler.data(windowUpdate(3, 1));
  expect(all.length).toBe(1);
  const other = crowded(window);
  other.get(1, 3);
  expect(other.all.length).toBe(2);
});

test("requests of a client that used up the window of its connection wait for that", () => {
  const { server, socket, all, get } = crowded(window);
  server.sender.window = 0;
  get(1, 3);
  expect(all.length).toBe(0);
  socket.handler.data(windowUpdate(0, window));
  expect(all.length).toBe(2);
});

test("requests of a client that reads nothing wait until it does", () => {
  const { server, socket, all, get } = crowded(limits.bufferHighBytes * 4);
  server.sender.window = limits.bufferHighBytes * 4;
  get(1);
  socket.room = 0;
  const [first] = all as [ServerExchange];
  first.respond(200, null, noEdits, -1);
  first.write(new Uint8Array(limits.bufferHighBytes * 2));
  get(3);
  expect(all.length).toBe(1);
  socket.room = Number.POSITIVE_INFINITY;
  socket.handler.drain();
  expect(all.length).toBe(2);
});

test("between proxies, where many share a connection, none waits", async () => {
  const { time, all, get } = crowded(0, profiles.mesh);
  get(1);
  await time.advance(limits.h2SlowedLongTickMs);
  expect(all.length).toBe(1);
});

test("once there is room in the proxy they are begun, a few at a time", async () => {
  const { time, server, all, get, ease } = crowded(window);
  const count = 3 * limits.h2LocalRequestsPerTurnMax;
  server.sender.window = 0;
  get(...Array.from({ length: count }, (_, at) => 2 * at + 1));
  await time.advance(10);
  expect(all.length).toBe(0);
  ease();
  await time.advance(limits.h2WatchMs + limits.timerTickMs);
  expect(all.length).toBe(limits.h2LocalRequestsPerTurnMax);
  await time.advance(3 * limits.h2WatchMs);
  expect(all.length).toBe(count);
});

test("those that are reset meanwhile, or whose connection ends, are never begun and leave nothing behind", async () => {
  const { time, shard, socket, server, all, get } = crowded(0);
  get(1);
  await time.advance(10 * limits.h2SlowedLongTickMs);
  get(3);
  await time.advance(10 * limits.h2SlowedLongTickMs);
  expect([server.streams.size, shard.windowlessStreams]).toEqual([2, 2]);
  socket.handler.data(frame(frameTypes.rstStream, 0, 1, number32(errorCodes.cancel)));
  await time.advance(limits.h2WatchMs + limits.timerTickMs);
  expect([server.streams.size, shard.windowlessStreams]).toEqual([1, 1]);
  socket.handler.close(null);
  expect([all.length, server.streams.size, shard.windowlessStreams]).toEqual([0, 0, 0]);
});
