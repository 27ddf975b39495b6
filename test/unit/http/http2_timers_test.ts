import { describe, expect, test } from "bun:test";
import { Http2Client } from "../../../src/http/h2_client.ts";
import { Http2Server } from "../../../src/http/h2_server.ts";
import { Shard } from "../../../src/http/shard.ts";
import { limits } from "../../../src/model/limits.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { errorCodes, frameFlags, frameTypes, get32 } from "../../../src/wire/h2/frames.ts";
import { profiles, type Profile } from "../../../src/wire/h2/settings.ts";
import { ManualClock } from "../../support/clock.ts";
import { FakeSocket } from "../../support/fake_socket.ts";
import {
  blockOf,
  bytesOf,
  concat,
  data,
  frame,
  getFields,
  headers,
  number32,
  opening,
  preface,
  settings,
} from "../../support/h2_frames.ts";
import { Heard, request } from "../../support/http_relay.ts";
import { TakenExchanges } from "../../support/taken_exchanges.ts";

const settingsAck = frame(frameTypes.settings, frameFlags.ack, 0);
const postFields = [[":method", "POST"], ...getFields.slice(1)] as const;
const secondMs = 1_000;

function serverSide(profile: Profile = profiles.mesh, clock = new ManualClock(), shard = new Shard(clock)) {
  const socket = new FakeSocket();
  const tripped: string[] = [];
  const { all: exchanges, left, handler } = new TakenExchanges();
  const server = new Http2Server(socket, {
    shard,
    profile,
    connection: { remoteAddress: "", remotePort: 0, localPort: 0, peer: null, serverName: "" },
    handler,
    onLimit: (limit) => tripped.push(limit),
  });
  socket.handler = server;
  return { clock, socket, server, tripped, exchanges, left };
}

function clientSide(clock = new ManualClock()) {
  const socket = new FakeSocket();
  const events: string[] = [];
  const client = new Http2Client(socket, {
    shard: new Shard(clock),
    profile: profiles.mesh,
    peer: "backend",
    onRoom: () => events.push("room"),
    onRetired: () => events.push("retired"),
    onLimit: (limit) => events.push(limit),
  });
  socket.handler = client.handler;
  return { clock, socket, client, events };
}

/** Error code of the last GOAWAY. */
function goawayOf(socket: FakeSocket): number | null {
  const last = socket.frames.filter(({ type }) => type === frameTypes.goaway).at(-1);
  return last === undefined ? null : get32(last.payload, 4);
}

const pingsIn = (socket: FakeSocket): number =>
  socket.frames.filter(({ type, flags }) => type === frameTypes.ping && flags === 0).length;

