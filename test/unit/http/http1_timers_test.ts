/** How slow the body of an HTTP/1.1 request may be, by a clock that the test moves, and whose fault it is. */
import { describe, expect, test } from "bun:test";
import { Http1Server } from "../../../src/http/h1_server.ts";
import { Shard } from "../../../src/http/shard.ts";
import { limits } from "../../../src/model/limits.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { ManualClock } from "../../support/clock.ts";
import { FakeSocket } from "../../support/fake_socket.ts";
import { bytesOf, textOf } from "../../support/wire.ts";
import { TakenExchanges } from "../../support/taken_exchanges.ts";

const secondMs = 1_000;
const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n";
const floorBytes = limits.bodyBytesPerSecondMin;

function serverSide() {
  const clock = new ManualClock();
  const socket = new FakeSocket();
  const tripped: string[] = [];
  const { all: exchanges, left, handler } = new TakenExchanges();
  socket.handler = new Http1Server(socket, {
    shard: new Shard(clock),
    connection: { remoteAddress: "", remotePort: 0, localPort: 0, peer: null, serverName: "" },
    handler,
    onLimit: (limit) => tripped.push(limit),
  });
  const say = (text: string): void => socket.handler.data(bytesOf(text));
  return { clock, socket, tripped, exchanges, left, say };
}

describe("a client that closes its side of the connection", () => {
  const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

  test("has left when no answer has begun a little later, so that nobody works for it", async () => {
    const { clock, socket, left, say } = serverSide();
    say(get);
    socket.handler.end();
    await clock.advance(limits.halfClosedMs - 100);
    expect([left, socket.ends]).toEqual([[], []]);
    await clock.advance(300);
    expect(left).toEqual(["the client closed the connection before all of its answer came"]);
    expect(socket.ends).toEqual(["reset"]);
  });

  test("gets the whole of an answer that begins by then", async () => {
    const { clock, socket, left, exchanges, say } = serverSide();
    say(get);
    socket.handler.end();
    await clock.advance(limits.halfClosedMs / 2);
    exchanges[0]?.respond(200, null, noEdits, 4);
    exchanges[0]?.write(bytesOf("be"));
    await clock.advance(20 * limits.halfClosedMs);
    exchanges[0]?.write(bytesOf("en"));
    exchanges[0]?.end(null);
    await clock.advance(1);
    expect(left).toEqual([]);
    expect(textOf(socket.written)).toEndWith("\r\n\r\nbeen");
    expect(socket.ends).toEqual(["shutdown"]);
  });
});

