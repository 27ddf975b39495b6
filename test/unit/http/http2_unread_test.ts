/**
 * A connection that this side leaves unread for a while, because many others wait before it: whatever its client sent meanwhile
 * stands behind what was read, so no timer may blame the client for that time. Time stands still unless a test moves it.
 */
import { describe, expect, test } from "bun:test";
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
  preface,
  settings,
} from "../../support/h2_frames.ts";
import { TakenExchanges } from "../../support/taken_exchanges.ts";

const secondMs = 1_000;
const settingsAck = frame(frameTypes.settings, frameFlags.ack, 0);
/** Leaves no room for answers, so that its client has time. */
const windowless = [preface, settings([4, 0])] as const;
const postFields = [[":method", "POST"], ...getFields.slice(1)] as const;

function serverSide(profile: Profile = profiles.local) {
  const clock = new ManualClock();
  const shard = new Shard(clock);
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
  /** Others that wait before it: it has no turn before they had theirs. */
  const hold = (ms: number): void => {
    for (let each = 0; each < ms / limits.h2SlowedTickMs; each++) shard.slowed.wait({ goOn: () => 1 });
  };
  const goaway = (): number | null => {
    const last = socket.frames.filter(({ type }) => type === frameTypes.goaway).at(-1);
    return last === undefined ? null : get32(last.payload, 4);
  };
  return { clock, socket, server, tripped, exchanges, left, hold, goaway };
}

/** SETTINGS were exchanged, and all that came was read. */
async function begin(socket: FakeSocket, clock: ManualClock): Promise<void> {
  socket.handler.data(concat(...windowless, settingsAck));
  await clock.advance(limits.h2SlowedLongTickMs);
}

