import { afterEach, describe, expect, test } from "bun:test";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import type { RequestSink, ServerExchange } from "../../../src/http/exchange.ts";
import { limits } from "../../../src/model/limits.ts";
import type { Outcome } from "../../../src/model/outcome.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { errorCodes, frameFlags, frameTypes, get31 } from "../../../src/wire/h2/frames.ts";
import { profiles, type Profile } from "../../../src/wire/h2/settings.ts";
import {
  blockOf,
  bytesOf,
  concat,
  data,
  frame,
  getFields,
  headers,
  integer,
  literal,
  number32,
  opening,
  preface,
  settings,
  type FieldList,
} from "../../support/h2_frames.ts";
import { dialPeer, type H2Peer } from "../../support/h2_peer.ts";
import { echo, serve, type ServeOptions } from "../../support/http_relay.ts";
import { until } from "../../support/sockets.ts";

const runtime = createRuntime();
const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function connect(
  handler: (exchange: ServerExchange) => void,
  options: ServeOptions = {},
): Promise<{ peer: H2Peer; tripped: string[]; server: ReturnType<typeof serve> }> {
  const tripped: string[] = [];
  const server = serve(runtime, handler, { ...options, limits: tripped });
  const peer = await dialPeer(runtime, server.port);
  ends.push(() => {
    server.close();
    peer.socket.destroy();
  });
  return { peer, tripped, server };
}

const postFields: FieldList = [[":method", "POST"], ...getFields.slice(1)];
const endsStream = (flags: number): boolean => (flags & frameFlags.endStream) !== 0;
const ping = frame(frameTypes.ping, 0, 0, new Uint8Array(8));
const isPong = (each: { type: number; flags: number }): boolean =>
  each.type === frameTypes.ping && each.flags === frameFlags.ack;

/** Everything sent before was dealt with. */
async function settled(peer: H2Peer): Promise<void> {
  const before = peer.frames.filter(isPong).length;
  peer.send(ping);
  await peer.until(
    (each) => each.closed || each.frames.filter(isPong).length > before,
    "the ping comes back",
  );
}

/** Answers nothing and keeps what it is told. */
class Held implements RequestSink {
  body = "";
  ended = false;
  left: Outcome | null = null;
  room = 0;

  constructor(readonly exchange: ServerExchange) {}

  data(bytes: Uint8Array, start: number, end: number): void {
    this.body += Buffer.from(bytes.subarray(start, end)).toString("latin1");
  }

  end(): void {
    this.ended = true;
  }

  aborted(outcome: Outcome): void {
    this.left = outcome;
  }

  writable(): void {
    this.room++;
  }
}

test("a head, its body and its end leave in two frames", async () => {
  const { peer } = await connect((exchange) => {
    exchange.respond(200, null, noEdits, 2);
    exchange.write(bytesOf("ok"));
    exchange.end(null);
  });
  peer.send(opening, headers(1, getFields));
  await peer.until((each) => each.of(frameTypes.data, 1).length > 0, "the answer comes");
  const [answer] = peer.of(frameTypes.data, 1);
  expect(endsStream(answer?.flags ?? 0)).toBe(true);
  expect(peer.of(frameTypes.headers, 1).length).toBe(1);
});

describe("a stream error", () => {
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ["a malformed head", headers(1, [["X", "1"], ...getFields])],
    [
      "a body that is longer than Content-Length",
      concat(headers(1, [...postFields, ["content-length", "2"]], false), data(1, "abc")),
    ],
    [
      "a body that is shorter than Content-Length",
      concat(headers(1, [...postFields, ["content-length", "4"]], false), data(1, "abc", true)),
    ],
    ["an end without the body of Content-Length", headers(1, [...postFields, ["content-length", "4"]])],
    [
      "trailers that do not end the stream",
      concat(headers(1, postFields, false), headers(1, [["x-t", "1"]], false)),
    ],
    ["pseudo-fields in trailers", concat(headers(1, postFields, false), headers(1, [[":path", "/"]]))],
    [
      "a window that grows by nothing",
      concat(headers(1, postFields, false), frame(frameTypes.windowUpdate, 0, 1, number32(0))),
    ],
  ];
  for (const [what, bytes] of cases)
    test(`is ${what}, and the connection goes on`, async () => {
      const held: Held[] = [];
      const { peer } = await connect((exchange) => {
        const sink = new Held(exchange);
        held.push(sink);
        exchange.accept(sink);
      });
      peer.send(opening, bytes);
      await settled(peer);
      expect(peer.resetOf(1)).toBe(errorCodes.protocolError);
      expect(peer.goaway).toBeNull();
      for (const each of held) expect([each.ended, each.left?.flag]).toEqual([false, "DC"]);
    });
});

