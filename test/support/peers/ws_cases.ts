/**
 * What the well-known WebSocket conformance cases send: framing, control frames, fragments, text, and how to close. Ported by hand,
 * because Autobahn itself runs on Python 2.7 alone and over HTTP/1.1 alone: test/system/autobahn_test.ts runs it where it can.
 */
import { opcodes, type Frame } from "./ws_frames.ts";

export interface SocketCase {
  readonly name: string;
  readonly frames: readonly Frame[];
  /** Writes of that many bytes. 0: one write for all. */
  readonly pieceBytes?: number;
  /** How many frames of answer there are before this side closes; it closes by itself after them. */
  readonly answers: number;
}

const { text, binary, close, ping, pong, continuation } = opcodes;
const bytes = (size: number): Buffer => Buffer.alloc(size, "*");
const closing = (code: number, reason = ""): Frame => {
  const payload = Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);
  return { opcode: close, payload };
};
const utf8 = (hex: string): Buffer => Buffer.from(hex, "hex");
const sent = (name: string, answers: number, ...frames: Frame[]): SocketCase => ({ name, answers, frames });
const fragments = (opcode: number, whole: Buffer, size: number): Frame[] => {
  const count = Math.ceil(whole.length / size);
  return Array.from({ length: count }, (_, at) => ({
    opcode: at === 0 ? opcode : continuation,
    payload: whole.subarray(at * size, (at + 1) * size),
    last: at === count - 1,
  }));
};
const hello = Buffer.from("Hello-µ@ßöäüàá-UTF-8!!");

const sizes = [0, 1, 125, 126, 127, 128, 65_535, 65_536];
const framing = sizes.flatMap((size) => [
  sent(`text of ${size}`, 1, { opcode: text, payload: bytes(size) }),
  sent(`binary of ${size}`, 1, { opcode: binary, payload: bytes(size) }),
]);
const chopped = [1, 997].map((pieceBytes): SocketCase => ({
  name: `text in writes of ${pieceBytes}`,
  frames: [{ opcode: text, payload: bytes(pieceBytes * 300) }],
  pieceBytes,
  answers: 1,
}));

const controls = [
  ...[0, 5, 125].map((size) => sent(`ping of ${size}`, 1, { opcode: ping, payload: bytes(size) })),
  sent("ping that is too long", Infinity, { opcode: ping, payload: bytes(126) }),
  sent(
    "pong that nobody asked for",
    1,
    { opcode: pong, payload: bytes(3) },
    { opcode: ping, payload: bytes(1) },
  ),
  sent("ten pings", 10, ...Array.from({ length: 10 }, (_, at) => ({ opcode: ping, payload: bytes(at) }))),
  sent("ping in pieces", Infinity, { opcode: ping, payload: bytes(1), last: false }),
];

const reserved = [
  ...[1, 2, 3, 4, 5, 6, 7].map((bits) =>
    sent(`reserved bits ${bits}`, Infinity, { opcode: text, payload: hello, reserved: bits }),
  ),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) =>
    sent(`reserved opcode ${opcode}`, Infinity, { opcode, payload: Buffer.alloc(0) }),
  ),
];

const fragmented = [
  sent("text in two fragments", 1, ...fragments(text, hello, 13)),
  sent("text in fragments of a byte", 1, ...fragments(text, hello, 1)),
  sent(
    "ping between fragments",
    2,
    { opcode: text, payload: bytes(3), last: false },
    { opcode: ping, payload: bytes(2) },
    { opcode: continuation, payload: bytes(4) },
  ),
  sent("continuation of nothing", Infinity, { opcode: continuation, payload: bytes(3) }),
  sent(
    "text inside fragments",
    Infinity,
    { opcode: text, payload: bytes(3), last: false },
    { opcode: text, payload: bytes(4) },
  ),
];

const valid = ["ceba", "efbfbf", "f48fbfbf", "f09f9888", "00", "ed9fbf", "ee8080"];
const invalid = [
  "80",
  "c080",
  "e08080",
  "eda080",
  "edbfbf",
  "f4908080",
  "f8888080",
  "c3",
  "fe",
  "cebae1bdb9f4908080",
];
const texts = [
  ...valid.map((hex) => sent(`text ${hex}`, 1, { opcode: text, payload: utf8(hex) })),
  ...invalid.map((hex) => sent(`no text ${hex}`, Infinity, { opcode: text, payload: utf8(hex) })),
  sent("text cut inside a character", 1, ...fragments(text, utf8("f09f9888"), 2)),
  sent("no text in fragments", Infinity, ...fragments(text, utf8("cebae1bdb9f4908080"), 4)),
];

const closings = [
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].map((code) =>
    sent(`close ${code}`, Infinity, closing(code, "reason")),
  ),
  ...[0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535].map((code) =>
    sent(`no close ${code}`, Infinity, closing(code)),
  ),
  sent("close without a code", Infinity, { opcode: close, payload: Buffer.alloc(0) }),
  sent("close of one byte", Infinity, { opcode: close, payload: bytes(1) }),
  sent("close with the longest reason", Infinity, closing(1000, "r".repeat(123))),
  sent("close with a reason that is too long", Infinity, closing(1000, "r".repeat(124))),
  sent("close twice", Infinity, closing(1000), closing(1000)),
  sent("text before and after close", Infinity, { opcode: text, payload: hello }, closing(1000), {
    opcode: text,
    payload: hello,
  }),
];

const large = [
  sent("binary of 4 MiB", 1, { opcode: binary, payload: bytes(4 << 20) }),
  sent("binary of 4 MiB in fragments of 1 kB", 1, ...fragments(binary, bytes(4 << 20), 1_024)),
  sent("text of 1 MiB in fragments of 64 kB", 1, ...fragments(text, bytes(1 << 20), 65_536)),
  sent("a thousand texts", 1_000, ...Array.from({ length: 1_000 }, () => ({ opcode: text, payload: hello }))),
];

export const socketCases: readonly SocketCase[] = [
  ...framing,
  ...chopped,
  ...controls,
  ...reserved,
  ...fragmented,
  ...texts,
  ...closings,
  ...large,
];

export const goodbye = closing(1000, "done");
