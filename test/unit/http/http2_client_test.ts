import { afterEach, describe, expect, test } from "bun:test";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import type { Http2Client } from "../../../src/http/h2_client.ts";
import { limits } from "../../../src/model/limits.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { errorCodes, frameFlags, frameTypes, get31 } from "../../../src/wire/h2/frames.ts";
import { profiles, type Profile } from "../../../src/wire/h2/settings.ts";
import {
  bytesOf,
  concat,
  data,
  frame,
  headers,
  number32,
  settings,
  type FieldList,
} from "../../support/h2_frames.ts";
import { listenPeer, type H2Peer } from "../../support/h2_peer.ts";
import { dialHttp2, Heard, request, type DialOptions } from "../../support/http_relay.ts";
import { until } from "../../support/sockets.ts";

const runtime = createRuntime();
const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

interface Pair {
  readonly client: Http2Client;
  readonly server: H2Peer;
  readonly events: string[];
  readonly tripped: string[];
}

/** A client of ours and a server by hand, which has sent nothing yet. */
async function connect(options: DialOptions = {}): Promise<Pair> {
  const { listener, port, peers } = listenPeer(runtime);
  const events: string[] = [];
  const tripped: string[] = [];
  const client = await dialHttp2(runtime, port, { ...options, events, limits: tripped });
  await until(() => peers.length === 1, "the server accepts");
  const server = peers[0] as H2Peer;
  ends.push(() => {
    listener.close();
    client.destroy();
    server.socket.destroy();
  });
  return { client, server, events, tripped };
}

const ok: FieldList = [[":status", "200"]];
const reset = (id: number, code: number): Uint8Array => frame(frameTypes.rstStream, 0, id, number32(code));
const goaway = (lastId: number, code: number): Uint8Array =>
  frame(frameTypes.goaway, 0, 0, concat(number32(lastId), number32(code)));

function call(client: Http2Client, changes: Parameters<typeof request>[0] = {}) {
  const heard = new Heard();
  return { heard, stream: client.start(request(changes), noEdits, heard) };
}

/** Starts a call and waits for its head at the server. */
async function begun(pair: Pair, changes: Parameters<typeof request>[0] = {}) {
  const before = pair.server.of(frameTypes.headers).length;
  const started = call(pair.client, changes);
  await pair.server.until((each) => each.of(frameTypes.headers).length > before, "the request comes");
  return started;
}

test("a request leaves at once, and its answer comes whole: interim, head, body, trailers", async () => {
  const pair = await connect();
  const { heard } = await begun(pair);
  pair.server.send(
    settings(),
    headers(
      1,
      [
        [":status", "103"],
        ["link", "</a>"],
      ],
      false,
    ),
    headers(1, [...ok, ["content-length", "2"], ["x-a", "b"]], false),
    data(1, "ok"),
    headers(1, [
      ["grpc-status", "0"],
      ["grpc-message", "fine"],
    ]),
  );
  await until(() => heard.over, "the answer ends");
  expect(heard.interim).toEqual([103]);
  expect(heard.answer?.contentLength).toBe(2);
  expect(heard.answer?.fields.get("x-a")).toBe("b");
  expect([heard.body, heard.trailers, heard.failure]).toEqual([
    "ok",
    [
      ["grpc-status", "0"],
      ["grpc-message", "fine"],
    ],
    null,
  ]);
  expect(pair.client.streams.size).toBe(0);
});

test("the answer to HEAD keeps its Content-Length and has no body", async () => {
  const pair = await connect();
  const { heard } = await begun(pair, { method: "HEAD" });
  pair.server.send(settings(), headers(1, [...ok, ["content-length", "5"]], false), data(1, "", true));
  await until(() => heard.over, "the answer ends");
  expect([heard.failure, heard.answer?.contentLength, heard.answer?.fields.get("content-length")]).toEqual([
    null,
    0,
    "5",
  ]);
});