describe("a connection", () => {
  test("that sends no preface, no SETTINGS or no acknowledgement in time is ended", async () => {
    for (const bytes of [null, preface, opening]) {
      const { clock, socket, tripped } = serverSide();
      if (bytes !== null) socket.handler.data(bytes);
      await clock.advance(limits.h2SettingsMs);
      expect(goawayOf(socket)).toBeNull();
      await clock.advance(3 * secondMs);
      expect([goawayOf(socket), tripped]).toEqual([errorCodes.settingsTimeout, ["h2SettingsMs"]]);
      await clock.advance(limits.lingerMs + secondMs);
      expect(socket.ends).toEqual(["shutdown", "destroyed"]);
    }
  });

  test("that cost too much hears so at once and stays a while, unread; of too many such, the others end at once", async () => {
    const clock = new ManualClock();
    const shard = new Shard(clock);
    const pings = Array.from({ length: limits.h2ControlBurstMax + 1 }, () =>
      frame(frameTypes.ping, 0, 0, new Uint8Array(8)),
    );
    const flood = (): FakeSocket => {
      const { socket } = serverSide(profiles.local, clock, shard);
      socket.handler.data(concat(opening, settingsAck, ...pings));
      return socket;
    };
    const sockets = Array.from({ length: limits.h2CalmConnectionsMax }, flood);
    const other = flood();
    await clock.advance(limits.h2CalmMs - limits.timerTickMs);
    const calm = errorCodes.enhanceYourCalm;
    const told = (socket: FakeSocket) => [goawayOf(socket), socket.paused, socket.ends];
    expect(sockets.map(told)).toEqual(sockets.map(() => [calm, true, []]));
    expect(told(other)).toEqual([calm, false, ["shutdown"]]);
    await clock.advance(2 * limits.timerTickMs);
    expect(sockets.map(({ ends }) => ends)).toEqual(sockets.map(() => ["destroyed"]));
    for (const socket of sockets) socket.handler.close(null);
    expect(shard.calming).toBe(0);
  });

  test("whose header block does not end in time is ended", async () => {
    const { clock, socket, tripped } = serverSide();
    socket.handler.data(concat(opening, settingsAck, frame(frameTypes.headers, 1, 1, blockOf(getFields))));
    await clock.advance(limits.headMs + 3 * secondMs);
    expect([goawayOf(socket), tripped]).toEqual([errorCodes.enhanceYourCalm, ["headMs"]]);
  });

  test("that stops inside the first frame of a header block is ended too", async () => {
    const { clock, socket, tripped } = serverSide();
    socket.handler.data(concat(opening, settingsAck, headers(1, getFields).subarray(0, 12)));
    await clock.advance(limits.headMs + 3 * secondMs);
    expect([goawayOf(socket), tripped]).toEqual([errorCodes.enhanceYourCalm, ["headMs"]]);
  });

  test("that nobody uses is closed after its time, from either side, and costs no timer before", async () => {
    const served = serverSide();
    served.socket.handler.data(concat(opening, settingsAck));
    await served.clock.advance(limits.keepAliveInboundMs - secondMs);
    expect(served.socket.ends).toEqual([]);
    await served.clock.advance(3 * secondMs);
    expect([goawayOf(served.socket), served.socket.ends]).toEqual([0, ["shutdown"]]);
    const dialled = clientSide();
    dialled.client.handler.data(concat(settings(), settingsAck));
    await dialled.clock.advance(limits.h2ClientIdleMs + 3 * secondMs);
    expect([dialled.events, dialled.socket.ends]).toEqual([["retired"], ["shutdown", "destroyed"]]);
  });

  test("is asked whether it lives while streams are open, and ended when it does not answer", async () => {
    const { clock, client, socket, events } = clientSide();
    const heard = new Heard();
    client.start(request(), noEdits, heard);
    client.handler.data(concat(settings(), settingsAck));
    await clock.advance(limits.h2PingMs - secondMs);
    expect(pingsIn(socket)).toBe(0);
    await clock.advance(3 * secondMs);
    expect(pingsIn(socket)).toBe(1);
    // Anything that comes says that somebody is there.
    client.handler.data(headers(1, [[":status", "200"]], false));
    await clock.advance(limits.h2PingMs - secondMs);
    expect([pingsIn(socket), heard.failure]).toEqual([1, null]);
    await clock.advance(3 * secondMs + limits.h2PingAnswerMs + 2 * secondMs);
    expect([heard.failure?.flag, heard.failure?.repeat, socket.ends]).toEqual(["UR", "no", ["reset"]]);
    expect(events).toEqual(["h2PingAnswerMs", "retired"]);
  });

  test("on loopback is not asked", async () => {
    const { clock, socket } = serverSide(profiles.local);
    socket.handler.data(concat(opening, settingsAck, headers(1, getFields)));
    await clock.advance(60 * secondMs);
    expect([pingsIn(socket), socket.ends]).toEqual([0, []]);
  });

  test("whose peer takes nothing at all is reset", async () => {
    const { clock, socket, exchanges, tripped, left } = serverSide(profiles.local);
    socket.handler.data(concat(opening, settingsAck, headers(1, getFields)));
    socket.room = 10;
    exchanges[0]?.respond(200, null, noEdits, -1);
    await clock.advance(limits.writeStallMs - secondMs);
    expect(socket.ends).toEqual([]);
    await clock.advance(4 * secondMs);
    expect([socket.ends, tripped]).toEqual([["reset"], ["writeStallMs"]]);
    socket.handler.close(null);
    expect(left.length).toBe(1);
  });
});