describe("a body", () => {
  test("that drips below the floor ends with 408 and counts once", async () => {
    const { clock, socket, tripped, left, say } = serverSide();
    say(`${post}\r\n`);
    for (let second = 0; second < 9; second++) {
      say("a".repeat(floorBytes - 40));
      await clock.advance(secondMs);
    }
    expect([tripped, left, textOf(socket.written)]).toEqual([[], [], ""]);
    await clock.advance(3 * secondMs);
    expect([tripped, left.length]).toEqual([["bodyBytesPerSecondMin"], 1]);
    expect(textOf(socket.written)).toStartWith("HTTP/1.1 408 ");
    expect(socket.ends).toEqual(["shutdown"]);
  });

  test("that stops above the floor ends after the time between bytes", async () => {
    const { clock, socket, tripped, say } = serverSide();
    say(`${post}\r\n${"a".repeat(60 * floorBytes)}`);
    await clock.advance(limits.bodyProgressMs - secondMs);
    expect(tripped).toEqual([]);
    await clock.advance(2 * secondMs);
    expect(tripped).toEqual(["bodyProgressMs"]);
    expect(textOf(socket.written)).toStartWith("HTTP/1.1 408 ");
  });

  test("that nobody takes is not held against its client, neither then nor right after", async () => {
    const { clock, socket, tripped, exchanges, say } = serverSide();
    say(`${post}\r\n`);
    exchanges[0]?.pause();
    say("a");
    expect(socket.paused).toBe(true);
    await clock.advance(100 * secondMs);
    exchanges[0]?.resume();
    expect([tripped, socket.paused]).toEqual([[], false]);
    await clock.advance(8 * secondMs);
    expect(tripped).toEqual([]);
    await clock.advance(4 * secondMs);
    expect(tripped).toEqual(["bodyBytesPerSecondMin"]);
  });

  test("that is taken now and then, and comes at once when it is, keeps its connection", async () => {
    const { clock, tripped, exchanges, say } = serverSide();
    say(`${post}\r\n`);
    for (let round = 0; round < 20; round++) {
      exchanges[0]?.pause();
      await clock.advance(5 * secondMs);
      exchanges[0]?.resume();
      say("a".repeat(100));
    }
    expect(tripped).toEqual([]);
  });

  test("that waits to be asked for is not missed before", async () => {
    const { clock, tripped, exchanges, say } = serverSide();
    say(`${post}Expect: 100-continue\r\n\r\n`);
    await clock.advance(60 * secondMs);
    exchanges[0]?.inform(100, null, noEdits);
    await clock.advance(8 * secondMs);
    expect(tripped).toEqual([]);
    await clock.advance(4 * secondMs);
    expect(tripped).toEqual(["bodyBytesPerSecondMin"]);
  });

  test("of a declared stream, or whose answer has begun, has no floor", async () => {
    const declared = serverSide();
    declared.say(`${post}\r\n`);
    declared.exchanges[0]?.liftTimeouts();
    await declared.clock.advance(120 * secondMs);
    const answered = serverSide();
    answered.say(`${post}\r\n`);
    answered.exchanges[0]?.respond(200, null, noEdits, -1);
    for (let round = 0; round < 10; round++) {
      answered.say("a");
      await answered.clock.advance(20 * secondMs);
    }
    expect([declared.tripped, answered.tripped]).toEqual([[], []]);
  });

  test("whose client takes nothing of the answer that has begun ends with a reset", async () => {
    const { clock, socket, tripped, exchanges, say } = serverSide();
    say(`${post}\r\n`);
    socket.room = 10;
    exchanges[0]?.respond(200, null, noEdits, -1);
    exchanges[0]?.pause();
    await clock.advance(limits.writeStallMs - secondMs);
    expect(socket.ends).toEqual([]);
    await clock.advance(3 * secondMs);
    expect([tripped, socket.ends]).toEqual([["writeStallMs"], ["reset"]]);
  });

  test("does not take from the next one on its connection", async () => {
    const { clock, socket, tripped, exchanges, say } = serverSide();
    say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n");
    await clock.advance(9 * secondMs);
    say("a".repeat(3_000));
    exchanges[0]?.respond(200, null, noEdits, 0);
    exchanges[0]?.end(null);
    say(`${post}\r\n`);
    await clock.advance(9 * secondMs);
    expect([tripped, socket.ends]).toEqual([[], []]);
    await clock.advance(3 * secondMs);
    expect(tripped).toEqual(["bodyBytesPerSecondMin"]);
  });
});

test("a proxy that stood still reads what came meanwhile before it blames anybody for being late", async () => {
  const { clock, socket, tripped, exchanges, say } = serverSide();
  say("GET / HTTP/1.1\r\nHo");
  await clock.advance(secondMs);
  clock.stall(2 * limits.headMs);
  await clock.advance(0);
  expect([tripped, socket.ends]).toEqual([[], []]);
  say("st: a\r\n\r\n");
  await clock.advance(secondMs);
  expect([exchanges.length, tripped]).toEqual([1, []]);
  exchanges[0]?.respond(200, null, noEdits, 0);
  exchanges[0]?.end(null);
  say("GET / HTTP/1.1\r\nHo");
  await clock.advance(limits.headMs + secondMs);
  expect(tripped).toEqual(["headMs"]);
});

test("after an upgrade nothing is too slow", async () => {
  const { clock, tripped, exchanges, say } = serverSide();
  say("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n");
  exchanges[0]?.respond(101, null, noEdits, -1);
  say("a");
  await clock.advance(120 * secondMs);
  expect(tripped).toEqual([]);
});