test("a window of a stream beyond its size is a flow control error of that stream", async () => {
  const { peer } = await connect(() => {});
  peer.send(opening, headers(1, getFields), frame(frameTypes.windowUpdate, 0, 1, number32(0x7fff_ffff)));
  await settled(peer);
  expect([peer.resetOf(1), peer.goaway]).toEqual([errorCodes.flowControlError, null]);
});

test("a request over a limit is answered with its status, and the table stays in step", async () => {
  const { peer, tripped } = await connect(echo);
  const large = headers(1, [...getFields, ["x-large", "a".repeat(limits.requestHeadBytesMax - 100)]]);
  const parts = [];
  // In frames that the server takes.
  const block = large.subarray(9);
  for (let at = 0; at < block.length; at += 16_384) {
    const last = at + 16_384 >= block.length;
    parts.push(
      frame(
        at === 0 ? frameTypes.headers : frameTypes.continuation,
        (at === 0 ? 1 : 0) | (last ? 4 : 0),
        1,
        block.slice(at, at + 16_384),
      ),
    );
  }
  peer.send(opening, ...parts, headers(3, getFields));
  await peer.until((each) => each.of(frameTypes.headers, 3).length > 0, "the next request is answered");
  expect(tripped).toEqual(["requestHeadBytesMax"]);
  const [refused] = peer.of(frameTypes.data, 1);
  expect(Buffer.from(refused?.payload ?? []).toString()).toContain("the header section is too large");
});