describe("what failed says whether it may be sent again:", () => {
  type Case = readonly [what: string, bytes: readonly Uint8Array[], flag: string, repeat: string];
  const begin = settings();
  const head = headers(1, ok, false);
  const cases: readonly Case[] = [
    ["refused", [begin, reset(1, errorCodes.refusedStream)], "UR", "yes"],
    ["above the last stream of GOAWAY", [begin, goaway(0, 0)], "UR", "yes"],
    ["reset before any answer", [begin, reset(1, errorCodes.cancel)], "UR", "idempotent"],
    ["reset as malformed", [begin, reset(1, errorCodes.protocolError)], "UR", "no"],
    ["reset inside the answer", [begin, head, reset(1, errorCodes.internalError)], "UR", "no"],
    [
      "a malformed answer",
      [
        begin,
        headers(1, [
          [":status", "200"],
          ["X", "1"],
        ]),
      ],
      "UPE",
      "no",
    ],
    ["an answer without :status", [begin, headers(1, [["x", "1"]])], "UPE", "no"],
    ["an answer of 101", [begin, headers(1, [[":status", "101"]], false)], "UPE", "no"],
    ["an interim answer that ends", [begin, headers(1, [[":status", "103"]])], "UPE", "no"],
    [
      "a body longer than Content-Length",
      [begin, headers(1, [...ok, ["content-length", "1"]], false), data(1, "ab")],
      "UPE",
      "no",
    ],
    [
      "a body shorter than Content-Length",
      [begin, headers(1, [...ok, ["content-length", "3"]], false), data(1, "ab", true)],
      "UPE",
      "no",
    ],
    ["no body for its Content-Length", [begin, headers(1, [...ok, ["content-length", "3"]])], "UPE", "no"],
    ["a body behind 204", [begin, headers(1, [[":status", "204"]], false), data(1, "ab", true)], "UPE", "no"],
    ["a broken header block", [begin, frame(frameTypes.headers, 5, 1, Uint8Array.of(0xff))], "UPE", "no"],
    ["a push", [begin, frame(frameTypes.pushPromise, 4, 1, new Uint8Array(8))], "UPE", "no"],
    ["no SETTINGS first", [head], "UPE", "no"],
    [
      "interim answers without end",
      [
        begin,
        ...Array.from({ length: limits.interimAnswersMax + 1 }, () =>
          headers(1, [[":status", "103"]], false),
        ),
      ],
      "UPE",
      "no",
    ],
  ];
  for (const [what, bytes, flag, repeat] of cases)
    test(`${what}: ${repeat}`, async () => {
      const pair = await connect();
      const { heard } = await begun(pair);
      pair.server.send(...bytes);
      await until(() => heard.over, "the call fails");
      expect([heard.failure?.flag, heard.failure?.repeat, heard.ended]).toEqual([
        flag as never,
        repeat as never,
        false,
      ]);
      expect(heard.failure?.detail.startsWith("backend ")).toBe(true);
    });

  const closings = [
    ["a connection closed before any answer", false, settings(), "UC", "idempotent"],
    ["a new connection closed without a word, where identity is at stake", true, null, "ID", "no"],
    ["a connection closed inside the answer", true, concat(settings(), head), "UC", "no"],
  ] as const;
  for (const [what, identityAtStake, bytes, flag, repeat] of closings)
    test(`${what}: ${repeat}`, async () => {
      const pair = await connect({ identityAtStake });
      const { heard } = await begun(pair);
      if (bytes !== null) pair.server.send(bytes);
      if (flag === "UC" && repeat === "no") await until(() => heard.answer !== null, "the head comes");
      pair.server.socket.shutdown();
      await until(() => heard.over, "the call fails");
      expect([heard.failure?.flag, heard.failure?.repeat]).toEqual([flag, repeat]);
      await until(() => pair.events.includes("closed"), "the connection is gone");
      expect(pair.events).toEqual(["retired", "closed"]);
      expect(pair.client.room).toBe(0);
    });
});

test("a call below the last stream of GOAWAY is answered, then the connection closes", async () => {
  const pair = await connect();
  const { heard } = await begun(pair);
  pair.server.send(settings(), goaway(1, 0), headers(1, ok, false));
  await until(() => heard.answer !== null, "the head comes");
  expect([pair.client.room, pair.events]).toEqual([0, ["retired"]]);
  pair.server.send(data(1, "late", true));
  await until(() => heard.over, "the answer ends");
  expect([heard.body, heard.failure]).toEqual(["late", null]);
  await until(() => pair.events.includes("closed"), "the connection is gone");
});

