/**
 * Fuzz targets for HTTP/2: bytes of any kind go to the frame reader, to HPACK and to both drivers. A target throws when a promise
 * is broken: an answer that depends on the split, memory that grows, a sink that is told of two ends.
 */
import { assert } from "../../src/base/assert.ts";
import { Http2Client } from "../../src/http/h2_client.ts";
import { Http2Server } from "../../src/http/h2_server.ts";
import { Shard } from "../../src/http/shard.ts";
import { limits } from "../../src/model/limits.ts";
import { noEdits } from "../../src/wire/fields.ts";
import { FrameReader, wants, type FrameTaker } from "../../src/wire/h2/frame_reader.ts";
import { HeadBlock } from "../../src/wire/h2/head_block.ts";
import { HpackDecoder } from "../../src/wire/h2/hpack_decoder.ts";
import { profiles } from "../../src/wire/h2/settings.ts";
import { HeadFields } from "../../src/wire/head_fields.ts";
import { ManualClock } from "../support/clock.ts";
import { FakeSocket } from "../support/fake_socket.ts";
import { concat, opening, settings } from "../support/h2_frames.ts";
import { Heard, request } from "../support/http_relay.ts";

const token = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** Several blocks of one connection: the first byte of each says how long it is. */
export function hpackTarget(bytes: Uint8Array): void {
  const decoder = new HpackDecoder(limits.h2TableBytesMax);
  const block = new HeadBlock();
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + 1 + (bytes[at] as number));
    const kind = (["request", "response", "trailers"] as const)[(bytes[at] as number) % 3] ?? "request";
    block.begin(kind, new HeadFields(), limits.requestHeadBytesMax);
    if (!decoder.decode(bytes, at + 1, end, block)) return;
    block.finish();
    checkFields(block);
    at = end;
  }
}

/** What is not refused can be written as HTTP/1. */
function checkFields(block: HeadBlock): void {
  const { fields, malformed, refusal } = block;
  assert(fields.count <= limits.fieldCountMax, "the number of fields is bounded");
  assert(
    block.used <= limits.requestHeadBytesMax + 4 * limits.fieldCountMax,
    "the bytes of fields are bounded",
  );
  if (malformed !== null || refusal !== null) return;
  for (let index = 0; index < fields.count; index++) {
    const name = fields.nameAt(index);
    const value = fields.valueAt(index);
    assert(token.test(name), `a name is a token: ${name}`);
    assert(!/[\0-\x08\x0a-\x1f\x7f]/.test(value), `a value has no control characters: ${value}`);
    assert(value === value.replace(/^[ \t]+|[ \t]+$/g, ""), `a value has no blanks around it: ${value}`);
  }
}

/** Frames are heard alike whole and byte by byte. */
export function framesTarget(bytes: Uint8Array): void {
  assert(heardOf(bytes, bytes.length) === heardOf(bytes, 1), "frames do not depend on the split");
}

function heardOf(bytes: Uint8Array, step: number): string {
  let heard = "";
  let body = "";
  const taker: FrameTaker = {
    begins(type, flags, streamId, length) {
      heard += `begins ${type} ${flags} ${streamId} ${length};`;
      return type > 9 ? wants.skipped : wants.whole;
    },
    body(streamId, source, start, end, flowBytes, done) {
      body += `${Buffer.from(source.subarray(start, end)).toString("hex")}`;
      flow += flowBytes;
      if (!done) return;
      heard += `data ${streamId} ${body} ${flow};`;
      body = "";
    },
    frame(type, _flags, _streamId, source, start, end) {
      heard += `frame ${type} ${Buffer.from(source.subarray(start, end)).toString("hex")};`;
    },
    overpadded() {
      heard += "overpadded;";
      reader.stopped = true;
    },
  };
  let flow = 0;
  const reader = new FrameReader(taker);
  for (let at = 0; at < bytes.length; at += step) {
    const piece = bytes.slice(at, at + step);
    for (let used = 0; used < piece.length;) used = reader.read(piece, used, piece.length, 64);
  }
  return heard;
}

/** A server that echoes, and whatever comes behind a proper beginning. */
export function h2ServerTarget(bytes: Uint8Array): void {
  const socket = new FakeSocket();
  let told = 0;
  let began = 0;
  const server = new Http2Server(socket, {
    shard: new Shard(new ManualClock()),
    profile: profiles.local,
    connection: { remoteAddress: "", remotePort: 0, localPort: 0, peer: null, serverName: "" },
    handler: (exchange) => {
      began++;
      let ended = false;
      const once = (): void => {
        assert(!ended, "an exchange is told of one end");
        ended = true;
        told++;
      };
      exchange.respond(200, exchange.request.fields, noEdits, -1);
      exchange.accept({
        data: (body, start, end) => void exchange.write(body, start, end),
        end: (trailers) => {
          once();
          exchange.end(trailers);
        },
        aborted: once,
        writable() {},
      });
    },
  });
  server.data(concat(opening, bytes));
  server.close(null);
  assert(told === began, "every exchange is told of its end");
  assert(server.streams.size === 0, "no stream is left");
}

/** A client with calls under way, and whatever a server says. */
export function h2ClientTarget(bytes: Uint8Array): void {
  const socket = new FakeSocket();
  const client = new Http2Client(socket, {
    shard: new Shard(new ManualClock()),
    profile: profiles.mesh,
    peer: "fuzz",
    onRoom() {},
    onRetired() {},
  });
  const calls = ["GET", "HEAD", "POST", "CONNECT"].map((method) => {
    const heard = new Heard();
    const upgrade = method === "CONNECT" ? "connect" : null;
    const stream = client.start(
      request({ method, contentLength: method === "POST" ? -1 : 0, upgrade }),
      noEdits,
      heard,
    );
    if (method === "POST") stream.write(new Uint8Array(100));
    return heard;
  });
  client.handler.data(concat(settings([8, 1]), bytes));
  client.handler.close(null);
  for (const heard of calls) {
    assert(heard.over, "every call is told of its end");
    assert(!(heard.ended && heard.failure !== null) || heard.answer?.tunnel === true, "a call has one end");
  }
  assert(client.streams.size === 0, "no stream is left");
}