describe("a stream", () => {
  test("whose body stands still is answered with 408, and its handler told", async () => {
    const { clock, socket, tripped, left } = serverSide(profiles.local);
    // Enough at first for the floor of a minute.
    const first = data(1, "a".repeat(60 * limits.bodyBytesPerSecondMin));
    socket.handler.data(concat(opening, settingsAck, headers(1, postFields, false), first));
    await clock.advance(20 * secondMs);
    socket.handler.data(data(1, "a"));
    await clock.advance(20 * secondMs);
    expect(tripped).toEqual([]);
    await clock.advance(12 * secondMs);
    expect([tripped, left.length]).toEqual([["bodyProgressMs"], 1]);
    const answer = Buffer.concat(
      socket.frames.filter(({ streamId }) => streamId === 1).map(({ payload }) => payload),
    );
    expect(answer.toString("latin1")).toContain("408");
  });

  test("of gRPC, or that was answered already, or that nobody takes, may be silent", async () => {
    const { clock, socket, exchanges, tripped } = serverSide(profiles.local);
    const grpc = [...postFields, ["content-type", "application/grpc+proto"]] as const;
    socket.handler.data(
      concat(
        opening,
        settingsAck,
        headers(1, grpc, false),
        headers(3, postFields, false),
        headers(5, postFields, false),
      ),
    );
    exchanges[1]?.respond(200, null, noEdits, -1);
    exchanges[2]?.pause();
    await clock.advance(120 * secondMs);
    expect(tripped).toEqual([]);
  });

  test("whose body drips below the floor is answered with 408, and its handler told", async () => {
    const { clock, socket, tripped, left } = serverSide(profiles.local);
    socket.handler.data(concat(opening, settingsAck, headers(1, postFields, false)));
    for (let second = 0; second < 9; second++) {
      socket.handler.data(data(1, "a".repeat(limits.bodyBytesPerSecondMin - 40)));
      await clock.advance(secondMs);
    }
    expect([tripped, left]).toEqual([[], []]);
    await clock.advance(3 * secondMs);
    expect([tripped, left.length]).toEqual([["bodyBytesPerSecondMin"], 1]);
    const frames = socket.frames.filter(({ streamId }) => streamId === 1);
    expect(frames.map(({ type }) => type)).toEqual([
      frameTypes.headers,
      frameTypes.data,
      frameTypes.rstStream,
    ]);
    expect(Buffer.concat(frames.map(({ payload }) => payload)).toString("latin1")).toContain("408");
    expect(get32(frames[2]?.payload as Uint8Array, 0)).toBe(errorCodes.noError);
    expect(socket.ends).toEqual([]);
  });

  test("whose body nobody took for long is its client's business only from then on", async () => {
    const { clock, socket, exchanges, tripped } = serverSide(profiles.local);
    socket.handler.data(concat(opening, settingsAck, headers(1, postFields, false)));
    exchanges[0]?.pause();
    await clock.advance(100 * secondMs);
    exchanges[0]?.resume();
    await clock.advance(8 * secondMs);
    expect(tripped).toEqual([]);
    await clock.advance(4 * secondMs);
    expect(tripped).toEqual(["bodyBytesPerSecondMin"]);
  });

  test("whose client waits to be told to go on is asked for nothing before", async () => {
    const { clock, socket, exchanges, tripped } = serverSide(profiles.local);
    const expecting = [...postFields, ["expect", "100-continue"]] as const;
    socket.handler.data(concat(opening, settingsAck, headers(1, expecting, false)));
    await clock.advance(60 * secondMs);
    exchanges[0]?.inform(100, null, noEdits);
    await clock.advance(8 * secondMs);
    expect(tripped).toEqual([]);
    await clock.advance(4 * secondMs);
    expect(tripped).toEqual(["bodyBytesPerSecondMin"]);
  });

  test("that its service declared to be one may be as slow as it likes", async () => {
    const { clock, socket, exchanges, tripped } = serverSide(profiles.local);
    socket.handler.data(concat(opening, settingsAck, headers(1, postFields, false)));
    exchanges[0]?.liftTimeouts();
    await clock.advance(120 * secondMs);
    expect(tripped).toEqual([]);
  });

  test("whose peer opens no window is reset, though it says something every while", async () => {
    const { clock, socket, exchanges, tripped, left } = serverSide(profiles.local);
    const parts = [preface, settings([4, 10]), settingsAck, headers(1, getFields), headers(3, getFields)];
    socket.handler.data(concat(...parts));
    await clock.advance(limits.h2SlowedTickMs);
    exchanges[0]?.respond(200, null, noEdits, -1);
    exchanges[0]?.write(bytesOf("more than fits"));
    for (let round = 0; round < 8; round++) {
      await clock.advance(5 * secondMs);
      socket.handler.data(frame(frameTypes.windowUpdate, 0, 0, number32(1)));
    }
    expect([tripped, left.length]).toEqual([["h2SlowedRequestsPerTickMax", "writeStallMs"], 1]);
    const resets = socket.frames.filter(({ type }) => type === frameTypes.rstStream);
    expect(resets.map(({ streamId, payload }) => [streamId, get32(payload, 0)])).toEqual([
      [1, errorCodes.cancel],
    ]);
    expect(socket.ends).toEqual([]);
  });

  test("is reset at once when its client closed its side and left no room for the answer, and others are answered", async () => {
    const { clock, socket, server, exchanges, left, tripped } = serverSide(profiles.local);
    const requests = [1, 3, 5, 7].map((id) => headers(id, getFields));
    socket.handler.data(concat(preface, settings([4, 10]), settingsAck, ...requests));
    await clock.advance(8 * limits.h2SlowedTickMs);
    const [before, behind, empty, small] = exchanges;
    before?.respond(200, null, noEdits, -1);
    before?.write(bytesOf("more than fits"));
    socket.handler.end();
    expect(left.length).toBe(1);
    behind?.respond(200, null, noEdits, -1);
    behind?.write(bytesOf("more than fits"));
    empty?.respond(204, null, noEdits, 0);
    empty?.end(null);
    await clock.advance(2 * secondMs);
    expect(left.length).toBe(2);
    expect(socket.ends).toEqual([]);
    small?.respond(200, null, noEdits, 5);
    small?.write(bytesOf("small"));
    small?.end(null);
    await clock.advance(secondMs);
    const resets = socket.frames.filter(({ type }) => type === frameTypes.rstStream);
    expect(resets.map(({ streamId }) => streamId)).toEqual([1, 3]);
    expect(socket.ends[0]).toBe("shutdown");
    expect([tripped, server.retiring]).toEqual([["h2SlowedRequestsPerTickMax"], false]);
  });
});