test("room is what the server takes, and is told again after there was none", async () => {
  const pair = await connect();
  expect(pair.client.room).toBe(limits.h2StreamsEarlyMax);
  pair.server.send(settings([3, 2]));
  await until(() => pair.client.room === 2, "SETTINGS come");
  const first = await begun(pair);
  await begun(pair);
  expect([pair.client.room, pair.events]).toEqual([0, []]);
  pair.server.send(headers(1, ok));
  await until(() => first.heard.over, "the answer ends");
  await until(() => pair.events.length > 0, "there is room");
  expect([pair.client.room, pair.events]).toEqual([1, ["room"]]);
});

test("a retired connection answers what is under way, takes nothing new and closes", async () => {
  const pair = await connect();
  const { heard } = await begun(pair);
  pair.client.retire();
  pair.client.retire();
  pair.server.send(settings(), headers(1, ok));
  await until(() => heard.over, "the answer ends");
  await until(() => pair.events.includes("closed"), "the connection is gone");
  expect(pair.events).toEqual(["retired", "closed"]);
  expect(pair.server.goaway).toBe(errorCodes.noError);
});

test("cancel resets the stream, and what still comes for it is passed by", async () => {
  const pair = await connect();
  const first = await begun(pair);
  pair.server.send(settings(), headers(1, ok, false));
  await until(() => first.heard.answer !== null, "the head comes");
  first.stream.cancel();
  await pair.server.until((each) => each.resetOf(1) !== null, "the reset comes");
  expect(pair.server.resetOf(1)).toBe(errorCodes.cancel);
  const second = await begun(pair);
  pair.server.send(data(1, "x"), headers(1, [["x-kept", "1"]]), headers(3, ok, false), data(3, "y", true));
  await until(() => second.heard.over, "the next answer ends");
  expect([first.heard.body, first.heard.over, second.heard.body, pair.server.goaway]).toEqual([
    "",
    false,
    "y",
    null,
  ]);
});

test("a body waits for the window of its stream, and its writer hears when there is room", async () => {
  const pair = await connect();
  const { heard, stream } = await begun(pair, { method: "POST", contentLength: -1 });
  pair.server.send(settings([4, 1_000]));
  await pair.server.until(
    (each) => each.of(frameTypes.settings).some(({ flags }) => flags === 1),
    "SETTINGS are taken",
  );
  expect(stream.write(new Uint8Array(1_500))).toBe(false);
  stream.end(null);
  const sent = (): number =>
    pair.server.of(frameTypes.data, 1).reduce((sum, each) => sum + each.payload.length, 0);
  await until(() => sent() === 1_000, "what fits comes");
  pair.server.send(frame(frameTypes.windowUpdate, 0, 1, number32(400)));
  await until(() => sent() === 1_400, "more comes");
  pair.server.send(frame(frameTypes.windowUpdate, 0, 1, number32(400)));
  await until(() => sent() === 1_500, "the rest comes");
  await until(
    () => pair.server.of(frameTypes.data, 1).some(({ flags }) => flags === frameFlags.endStream),
    "the end comes",
  );
  expect(heard.failure).toBeNull();
});

test("a server that answered whole may reset the rest of the request, and a paused answer loses nothing", async () => {
  const pair = await connect();
  const { heard, stream } = await begun(pair, { method: "POST", contentLength: -1 });
  stream.pause();
  pair.server.send(settings(), headers(1, ok, false), data(1, "answer", true), reset(1, errorCodes.noError));
  await until(() => heard.answer !== null, "the head comes");
  pair.server.send(frame(frameTypes.ping, 0, 0, new Uint8Array(8)));
  await pair.server.until((each) => each.of(frameTypes.ping).length > 0, "all of it was read");
  expect([heard.body, heard.over]).toEqual(["", false]);
  stream.resume();
  expect([heard.body, heard.ended, heard.failure]).toEqual(["answer", true, null]);
  expect(pair.client.streams.size).toBe(0);
});

test("an answer that ends before its request stops the request", async () => {
  const pair = await connect();
  const { heard, stream } = await begun(pair, { method: "POST", contentLength: -1 });
  pair.server.send(settings(), headers(1, ok));
  await until(() => heard.over, "the answer ends");
  await pair.server.until((each) => each.resetOf(1) !== null, "the reset comes");
  expect(stream.write(bytesOf("more"))).toBe(true);
  expect(pair.server.of(frameTypes.data, 1)).toEqual([]);
});