describe("the connection ends", () => {
  const burst = limits.h2ControlBurstMax + 20;
  const repeat = (count: number, part: (at: number) => Uint8Array): Uint8Array =>
    concat(...Array.from({ length: count }, (_, at) => part(at)));
  const open = headers(1, postFields, false);
  const block = blockOf(getFields);
  const { enhanceYourCalm, protocolError, frameSizeError, flowControlError, compressionError, streamClosed } =
    errorCodes;
  const cases: readonly (readonly [string, Uint8Array, number, string | null])[] = [
    ["without the preface", bytesOf("GET / HTTP/1.1\r\n\r\n"), protocolError, null],
    ["without SETTINGS first", concat(preface, ping), protocolError, null],
    [
      "with PING floods",
      concat(
        opening,
        repeat(burst, () => ping),
      ),
      enhanceYourCalm,
      "h2ControlBurstMax",
    ],
    [
      "with SETTINGS floods",
      concat(
        opening,
        repeat(burst, () => settings()),
      ),
      enhanceYourCalm,
      "h2ControlBurstMax",
    ],
    [
      "with WINDOW_UPDATE floods",
      concat(
        opening,
        repeat(20, () => frame(frameTypes.windowUpdate, 0, 0, number32(1))),
      ),
      enhanceYourCalm,
      "h2WindowUpdatesPerDataMax",
    ],
    [
      "with PRIORITY floods",
      concat(
        opening,
        repeat(120, () => frame(frameTypes.priority, 0, 5, new Uint8Array(5))),
      ),
      enhanceYourCalm,
      "h2PrioritiesPerStreamMax",
    ],
    [
      "with floods of unknown frames",
      concat(
        opening,
        repeat(120, () => frame(99, 0, 0, new Uint8Array(5))),
      ),
      enhanceYourCalm,
      "h2PrioritiesPerStreamMax",
    ],
    ["with empty DATA", concat(opening, open, data(1, ""), data(1, "")), enhanceYourCalm, "h2EmptyDataMax"],
    [
      "with CONTINUATION floods",
      concat(
        opening,
        frame(frameTypes.headers, 1, 1, block),
        repeat(limits.h2ContinuationsMax + 1, () =>
          frame(frameTypes.continuation, 0, 1, blockOf([["a", "b"]])),
        ),
      ),
      enhanceYourCalm,
      "h2ContinuationsMax",
    ],
    [
      "with an empty CONTINUATION",
      concat(opening, frame(frameTypes.headers, 1, 1, block), frame(frameTypes.continuation, 0, 1)),
      enhanceYourCalm,
      "h2ContinuationsMax",
    ],
    [
      "at the first byte of a block of many times the limit",
      concat(
        opening,
        frame(frameTypes.headers, 1, 1, new Uint8Array(16_384)),
        repeat(7, () => frame(frameTypes.continuation, 0, 1, new Uint8Array(16_384))),
        frame(frameTypes.continuation, 0, 1, new Uint8Array(1)).subarray(0, 9),
      ),
      enhanceYourCalm,
      "h2HeadExcessMax",
    ],
    [
      "with a head that unfolds to many times its limit",
      concat(
        opening,
        frame(
          frameTypes.headers,
          frameFlags.endHeaders | frameFlags.endStream,
          1,
          concat(
            blockOf(getFields),
            literal("x-a", "b".repeat(4_000), 0x40),
            new Uint8Array(2_000).fill(0xbe),
          ),
        ),
      ),
      enhanceYourCalm,
      "h2HeadExcessMax",
    ],
    [
      "with rapid resets",
      concat(
        opening,
        repeat(300, (at) =>
          concat(headers(at * 2 + 1, getFields), frame(frameTypes.rstStream, 0, at * 2 + 1, number32(8))),
        ),
      ),
      enhanceYourCalm,
      "h2ResetsMax",
    ],
    [
      "with rapid resets that this side is made to send",
      concat(
        opening,
        repeat(300, (at) =>
          concat(
            headers(at * 2 + 1, postFields, false),
            frame(frameTypes.windowUpdate, 0, at * 2 + 1, number32(0)),
          ),
        ),
      ),
      enhanceYourCalm,
      "h2ResetsMax",
    ],
    [
      "with malformed heads again and again",
      concat(
        opening,
        repeat(300, (at) => headers(at * 2 + 1, [["X", "1"]])),
      ),
      enhanceYourCalm,
      "h2ResetsMax",
    ],
    [
      "with a push",
      concat(opening, frame(frameTypes.pushPromise, 4, 1, new Uint8Array(8))),
      protocolError,
      null,
    ],
    [
      "with a frame that is too long",
      concat(opening, frame(frameTypes.data, 0, 1, new Uint8Array(16_385)).subarray(0, 9)),
      frameSizeError,
      null,
    ],
    [
      "with a block that is interrupted",
      concat(opening, frame(frameTypes.headers, 1, 1, block), ping),
      protocolError,
      null,
    ],
    [
      "with a table that is too large",
      concat(opening, frame(frameTypes.headers, 5, 1, integer(5_000, 5, 0x20))),
      compressionError,
      null,
    ],
    [
      "with a window beyond its size",
      concat(opening, frame(frameTypes.windowUpdate, 0, 0, number32(0x7fff_ffff))),
      flowControlError,
      null,
    ],
    [
      "with SETTINGS of a window beyond its size",
      concat(opening, settings([4, 0x8000_0000])),
      flowControlError,
      null,
    ],
    [
      "with a stream that was opened before",
      concat(opening, headers(3, getFields), headers(1, getFields)),
      streamClosed,
      null,
    ],
    ["with an even stream", concat(opening, headers(2, getFields)), protocolError, null],
    ["with DATA for no stream", concat(opening, data(5, "a")), protocolError, null],
  ];
  for (const [what, bytes, code, limit] of cases)
    test(`${what}, with the code that says so`, async () => {
      const held: Held[] = [];
      const { peer, tripped, server } = await connect((exchange) => {
        const sink = new Held(exchange);
        held.push(sink);
        exchange.accept(sink);
      });
      peer.send(bytes);
      await peer.until((each) => each.goaway !== null, "GOAWAY comes");
      expect(peer.goaway).toBe(code);
      expect(tripped.at(-1) ?? null).toBe(limit);
      await peer.until(() => server.open.size === 0, "the connection is gone");
      for (const each of held) expect(each.left?.flag).toBe("DC");
    });
});