describe("a client that gives up many calls before they are answered", () => {
  const resetsIn = (socket: FakeSocket): number =>
    socket.frames.filter(({ type }) => type === frameTypes.rstStream).length;

  function giveUp(client: Http2Client, count: number): Heard[] {
    return Array.from({ length: count }, () => {
      const heard = new Heard();
      client.start(request({}), noEdits, heard).cancel();
      return heard;
    });
  }

  test("sends no more early resets than the other side stands, and the others once they are not early", async () => {
    const { clock, socket, client } = clientSide();
    socket.handler.data(settings([3, 2_000]));
    giveUp(client, 200);
    await clock.advance(0);
    const early = resetsIn(socket);
    expect(early).toBeGreaterThan(0);
    expect(early).toBeLessThanOrEqual(limits.h2ResetsMax / 2);
    expect(client.streams.size).toBe(200 - early);
    await clock.advance(limits.h2ResetEarlyMs);
    expect(resetsIn(socket)).toBe(early);
    await clock.advance(3 * secondMs);
    expect([resetsIn(socket), client.streams.size]).toEqual([200, 0]);
  });

  test("lets an answer that nobody wants any more pass, and stops what is left of it", async () => {
    const { clock, socket, client } = clientSide();
    socket.handler.data(settings([3, 2_000]));
    const heard = giveUp(client, 100);
    await clock.advance(0);
    const [one, other] = client.streams.all().map(({ id }) => id) as [number, number];
    const ok = [[":status", "200"]] as const;
    const before = resetsIn(socket);
    socket.handler.data(concat(headers(one, ok), headers(other, ok, false), data(other, "late")));
    await clock.advance(0);
    expect([client.streams.has(one), client.streams.has(other)]).toEqual([false, false]);
    expect(resetsIn(socket)).toBe(before + 1);
    expect(heard.every((each) => each.answer === null && each.failure === null)).toBe(true);
  });

  test("does not end the connection that others share", async () => {
    const clock = new ManualClock();
    const near = clientSide(clock);
    const far = serverSide(profiles.mesh, clock);
    const pass = async (): Promise<void> => {
      for (let each = 0; each < 3; each++) {
        await clock.advance(0);
        far.socket.handler.data(near.socket.take());
        await clock.advance(0);
        near.socket.handler.data(far.socket.take());
      }
    };
    await pass();
    const bystander = new Heard();
    near.client.start(request({}), noEdits, bystander);
    for (let turn = 0; turn < 10; turn++) {
      giveUp(near.client, 20);
      await pass();
    }
    expect([far.tripped, goawayOf(far.socket)]).toEqual([[], null]);
    far.exchanges[0]?.respond(204, null, noEdits, -1);
    far.exchanges[0]?.end(null);
    await pass();
    expect([bystander.answer?.status, bystander.failure]).toEqual([204, null]);
  });
});