describe("an upgrade", () => {
  const upgrade = { upgrade: "websocket" } as const;

  test("waits for SETTINGS, and with them what was written meanwhile", async () => {
    const pair = await connect();
    const { heard, stream } = call(pair.client, upgrade);
    stream.write(bytesOf("early"));
    pair.server.send(settings([8, 1]));
    await pair.server.until((each) => each.of(frameTypes.data, 1).length > 0, "the request comes");
    const head = Buffer.from(pair.server.of(frameTypes.headers, 1)[0]?.payload ?? []).toString("latin1");
    expect([head.includes("CONNECT"), head.includes(":protocol"), head.includes("websocket")]).toEqual([
      true,
      true,
      true,
    ]);
    pair.server.send(headers(1, ok, false), data(1, "hello"));
    await until(() => heard.body === "hello", "bytes come");
    expect([heard.answer?.status, heard.answer?.tunnel]).toEqual([101, true]);
    pair.server.send(data(1, "", true));
    await until(() => heard.ended, "the server's half ends");
    stream.write(bytesOf("still"));
    stream.end(null);
    await pair.server.until(
      (each) => each.of(frameTypes.data, 1).some(({ flags }) => flags === 1),
      "the end comes",
    );
    expect([pair.server.resetOf(1), pair.client.streams.size]).toEqual([null, 0]);
  });

  test("fails where the server did not say that it takes any", async () => {
    const pair = await connect();
    const { heard } = call(pair.client, upgrade);
    pair.server.send(settings());
    await until(() => heard.over, "it fails");
    expect([heard.failure?.flag, heard.failure?.repeat]).toEqual(["UPE", "no"]);
    expect(pair.server.of(frameTypes.headers)).toEqual([]);
  });

  test("that the other proxy marks as declined is an ordinary answer, without the mark", async () => {
    const pair = await connect();
    const { heard } = call(pair.client, upgrade);
    pair.server.send(settings([8, 1]));
    await pair.server.until((each) => each.of(frameTypes.headers, 1).length > 0, "the request comes");
    pair.server.send(headers(1, [...ok, ["x-heddle-declined", "1"]], false), data(1, "no", true));
    await until(() => heard.over, "the answer ends");
    expect([heard.answer?.status, heard.answer?.tunnel, heard.body]).toEqual([200, false, "no"]);
    expect(heard.answer?.nominated).toEqual(["x-heddle-declined"]);
  });
});

test("a plain CONNECT is a tunnel after 2xx, and names only its authority", async () => {
  const pair = await connect();
  const { heard } = await begun(pair, {
    method: "CONNECT",
    target: "",
    authority: "a.mesh:1",
    upgrade: "connect",
  });
  const head = Buffer.from(pair.server.of(frameTypes.headers, 1)[0]?.payload ?? []).toString("latin1");
  expect([head.includes(":path"), head.includes("a.mesh:1")]).toEqual([false, true]);
  expect((pair.server.of(frameTypes.headers, 1)[0]?.flags ?? 1) & frameFlags.endStream).toBe(0);
  pair.server.send(settings(), headers(1, ok, false), data(1, "hi"));
  await until(() => heard.body === "hi", "bytes come");
  expect([heard.answer?.status, heard.answer?.tunnel]).toEqual([200, true]);
  pair.server.send(reset(1, errorCodes.connectError));
  await until(() => heard.failure !== null, "the reset is told");
});

test("a paused answer grants its stream no window, the connection all of it", async () => {
  const small: Profile = {
    ...profiles.mesh,
    streamWindowBytes: 65_536,
    streamWindowBytesMax: 65_536,
    connectionWindowBytes: 131_072,
  };
  const pair = await connect({ profile: small });
  const { heard, stream } = await begun(pair);
  stream.pause();
  const piece = new Uint8Array(16_384).fill(97);
  pair.server.send(settings(), headers(1, ok, false), ...Array.from({ length: 4 }, () => data(1, piece)));
  await pair.server.until((each) => each.of(frameTypes.windowUpdate, 0).length > 1, "the connection goes on");
  expect([heard.bytes, pair.server.of(frameTypes.windowUpdate, 1).length]).toEqual([0, 0]);
  stream.resume();
  expect(heard.bytes).toBe(65_536);
  await pair.server.until((each) => each.of(frameTypes.windowUpdate, 1).length > 0, "the stream goes on");
  expect(get31(pair.server.of(frameTypes.windowUpdate, 1)[0]?.payload ?? new Uint8Array(4), 0)).toBe(65_536);
});