/** So much time passes; what timers cause by promises is awaited ten times a second, not after each of thousands of timers. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  const stepMs = secondMs / 10;
  for (let left = ms; left > 0; left -= stepMs) {
    clock.step(Math.min(left, stepMs));
    await clock.advance(0);
  }
}

const slowed = ["h2SlowedRequestsPerTickMax"];

describe("while a connection is left unread", () => {
  test("its acknowledgement of SETTINGS may stand behind requests, and counts from when it is read", async () => {
    for (const acknowledges of [true, false]) {
      const { clock, socket, tripped, hold, goaway, exchanges } = serverSide();
      hold(3 * limits.h2SettingsMs);
      const last = acknowledges ? settingsAck : new Uint8Array(0);
      socket.handler.data(concat(...windowless, headers(1, getFields), headers(3, getFields), last));
      expect(socket.paused).toBe(true);
      await pass(clock, 3 * limits.h2SettingsMs + secondMs);
      expect([exchanges.length, socket.paused, tripped, goaway()]).toEqual([2, false, slowed, null]);
      await pass(clock, limits.h2SettingsMs - 2 * secondMs);
      expect(goaway()).toBeNull();
      await pass(clock, 4 * secondMs);
      expect(goaway()).toBe(acknowledges ? null : errorCodes.settingsTimeout);
    }
  });

  test("the rest of a header block may stand behind what was read", async () => {
    const { clock, socket, tripped, hold, goaway, exchanges } = serverSide();
    await begin(socket, clock);
    hold(2 * limits.headMs);
    const block = blockOf(getFields);
    const idle = Array.from({ length: limits.h2FramesPerTurnMax - 1 }, () =>
      frame(frameTypes.priority, 0, 1, concat(number32(0), Uint8Array.of(1))),
    );
    const begun = frame(frameTypes.headers, frameFlags.endStream, 1, block.subarray(0, 3));
    const ended = frame(frameTypes.continuation, frameFlags.endHeaders, 1, block.subarray(3));
    socket.handler.data(concat(...idle, begun, ended));
    expect([exchanges.length, socket.paused]).toEqual([0, true]);
    await pass(clock, 2 * limits.headMs + secondMs);
    expect([exchanges.length, tripped, goaway()]).toEqual([1, slowed, null]);
  });

  test("the body of a request may", async () => {
    const { clock, socket, tripped, hold, exchanges, left } = serverSide();
    await begin(socket, clock);
    hold(limits.bodyProgressMs + limits.bodyGraceMs);
    socket.handler.data(concat(headers(1, postFields, false), headers(3, getFields), data(1, "body")));
    await pass(clock, limits.bodyProgressMs + limits.bodyGraceMs + secondMs);
    expect([exchanges.length, left.length, tripped]).toEqual([2, 0, slowed]);
    exchanges[1]?.respond(200, null, noEdits, 0);
    exchanges[1]?.end(null);
    await pass(clock, limits.bodyGraceMs + 2 * secondMs);
    expect([left.length, tripped]).toEqual([1, [...slowed, "bodyBytesPerSecondMin"]]);
  });

  test("the room that it gives for an answer may, but not without end", async () => {
    for (const times of [1.5, 3]) {
      const { clock, socket, tripped, hold, exchanges, left } = serverSide();
      await begin(socket, clock);
      socket.handler.data(headers(1, getFields));
      exchanges[0]?.respond(200, null, noEdits, -1);
      exchanges[0]?.write(bytesOf("answer"));
      hold(times * limits.writeStallMs);
      const room = frame(frameTypes.windowUpdate, 0, 1, number32(100));
      socket.handler.data(concat(headers(3, getFields), headers(5, getFields), room));
      await pass(clock, times * limits.writeStallMs + secondMs);
      const answer = socket.frames.filter(({ type, streamId }) => type === frameTypes.data && streamId === 1);
      const good = times < 2;
      expect([left.length, answer.length]).toEqual(good ? [0, 1] : [1, 0]);
      expect(tripped).toEqual(good ? slowed : [...slowed, "writeStallMs"]);
    }
  });

  test("its answer to a PING may", async () => {
    const { clock, socket, tripped, hold, goaway } = serverSide(profiles.mesh);
    await begin(socket, clock);
    hold(3 * limits.h2PingMs);
    socket.handler.data(concat(headers(1, getFields), headers(3, getFields)));
    await pass(clock, 3 * limits.h2PingMs + secondMs);
    expect([socket.ends, tripped, goaway()]).toEqual([[], slowed, null]);
    await pass(clock, limits.h2PingMs + limits.h2PingAnswerMs + 3 * secondMs);
    expect(tripped).toEqual([...slowed, "h2PingAnswerMs"]);
  });

  test("requests that it sent before it heard of the end may, and are still taken", async () => {
    const { clock, socket, server, hold, exchanges } = serverSide();
    await begin(socket, clock);
    hold(2 * limits.h2PingAnswerMs);
    const requests = [headers(1, getFields), headers(3, getFields)];
    const answered = frame(frameTypes.ping, frameFlags.ack, 0, Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0));
    socket.handler.data(concat(...requests, answered));
    server.retire();
    await pass(clock, 2 * limits.h2PingAnswerMs + secondMs);
    expect(exchanges.length).toBe(2);
    expect(socket.frames.some(({ type }) => type === frameTypes.rstStream)).toBe(false);
  });

  test("it is not idle", async () => {
    const { clock, socket, hold, exchanges, goaway } = serverSide();
    await begin(socket, clock);
    hold(limits.keepAliveInboundMs + 5 * secondMs);
    socket.handler.data(concat(headers(1, getFields), headers(3, getFields)));
    exchanges[0]?.respond(200, null, noEdits, 0);
    exchanges[0]?.end(null);
    await pass(clock, limits.keepAliveInboundMs + 6 * secondMs);
    expect([exchanges.length, goaway(), socket.ends]).toEqual([2, null, []]);
  });
});

test("a look that comes late blames nobody: this process itself stood still", async () => {
  const { clock, socket, goaway } = serverSide();
  socket.handler.data(preface);
  await pass(clock, secondMs);
  clock.stall(2 * limits.h2SettingsMs);
  await pass(clock, secondMs);
  expect(goaway()).toBeNull();
  socket.handler.data(concat(settings(), settingsAck));
  await pass(clock, 2 * limits.h2SettingsMs);
  expect([goaway(), socket.ends]).toEqual([null, []]);
});