test("what one turn writes leaves in one system call, whatever number of streams it is for", async () => {
  const { clock, socket, exchanges } = serverSide(profiles.local);
  socket.handler.data(concat(opening, settingsAck));
  await clock.advance(1);
  const before = socket.writes;
  const handled = exchanges.length;
  socket.handler.data(concat(headers(1, getFields), headers(3, getFields)));
  for (const exchange of exchanges.slice(handled)) {
    exchange.respond(200, null, noEdits, 2);
    exchange.write(bytesOf("ok"));
    exchange.end(null);
  }
  await clock.advance(1);
  expect(socket.writes - before).toBe(1);
  const sent = socket.frames.filter(({ streamId }) => streamId > 0);
  expect(sent.map(({ type, flags }) => [type, flags])).toEqual([
    [frameTypes.headers, 4],
    [frameTypes.data, 1],
    [frameTypes.headers, 4],
    [frameTypes.data, 1],
  ]);
});

test("what the kernel does not take waits, and goes on when it takes more", async () => {
  const { clock, socket, exchanges } = serverSide(profiles.local);
  const wide = concat(
    preface,
    settings([4, 1 << 20]),
    frame(frameTypes.windowUpdate, 0, 0, number32(1 << 20)),
  );
  socket.handler.data(concat(wide, settingsAck, headers(1, getFields), headers(3, getFields)));
  socket.room = 100_000;
  const pieces = exchanges.map((exchange) => {
    exchange.respond(200, null, noEdits, 300_000);
    const goOn = exchange.write(new Uint8Array(300_000));
    exchange.end(null);
    return goOn;
  });
  expect(pieces).toEqual([false, false]);
  const sent = (id: number): number =>
    socket.frames
      .filter(({ type, streamId }) => type === frameTypes.data && streamId === id)
      .reduce((sum, { payload }) => sum + payload.length, 0);
  for (let round = 0; round < 10; round++) {
    socket.room = 100_000;
    socket.handler.drain();
    await clock.advance(1);
  }
  expect([sent(1), sent(3)]).toEqual([300_000, 300_000]);
});

test("one turn reads a bounded number of frames, the next ones the rest", async () => {
  const { clock, socket, exchanges } = serverSide(profiles.mesh);
  const many = Array.from({ length: 200 }, (_, at) => headers(at * 2 + 1, getFields));
  const bytes = concat(opening, ...many);
  socket.handler.data(bytes);
  bytes.fill(0);
  expect(exchanges.length).toBe(limits.h2FramesPerTurnMax - 1);
  expect(socket.paused).toBe(true);
  await clock.advance(1);
  expect([exchanges.length, socket.paused]).toEqual([200, false]);
});

