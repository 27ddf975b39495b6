/** HTTP/2 from anybody: no bytes break the drivers, and every exchange and call is told of exactly one end. */
import { test } from "bun:test";
import fc from "fast-check";
import { frameTypes } from "../../src/wire/h2/frames.ts";
import {
  blockOf,
  concat,
  frame,
  getFields,
  huffman,
  literal,
  number32,
  type FieldList,
} from "../support/h2_frames.ts";
import { framesTarget, h2ClientTarget, h2ServerTarget, hpackTarget } from "./h2.ts";

const names = fc.constantFrom(
  ":method",
  ":path",
  ":status",
  ":authority",
  ":protocol",
  "te",
  "cookie",
  "content-length",
  "x-a",
  "X",
  "",
);
const values = fc.oneof(
  fc.constantFrom("GET", "HEAD", "/", "200", "103", "a.mesh", "0", "5", "trailers", "websocket"),
  fc.string({ maxLength: 8 }),
);
const field = fc
  .tuple(names, values, fc.constantFrom(0, 0x40, 0x10), fc.boolean())
  .map(([name, value, mark, coded]) => {
    const latin = (text: string): string => [...text].filter((letter) => letter.charCodeAt(0) < 256).join("");
    return literal(latin(name), latin(value), mark, coded);
  });
const answer: FieldList = [[":status", "200"]];
const block = fc.oneof(
  fc.array(field, { maxLength: 6 }).map((parts) => concat(...parts)),
  fc.constantFrom(blockOf(getFields), blockOf(answer), blockOf([["x-t", "1"]])),
  fc.uint8Array({ maxLength: 30 }),
);
const streamId = fc.constantFrom(0, 1, 3, 5, 7, 2, 9);
const flags = fc.constantFrom(0, 1, 4, 5, 8, 0xd, 0x25);
const anyFrame = fc.oneof(
  fc.tuple(fc.constantFrom(frameTypes.headers, frameTypes.continuation), flags, streamId, block),
  fc.tuple(fc.constant(frameTypes.data), flags, streamId, fc.uint8Array({ maxLength: 40 })),
  fc.tuple(
    fc.constantFrom(frameTypes.rstStream, frameTypes.windowUpdate),
    fc.constant(0),
    streamId,
    fc.oneof(fc.nat(20), fc.constantFrom(0x7fff_ffff, 65_535)).map(number32),
  ),
  fc.tuple(fc.nat(12), fc.nat(255), streamId, fc.uint8Array({ maxLength: 40 })),
);
const frames = fc
  .array(anyFrame, { maxLength: 20 })
  .map((all) => concat(...all.map(([type, marks, id, payload]) => frame(type, marks, id, payload))));
/** Frames, some of whose bytes were changed. */
const damaged = fc
  .tuple(frames, fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }))
  .map(([bytes, changes]) => {
    for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
    return bytes;
  });
const anything = fc.oneof(frames, damaged, fc.uint8Array({ maxLength: 200 }));

test("any header blocks are decoded or refused, and what is decoded can be written", () => {
  const blocks = fc
    .array(block, { maxLength: 8 })
    .map((all) => concat(...all.flatMap((each) => [Uint8Array.of(each.length), each.subarray(0, 255)])));
  const coded = fc.string({ maxLength: 20 }).map((text) => {
    const letters = [...text].filter((letter) => letter.charCodeAt(0) < 256).join("");
    return concat(Uint8Array.of(255), huffman(letters));
  });
  fc.assert(fc.property(fc.oneof(blocks, coded, fc.uint8Array({ maxLength: 300 })), hpackTarget), {
    numRuns: 4_000,
  });
});

test("any bytes are cut into the same frames from any split", () => {
  fc.assert(fc.property(anything, framesTarget), { numRuns: 2_000 });
});

test("any frames leave a server whole: every exchange is told of its end", () => {
  fc.assert(fc.property(anything, h2ServerTarget), { numRuns: 4_000 });
});

test("any frames leave a client whole: every call is told of its end", () => {
  fc.assert(fc.property(anything, h2ClientTarget), { numRuns: 4_000 });
});
