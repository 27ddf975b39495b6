/** Where fuzzing HTTP/2 begins: frames and header blocks by hand, right ones and such as break a rule. */
import { frameTypes } from "../../../src/wire/h2/frames.ts";
import {
  blockOf,
  concat,
  data,
  frame,
  getFields,
  headers,
  literal,
  number32,
  settings,
  type FieldList,
} from "../../support/h2_frames.ts";

const post: FieldList = [[":method", "POST"], ...getFields.slice(1), ["content-length", "5"]];
const half = blockOf(getFields);
const begin = settings();

export const blockSeeds: readonly Uint8Array[] = [
  half,
  blockOf([...getFields, ["cookie", "a=b"], ["cookie", "c=d"], ["te", "trailers"], ["x-a", "1"]]),
  concat(
    Uint8Array.of(0x82, 0x86, 0x84),
    literal(":authority", "a.mesh", 0x40),
    literal("x-kept", "1", 0x40),
  ),
  concat(Uint8Array.of(0x82, 0x86, 0x84), literal(":authority", "a.mesh", 0x40, true), Uint8Array.of(0xbe)),
  concat(Uint8Array.of(0x20, 0x3f, 0xe1, 0x1f), half),
  blockOf([...getFields, ["Upper", "1"], ["x a", "1"], ["", "1"], ["connection", "close"]]),
  blockOf([...getFields, ["x", "a\r\nb"], ["y", " padded "], ["z", "\u0000"]]),
  blockOf([...post, ["content-length", "6"], ["host", "other.mesh"], ["expect", "100-continue"]]),
  blockOf([
    [":method", "CONNECT"],
    [":authority", "a.mesh:80"],
  ]),
  blockOf([
    [":method", "CONNECT"],
    [":protocol", "websocket"],
    ...getFields.slice(1),
    ["sec-websocket-version", "13"],
  ]),
];

export const connectionSeeds: readonly Uint8Array[] = [
  concat(begin, headers(1, getFields)),
  concat(begin, headers(1, post, false), data(1, "hello", true)),
  concat(begin, headers(1, post, false), data(1, "hel"), data(1, "lo"), headers(1, [["x-sum", "1"]])),
  concat(
    begin,
    headers(1, getFields),
    headers(3, getFields),
    headers(5, post, false),
    data(5, "hello", true),
  ),
  concat(
    begin,
    frame(frameTypes.headers, 1, 1, half.subarray(0, 9)),
    frame(frameTypes.continuation, 4, 1, half.subarray(9)),
  ),
  concat(
    begin,
    headers(1, post, false),
    frame(frameTypes.rstStream, 0, 1, number32(8)),
    headers(3, getFields),
  ),
  concat(
    begin,
    frame(frameTypes.ping, 0, 0, new Uint8Array(8)),
    frame(frameTypes.windowUpdate, 0, 0, number32(1)),
  ),
  concat(begin, headers(1, post, false), frame(frameTypes.data, 9, 1, Uint8Array.of(2, 104, 105, 0, 0))),
  concat(
    begin,
    frame(frameTypes.priority, 0, 3, concat(number32(1), Uint8Array.of(9))),
    headers(3, getFields),
  ),
  concat(begin, frame(frameTypes.goaway, 0, 0, new Uint8Array(8)), headers(1, getFields)),
  concat(settings([1, 0], [4, 1], [5, 16_384]), headers(1, getFields)),
  ...blockSeeds.map((block) => concat(begin, frame(frameTypes.headers, 5, 1, block), headers(3, getFields))),
];

/** Heads of frames and bits of blocks, one character per octet. */
export const http2Words: readonly string[] = [
  ...[
    "\u0000\u0000\u0000\u0004\u0001\u0000\u0000\u0000\u0000",
    "\u0000\u0000\u0005\u0000\u0001\u0000\u0000\u0000\u0001hello",
  ],
  ...[
    "\u0000\u0000\u0004\u0003\u0000\u0000\u0000\u0000\u0001\u0000\u0000\u0000\u0008",
    "\u0000\u0000\u0000\u0009\u0004\u0000\u0000\u0000\u0001",
  ],
  ...[
    "\u0000\u0000\u0000\u0001",
    "\u0000\u0000\u0000\u0003",
    "\u007f\u00ff\u00ff\u00ff",
    "\u00ff\u00ff\u00ff\u00ff\u000f",
    "\u0082\u0086\u0084",
    "\u00be",
    "\u00bf",
    "\u0040\u0001a\u0001b",
  ],
  ...[
    "\u0000\u0007:method\u0003GET",
    "\u0000\u0005:path\u0001/",
    "\u0000\u0004host\u0006a.mesh",
    "\u0000\u000econtent-length\u00015",
    "\u0000\u0002te\u0004gzip",
    "\r\n",
    "\u0000",
  ],
];