test("one turn takes a bounded number of requests from a local client, the next ones the rest", async () => {
  const { clock, socket, exchanges } = serverSide(profiles.local);
  const count = 3 * limits.h2LocalRequestsPerTurnMax + 1;
  const heads = Array.from({ length: count }, (_, at) => headers(2 * at + 1, getFields));
  socket.handler.data(concat(opening, settingsAck, ...heads));
  expect(exchanges.length).toBe(limits.h2LocalRequestsPerTurnMax);
  await clock.advance(0);
  expect([exchanges.length, socket.paused]).toEqual([count, false]);
});

test("clients that leave no room for answers begin few requests a tick, all of them together", async () => {
  const clock = new ManualClock();
  const shard = new Shard(clock);
  const each = 7;
  const heads = Array.from({ length: each }, (_, at) => headers(2 * at + 1, getFields));
  const small = settings([4, limits.h2StreamWindowBytesMin - 1]);
  const sides = Array.from({ length: 8 * limits.h2SlowedRequestsPerTickMax }, () =>
    serverSide(profiles.local, clock, shard),
  );
  for (const { socket } of sides) socket.handler.data(concat(preface, small, settingsAck, ...heads));
  expect(sides.map(({ socket }) => socket.paused)).toEqual(sides.map(() => true));
  const begun = (): number => sides.reduce((sum, { exchanges }) => sum + exchanges.length, 0);
  for (let tick = 0; tick < 3 * sides.length; tick++) {
    expect(begun()).toBe(tick * limits.h2SlowedRequestsPerTickMax);
    await clock.advance(limits.h2SlowedTickMs);
  }
  const beside = serverSide(profiles.local, clock, shard);
  beside.socket.handler.data(concat(opening, settingsAck, ...heads));
  expect(beside.exchanges.length).toBe(each);
  await clock.advance(each * sides.length * limits.h2SlowedTickMs);
  expect(sides.map(({ exchanges }) => exchanges.length)).toEqual(sides.map(() => each));
});

test("while many of their streams are under way, clients that leave no room begin fewer still, and more once some ended", async () => {
  const clock = new ManualClock();
  const shard = new Shard(clock);
  const { socket, exchanges, server } = serverSide(profiles.local, clock, shard);
  const count = limits.h2WindowlessStreamsMax + 20;
  const heads = Array.from({ length: count }, (_, at) => headers(2 * at + 1, getFields));
  socket.handler.data(concat(preface, settings([4, 0]), settingsAck, ...heads));
  const free = limits.h2WindowlessStreamsMax + 1;
  await clock.advance((free + 2) * limits.h2SlowedTickMs);
  const before = exchanges.length;
  expect(before).toBeGreaterThanOrEqual(free);
  await clock.advance(5 * limits.h2SlowedLongTickMs);
  expect(exchanges.length - before).toBe(5 * limits.h2SlowedRequestsPerTickMax);
  for (const exchange of exchanges) {
    exchange.respond(204, null, noEdits, -1);
    exchange.end(null);
  }
  await clock.advance(limits.h2SlowedLongTickMs + 20 * limits.h2SlowedTickMs);
  expect([exchanges.length, server.streams.size]).toEqual([count, count - before - 5]);
  socket.handler.close(null);
  expect(shard.windowlessStreams).toBe(0);
});

test("streams that began with room do not make up for those that began without", async () => {
  const clock = new ManualClock();
  const shard = new Shard(clock);
  const { socket, exchanges } = serverSide(profiles.local, clock, shard);
  const data = (...frames: Uint8Array[]): void => socket.handler.data(concat(...frames));
  data(preface, settings([4, 0]), settingsAck, headers(1, getFields), headers(3, getFields));
  await clock.advance(4 * limits.h2SlowedTickMs);
  data(settings([4, 65_535]), headers(5, getFields), headers(7, getFields));
  await clock.advance(1);
  expect([exchanges.length, shard.windowlessStreams]).toEqual([4, 2]);
  for (const exchange of exchanges.slice(2)) {
    exchange.respond(204, null, noEdits, -1);
    exchange.end(null);
  }
  await clock.advance(1);
  expect(shard.windowlessStreams).toBe(2);
  socket.handler.close(null);
  expect(shard.windowlessStreams).toBe(0);
});

