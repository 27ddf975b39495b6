/** The law of an HTTP/2 connection frame by frame: what may come where, and what it says of what may not. No sockets. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../../src/model/limits.ts";
import { BlockReader } from "../../../../src/wire/h2/block_reader.ts";
import { FloodGuard } from "../../../../src/wire/h2/flood_guard.ts";
import { wants } from "../../../../src/wire/h2/frame_reader.ts";
import { FrameRules } from "../../../../src/wire/h2/frame_rules.ts";
import { errorCodes, frameFlags, frameTypes } from "../../../../src/wire/h2/frames.ts";
import { PeerSettings, profiles } from "../../../../src/wire/h2/settings.ts";

const { data, headers, priority, rstStream, pushPromise, ping, goaway, windowUpdate, continuation } =
  frameTypes;
const { frameSizeError, protocolError, flowControlError, enhanceYourCalm } = errorCodes;
const settingsType = frameTypes.settings;
const frameMax = profiles.local.frameBytesMax;

class Side {
  readonly peer = new PeerSettings();
  readonly blocks = new BlockReader(limits.requestHeadBytesMax, limits.trailerBytesMax);
  readonly rules: FrameRules;

  /** `known`: the SETTINGS of the peer came. Streams up to 5 were opened. */
  constructor(known = true) {
    this.peer.known = known;
    this.rules = new FrameRules(profiles.local, this.peer, this.blocks, new FloodGuard());
    this.rules.highestId = 5;
  }

  begins(type: number, flags: number, streamId: number, length: number): number {
    return this.rules.begins(type, flags, streamId, length, 7);
  }

  /** A header block of that stream has begun, and goes on. */
  opened(streamId: number): this {
    expect(this.begins(headers, 0, streamId, 1)).toBe(wants.whole);
    expect(this.blocks.take(0, streamId, Uint8Array.of(0x82), 0, 1)).toBeNull();
    return this;
  }
}

type Frame = readonly [type: number, flags: number, streamId: number, length: number];

describe("is taken", () => {
  const cases: Readonly<Record<string, Frame>> = {
    "DATA of an open stream": [data, 0, 5, 10],
    "DATA that is as long as SETTINGS allow": [data, 0, 5, frameMax],
    "HEADERS of a new stream": [headers, frameFlags.endHeaders, 7, 10],
    "PRIORITY of a stream that never began": [priority, 0, 9, 5],
    "RST_STREAM of a stream that is over": [rstStream, 0, 1, 4],
    SETTINGS: [settingsType, 0, 0, 12],
    "SETTINGS without a setting": [settingsType, 0, 0, 0],
    "an acknowledgement of SETTINGS": [settingsType, frameFlags.ack, 0, 0],
    PING: [ping, 0, 0, 8],
    "GOAWAY with a reason": [goaway, 0, 0, 20],
    "WINDOW_UPDATE of the connection": [windowUpdate, 0, 0, 4],
    "WINDOW_UPDATE of a stream": [windowUpdate, 0, 3, 4],
  };
  for (const [what, frame] of Object.entries(cases))
    test(what, () => {
      const { rules } = new Side();
      expect([rules.begins(...frame, 7), rules.fault]).toEqual([wants.whole, null]);
    });

  test("CONTINUATION of the stream whose block is open", () => {
    expect(new Side().opened(7).begins(continuation, frameFlags.endHeaders, 7, 10)).toBe(wants.whole);
  });

  test("a frame of a type that nobody knows, whose payload is passed over", () => {
    expect(new Side().begins(99, 0xff, 6, 10)).toBe(wants.skipped);
  });
});