test("more body than a window allows is a flow control error", async () => {
  const { peer } = await connect(() => {}, { profile: { ...profiles.local, streamWindowBytes: 100_000 } });
  const piece = new Uint8Array(16_000);
  peer.send(opening, headers(1, postFields, false), ...Array.from({ length: 7 }, () => data(1, piece)));
  await settled(peer);
  expect(peer.resetOf(1)).toBe(errorCodes.flowControlError);
  expect(peer.goaway).toBeNull();
});

test("before a client has read with what window streams begin here, it may send what they begin with otherwise", async () => {
  const held: Held[] = [];
  const { peer } = await connect((exchange) => void held.push(new Held(exchange)));
  const pieces = (id: number, count: number): Uint8Array =>
    concat(...Array.from({ length: count }, () => data(id, new Uint8Array(16_000))));
  peer.send(opening, headers(1, postFields, false), pieces(1, 4));
  await settled(peer);
  expect(peer.resetOf(1)).toBeNull();
  peer.send(frame(frameTypes.settings, frameFlags.ack, 0), headers(3, postFields, false));
  peer.send(pieces(3, Math.floor(limits.h2StreamWindowBytes / 16_000)));
  await settled(peer);
  expect(peer.resetOf(3)).toBeNull();
  peer.send(pieces(3, 1));
  await settled(peer);
  expect(peer.resetOf(3)).toBe(errorCodes.flowControlError);
  const [first] = held as [Held];
  first.exchange.accept(first);
  await settled(peer);
  expect(first.body.length).toBe(64_000);
  // Its window is what the client thinks it is: used up by more than it has, and given back.
  const granted = peer.of(frameTypes.windowUpdate, 1).map((each) => get31(each.payload, 0));
  expect(granted.reduce((sum, each) => sum + each, 0)).toBeGreaterThanOrEqual(64_000);
});