test("a client that resets most of what it opens has one request read a tick, and others beside it all of theirs", async () => {
  const clock = new ManualClock();
  const shard = new Shard(clock);
  const { socket, exchanges, server, tripped } = serverSide(profiles.local, clock, shard);
  const reset = (id: number): Uint8Array => frame(frameTypes.rstStream, 0, id, number32(errorCodes.cancel));
  const pair = (at: number): Uint8Array => concat(headers(2 * at + 1, getFields), reset(2 * at + 1));
  const pairs = (from: number, count: number): Uint8Array =>
    concat(...Array.from({ length: count }, (_, at) => pair(from + at)));
  socket.handler.data(concat(opening, settingsAck));
  for (let at = 0; at < limits.h2ResetsFreeMax; at++) socket.handler.data(pair(at));
  const { streams } = server.guard;
  expect([streams, socket.paused]).toEqual([limits.h2ResetsFreeMax, false]);
  socket.handler.data(pairs(limits.h2ResetsFreeMax, 10));
  expect([server.guard.streams - streams, socket.paused]).toEqual([1, true]);
  const beside = serverSide(profiles.local, clock, shard);
  beside.socket.handler.data(concat(opening, settingsAck, headers(1, getFields), headers(3, getFields)));
  expect(beside.exchanges.length).toBe(2);
  for (let tick = 2; tick <= 4; tick++) {
    await clock.advance(limits.h2SlowedTickMs);
    expect(server.guard.streams - streams).toBe(tick * limits.h2SlowedRequestsPerTickMax);
  }
  await clock.advance(20 * limits.h2SlowedTickMs);
  expect([server.guard.streams - streams, socket.paused]).toEqual([10, false]);
  expect([exchanges.length, tripped]).toEqual([0, ["h2SlowedRequestsPerTickMax"]]);
});

test("a request that is reset in the same breath is not handled, counts as early, and leaves its place", async () => {
  const { clock, socket, exchanges, server, tripped } = serverSide(profiles.local);
  const reset = (id: number): Uint8Array => frame(frameTypes.rstStream, 0, id, number32(errorCodes.cancel));
  socket.handler.data(
    concat(
      opening,
      settingsAck,
      headers(1, getFields),
      headers(3, getFields),
      reset(3),
      headers(5, postFields, false),
    ),
  );
  expect(exchanges.map(({ request }) => request.method)).toEqual(["GET", "POST"]);
  expect(server.streams.size).toBe(2);
  for (let id = 7; id < 7 + 4 * limits.h2ResetsMax; id += 2) {
    socket.handler.data(concat(headers(id, getFields), reset(id)));
    await clock.advance(0);
  }
  expect([exchanges.length, tripped]).toEqual([2, ["h2ResetsMax"]]);
});

test("a body in the same breath reaches its handler as it came", async () => {
  const { socket, exchanges } = serverSide(profiles.local);
  socket.handler.data(
    concat(
      opening,
      settingsAck,
      headers(1, postFields, false),
      data(1, "one"),
      headers(3, getFields),
      data(1, "", true),
    ),
  );
  expect(exchanges.map(({ request }) => request.method)).toEqual(["POST", "GET"]);
});

test("an idle connection holds no buffers", async () => {
  const count = 2_000;
  const clock = new ManualClock();
  const shard = new Shard(clock);
  Bun.gc(true);
  const before = process.memoryUsage().heapUsed;
  const kept = Array.from({ length: count }, () => {
    const each = serverSide(profiles.mesh, clock, shard);
    each.socket.handler.data(concat(opening, settingsAck));
    return each;
  });
  await clock.advance(1);
  for (const { socket } of kept) socket.written = new Uint8Array(0);
  Bun.gc(true);
  const each = (process.memoryUsage().heapUsed - before) / count;
  expect(kept.length).toBe(count);
  expect(each).toBeLessThan(6 * 1024);
});