describe("ends the connection", () => {
  const cases: Readonly<Record<string, readonly [Frame, code: number]>> = {
    "a frame that is longer than SETTINGS allow": [[data, 0, 5, frameMax + 1], frameSizeError],
    "DATA of no stream": [[data, 0, 0, 1], protocolError],
    "DATA of a stream that never began": [[data, 0, 7, 1], protocolError],
    "DATA of a stream that only a server could open": [[data, 0, 4, 1], protocolError],
    "HEADERS of no stream": [[headers, 0, 0, 1], protocolError],
    "CONTINUATION of nothing": [[continuation, 0, 5, 1], protocolError],
    "PRIORITY of no stream": [[priority, 0, 0, 5], protocolError],
    "PRIORITY of another size": [[priority, 0, 5, 4], frameSizeError],
    "RST_STREAM of no stream": [[rstStream, 0, 0, 4], protocolError],
    "RST_STREAM of a stream that never began": [[rstStream, 0, 7, 4], protocolError],
    "RST_STREAM of another size": [[rstStream, 0, 5, 5], frameSizeError],
    "SETTINGS of a stream": [[settingsType, 0, 1, 6], protocolError],
    "an acknowledgement of SETTINGS that says something": [
      [settingsType, frameFlags.ack, 0, 6],
      frameSizeError,
    ],
    "more settings than there are": [[settingsType, 0, 0, limits.h2SettingsBytesMax + 6], enhanceYourCalm],
    PUSH_PROMISE: [[pushPromise, 0, 5, 10], protocolError],
    "PING of a stream": [[ping, 0, 1, 8], protocolError],
    "PING of another size": [[ping, 0, 0, 7], frameSizeError],
    "GOAWAY of a stream": [[goaway, 0, 1, 8], protocolError],
    "GOAWAY that is too short": [[goaway, 0, 0, 7], frameSizeError],
    "WINDOW_UPDATE of a stream that never began": [[windowUpdate, 0, 9, 4], protocolError],
    "WINDOW_UPDATE of another size": [[windowUpdate, 0, 0, 3], frameSizeError],
  };
  for (const [what, [frame, code]] of Object.entries(cases))
    test(what, () => {
      const { rules } = new Side();
      expect([rules.begins(...frame, 7), rules.fault?.code]).toEqual([wants.nothingMore, code]);
    });

  const early: Readonly<Record<string, Frame>> = {
    "any frame but SETTINGS at its beginning": [ping, 0, 0, 8],
    "an acknowledgement of SETTINGS at its beginning": [settingsType, frameFlags.ack, 0, 0],
  };
  for (const [what, frame] of Object.entries(early))
    test(what, () => {
      const { rules } = new Side(false);
      expect([rules.begins(...frame, 7), rules.fault?.code]).toEqual([wants.nothingMore, protocolError]);
      const good = new Side(false);
      expect(good.begins(settingsType, 0, 0, 0)).toBe(wants.whole);
    });

  const inside: Readonly<Record<string, Frame>> = {
    "inside of a header block, a frame of another type": [data, 0, 5, 1],
    "inside of a header block, CONTINUATION of another stream": [continuation, 0, 5, 1],
    "inside of a header block, a frame of a type that nobody knows": [99, 0, 0, 1],
  };
  for (const [what, frame] of Object.entries(inside))
    test(what, () => {
      const side = new Side().opened(7);
      expect([side.begins(...frame), side.rules.fault?.code]).toEqual([wants.nothingMore, protocolError]);
    });

  test("a header block in more pieces than a head takes", () => {
    const side = new Side().opened(7);
    for (let piece = 0; piece < limits.h2ContinuationsMax; piece++)
      expect(side.begins(continuation, 0, 7, 1)).toBe(wants.whole);
    expect(side.begins(continuation, 0, 7, 1)).toBe(wants.nothingMore);
    expect(side.rules.fault).toMatchObject({ code: enhanceYourCalm, limit: "h2ContinuationsMax" });
  });

  test("one more frame that nobody knows than its budget has, by the name of the limit", () => {
    const side = new Side();
    for (let frame = 0; frame < limits.h2PrioritiesPerStreamMax; frame++)
      expect(side.begins(99, 0, 0, 0)).toBe(wants.skipped);
    expect(side.begins(99, 0, 0, 0)).toBe(wants.nothingMore);
    expect(side.rules.fault).toMatchObject({ code: enhanceYourCalm, limit: "h2PrioritiesPerStreamMax" });
  });

  test("SETTINGS and PING beyond their budget", () => {
    const { rules } = new Side();
    for (let frame = 0; frame < limits.h2ControlBurstMax; frame++) expect(rules.control(0)).toBe(true);
    expect([rules.control(0), rules.fault?.limit]).toEqual([false, "h2ControlBurstMax"]);
  });

  test("a window of the connection that grows by nothing; that of a stream is no matter of the connection", () => {
    const { rules } = new Side();
    expect(rules.windowUpdate(5, 0)).toBe(true);
    expect([rules.windowUpdate(0, 0), rules.fault?.code]).toEqual([false, protocolError]);
  });

  test("a stream that depends on itself", () => {
    const { rules } = new Side();
    expect(rules.priority(5, 3)).toBe(true);
    expect([rules.priority(5, 5), rules.fault?.code]).toEqual([false, protocolError]);
  });

  test("with the first thing that was wrong", () => {
    const { rules } = new Side();
    rules.begins(ping, 0, 0, 7, 7);
    rules.begins(pushPromise, 0, 1, 7, 7);
    expect(rules.fault?.code).toBe(frameSizeError);
  });
});

describe("the window of the connection", () => {
  const window = profiles.local.connectionWindowBytes;

  test("takes as much as was announced, padding included, and not a byte more", () => {
    const { rules } = new Side();
    expect(rules.data(window - 20, window, true, false)).toBe(true);
    expect([rules.data(0, 1, true, false), rules.fault?.code]).toEqual([false, flowControlError]);
  });

  test("opens again by all that came, once that is half of it", () => {
    const { rules } = new Side();
    rules.data(window / 2 - 1, window / 2 - 1, true, false);
    expect(rules.takeCredit()).toBe(0);
    rules.data(1, 1, true, false);
    expect(rules.takeCredit()).toBe(window / 2);
    expect(rules.takeCredit()).toBe(0);
    expect(rules.data(window, window, true, false)).toBe(true);
  });
});

test("empty DATA that does not end its stream is counted by whole frames", () => {
  const { rules } = new Side();
  for (let frame = 0; frame < limits.h2EmptyDataMax; frame++)
    expect(rules.data(0, 0, true, false)).toBe(true);
  expect(rules.data(1, 1, false, false)).toBe(true);
  rules.begins(data, 0, 5, 0, 7);
  expect(rules.data(0, 0, true, true)).toBe(true);
  rules.begins(data, 0, 5, 0, 7);
  for (let frame = 0; frame < limits.h2EmptyDataMax; frame++)
    expect(rules.data(0, 0, true, false)).toBe(true);
  expect([rules.data(0, 0, true, false), rules.fault?.limit]).toEqual([false, "h2EmptyDataMax"]);
});