test("a body that nobody takes stops its own stream and no other", async () => {
  const small: Profile = {
    ...profiles.local,
    streamWindowBytes: 65_536,
    streamWindowBytesMax: 65_536,
    connectionWindowBytes: 131_072,
  };
  const held: Held[] = [];
  const { peer } = await connect(
    (exchange) => {
      const sink = new Held(exchange);
      held.push(sink);
      if (held.length > 1) exchange.accept(sink);
    },
    { profile: small },
  );
  const piece = new Uint8Array(16_384).fill(97);
  const four = (id: number): Uint8Array => concat(...Array.from({ length: 4 }, () => data(id, piece)));
  peer.send(opening, headers(1, postFields, false), four(1));
  await settled(peer);
  expect(peer.of(frameTypes.windowUpdate, 1)).toEqual([]);
  expect(peer.of(frameTypes.windowUpdate, 0).length).toBeGreaterThan(1);
  for (let round = 0; round < 3; round++) {
    peer.send(...(round === 0 ? [headers(3, postFields, false)] : []), four(3));
    await settled(peer);
  }
  const granted = peer.of(frameTypes.windowUpdate, 3).map((each) => get31(each.payload, 0));
  expect(granted.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(100_000);
  expect(held[1]?.body.length).toBe(12 * 16_384);
  held[0]?.exchange.accept(held[0]);
  await settled(peer);
  expect(held[0]?.body.length).toBe(4 * 16_384);
  expect(peer.of(frameTypes.windowUpdate, 1).length).toBe(1);
});

test("a paused exchange gets nothing and grants nothing until it goes on", async () => {
  const held: Held[] = [];
  const { peer } = await connect((exchange) => {
    const sink = new Held(exchange);
    held.push(sink);
    exchange.accept(sink);
    exchange.pause();
  });
  const piece = new Uint8Array(16_384).fill(98);
  peer.send(
    opening,
    headers(1, postFields, false),
    ...Array.from({ length: 1 }, () => data(1, piece)),
    data(1, "end", true),
  );
  await settled(peer);
  expect([held[0]?.body, held[0]?.ended]).toEqual(["", false]);
  held[0]?.exchange.resume();
  expect([held[0]?.body.length, held[0]?.ended]).toEqual([16_384 + 3, true]);
});

test("an exchange that is paused from inside its body grants nothing for what it got", async () => {
  const small: Profile = {
    ...profiles.local,
    streamWindowBytes: 65_536,
    streamWindowBytesMax: 65_536,
    connectionWindowBytes: 131_072,
  };
  const held: Held[] = [];
  const { peer } = await connect(
    (exchange) => {
      const sink = new Held(exchange);
      sink.data = (): void => exchange.pause();
      held.push(sink);
      exchange.accept(sink);
    },
    { profile: small },
  );
  peer.send(
    opening,
    headers(1, [...postFields, ["content-length", "100000"]], false),
    data(1, new Uint8Array(16_384)),
  );
  await settled(peer);
  held[0]?.exchange.resume();
  peer.send(data(1, new Uint8Array(16_384)));
  await settled(peer);
  expect(peer.of(frameTypes.windowUpdate, 1)).toEqual([]);
  held[0]?.exchange.resume();
  await settled(peer);
  expect(peer.of(frameTypes.windowUpdate, 1).map((each) => get31(each.payload, 0))).toEqual([32_768]);
});

test("streams that wait for the window of the connection take turns", async () => {
  const { peer } = await connect((exchange) => {
    exchange.respond(200, null, noEdits, -1);
    exchange.write(new Uint8Array(100_000));
    exchange.end(null);
  });
  peer.send(
    preface,
    settings([4, 200_000]),
    headers(1, getFields),
    headers(3, getFields),
    headers(5, getFields),
  );
  await settled(peer);
  const sent = (id: number): number =>
    peer.of(frameTypes.data, id).reduce((sum, each) => sum + each.payload.length, 0);
  expect([sent(1), sent(3), sent(5)]).toEqual([65_535, 0, 0]);
  for (let round = 0; round < 2; round++) {
    peer.send(frame(frameTypes.windowUpdate, 0, 0, number32(3 * 16_384)));
    await settled(peer);
  }
  expect([sent(1), sent(3), sent(5)].map((each) => Math.round(each / 16_384))).toEqual([6, 2, 2]);
});

test("an answer before the end of its request ends the stream without an error", async () => {
  const { peer } = await connect((exchange) => {
    exchange.respond(413, null, noEdits, 0, true);
    exchange.end(null);
  });
  peer.send(opening, headers(1, postFields, false), data(1, "early"));
  await settled(peer);
  peer.send(data(1, "late"), headers(1, [["x-t", "1"]]));
  await settled(peer);
  expect(peer.resetOf(1)).toBe(errorCodes.noError);
  expect(peer.goaway).toBeNull();
  expect(endsStream(peer.of(frameTypes.headers, 1)[0]?.flags ?? 0)).toBe(true);
});

test("a reset stream keeps its place until its handler has learned of it", async () => {
  const waiting: ServerExchange[] = [];
  const { peer, tripped } = await connect((exchange) => void waiting.push(exchange), {
    profile: { ...profiles.local, streamsMax: 2 },
  });
  const cancel = (id: number): Uint8Array => frame(frameTypes.rstStream, 0, id, number32(8));
  peer.send(opening, headers(1, getFields), headers(3, getFields));
  await settled(peer);
  peer.send(cancel(1), cancel(3), headers(5, getFields));
  await settled(peer);
  expect(peer.resetOf(5)).toBe(errorCodes.refusedStream);
  expect(tripped).toEqual(["streamsMax"]);
  const sink = new Held(waiting[0] as ServerExchange);
  waiting[0]?.accept(sink);
  expect(sink.left?.flag).toBe("DC");
  expect(waiting[1]?.finished).toBe(true);
  waiting[1]?.abort();
  peer.send(headers(7, getFields), headers(9, getFields));
  await settled(peer);
  expect([waiting.length, peer.resetOf(7), peer.resetOf(9)]).toEqual([4, null, null]);
});

test("heads of all open streams together are bounded, and what is turned away may be sent elsewhere", async () => {
  const held: ServerExchange[] = [];
  const { peer, tripped } = await connect((exchange) => void held.push(exchange));
  const large: FieldList = [...getFields, ["x-large", "a".repeat(15_000)]];
  const count = Math.ceil(limits.h2HeadMemoryBytesMax / 15_000) + 5;
  peer.send(opening, ...Array.from({ length: count }, (_, at) => headers(at * 2 + 1, large)));
  await settled(peer);
  expect(held.length).toBeLessThan(count);
  expect(new Set(tripped)).toEqual(new Set(["h2HeadMemoryBytesMax"]));
  expect(peer.resetOf(count * 2 - 1)).toBe(errorCodes.refusedStream);
  for (const each of held) {
    each.respond(204, null, noEdits, 0);
    each.end(null);
  }
  peer.send(headers(count * 2 + 1, large));
  await settled(peer);
  expect(peer.resetOf(count * 2 + 1)).toBeNull();
});

test("a client may answer each piece of a body with a PING, as gRPC measures the way", async () => {
  const held: ServerExchange[] = [];
  const { peer } = await connect((exchange) => void held.push(exchange));
  peer.send(opening, headers(1, getFields));
  await settled(peer);
  held[0]?.respond(200, null, noEdits, -1);
  for (let round = 0; round < limits.h2ControlBurstMax * 2; round++) {
    held[0]?.write(bytesOf("piece"));
    await settled(peer);
  }
  expect(peer.goaway).toBeNull();
});

test("what this side would have to say to a peer who reads nothing is bounded", async () => {
  const held: ServerExchange[] = [];
  const { peer, tripped, server } = await connect((exchange) => void held.push(exchange));
  peer.send(
    preface,
    settings([4, 0x7fff_ffff]),
    frame(frameTypes.windowUpdate, 0, 0, number32(0x7000_0000)),
    headers(1, getFields),
    headers(3, getFields),
  );
  await settled(peer);
  held[0]?.respond(204, null, noEdits, 0);
  held[0]?.end(null);
  held[1]?.respond(200, null, noEdits, -1);
  peer.socket.pause();
  const piece = new Uint8Array(1_000_000);
  await peer.until(() => held[1]?.write(piece) === false, "the kernel is full");
  // Each is for a stream that is over, so each wants a reset.
  peer.send(...Array.from({ length: limits.h2QueuedControlFramesMax + 1 }, () => data(1, "x")));
  await peer.until(() => server.open.size === 0, "the connection is gone");
  expect(tripped).toEqual(["h2QueuedControlFramesMax"]);
});

test("retiring lets streams end, takes those under way to it, and closes", async () => {
  const waiting: ServerExchange[] = [];
  const { peer, server } = await connect((exchange) => void waiting.push(exchange));
  peer.send(opening, headers(1, getFields));
  await settled(peer);
  for (const each of server.open) each.retire();
  await peer.until((each) => each.of(frameTypes.goaway).length === 1, "the first GOAWAY comes");
  expect(get31(peer.of(frameTypes.goaway)[0]?.payload ?? new Uint8Array(4), 0)).toBe(0x7fff_ffff);
  peer.send(headers(3, getFields));
  const asked = peer.of(frameTypes.ping).find((each) => !isPong(each));
  // As nghttp2 does: the PING is answered ahead of what was asked before the GOAWAY was read.
  const answer = frame(frameTypes.ping, frameFlags.ack, 0, asked?.payload);
  peer.send(concat(answer, headers(5, getFields)));
  await peer.until((each) => each.of(frameTypes.goaway).length === 2, "the last GOAWAY comes");
  expect(get31(peer.of(frameTypes.goaway)[1]?.payload ?? new Uint8Array(4), 0)).toBe(5);
  peer.send(headers(7, getFields));
  await settled(peer);
  expect([waiting.length, peer.resetOf(7)]).toEqual([3, errorCodes.refusedStream]);
  for (const each of waiting) {
    each.respond(200, null, noEdits, 0);
    each.end(null);
  }
  await peer.until(() => server.open.size === 0, "the connection is gone");
  expect(peer.of(frameTypes.headers).map((each) => each.streamId)).toEqual([1, 3, 5]);
});

describe("an upgrade", () => {
  const extended: FieldList = [[":method", "CONNECT"], [":protocol", "websocket"], ...getFields.slice(1)];

  test("is answered with 200, and bytes pass both ways until both sides have ended", async () => {
    const { peer, server } = await connect((exchange) => {
      expect([exchange.request.method, exchange.request.upgrade]).toEqual(["GET", "websocket"]);
      echo(exchange);
    });
    peer.send(opening, headers(1, extended, false), data(1, "ping"));
    await peer.until((each) => each.of(frameTypes.data, 1).length > 0, "the echo comes");
    expect(peer.of(frameTypes.headers, 1)[0]?.payload[0]).toBe(0x88);
    peer.send(data(1, "", true));
    await peer.until(
      (each) => each.of(frameTypes.data, 1).some(({ flags }) => endsStream(flags)),
      "the end comes back",
    );
    expect(peer.resetOf(1)).toBeNull();
    expect(
      [...server.open].map((each) => (each as { streams?: Map<number, unknown> }).streams?.size),
    ).toEqual([0]);
  });

  for (const [name, mark] of [
    ["mesh", true],
    ["local", false],
  ] as const)
    test(`that is answered without one is ${mark ? "marked for the other proxy" : "a 502 for whoever cannot tell"}`, async () => {
      const held: Held[] = [];
      const { peer } = await connect(
        (exchange) => {
          const sink = new Held(exchange);
          held.push(sink);
          exchange.accept(sink);
          exchange.respond(200, null, noEdits, 2);
          exchange.write(bytesOf("no"));
          exchange.end(null);
        },
        { profile: profiles[name] },
      );
      peer.send(opening, headers(1, extended, false), data(1, "ping"));
      await settled(peer);
      const head = Buffer.from(peer.of(frameTypes.headers, 1)[0]?.payload ?? []).toString("latin1");
      const body = Buffer.concat(peer.of(frameTypes.data, 1).map(({ payload }) => payload)).toString();
      if (mark) expect([head.includes("x-heddle-declined"), body]).toEqual([true, "no"]);
      else expect([head.includes("502"), body.startsWith("heddle refused")]).toEqual([true, true]);
      expect(held[0]?.body).toBe("");
    });
});

test("the client's FIN aborts requests that are not whole, and the others are answered", async () => {
  const held: Held[] = [];
  const { peer, server } = await connect((exchange) => {
    const sink = new Held(exchange);
    held.push(sink);
    exchange.accept(sink);
  });
  peer.send(opening, headers(1, getFields), headers(3, postFields, false));
  await settled(peer);
  peer.socket.shutdown();
  await peer.until(() => held[1]?.left !== null, "the request that is not whole is aborted");
  expect(held[0]?.left).toBeNull();
  held[0]?.exchange.respond(200, null, noEdits, 0);
  held[0]?.exchange.end(null);
  await peer.until(() => server.open.size === 0, "the connection is gone");
  expect(peer.of(frameTypes.headers, 1).length).toBe(1);
});

test("a client that is gone altogether is noticed, though nothing is to be said to it", async () => {
  const held: Held[] = [];
  const { peer, server } = await connect((exchange) => {
    const sink = new Held(exchange);
    held.push(sink);
    exchange.accept(sink);
    exchange.respond(200, null, noEdits, -1);
  });
  peer.send(opening, headers(1, getFields));
  await settled(peer);
  peer.socket.destroy();
  await until(() => held[0]?.left !== null, "the handler of its request hears of it");
  await until(() => server.open.size === 0, "the connection is gone");
  expect(held[0]?.left?.flag).toBe("DC");
});
