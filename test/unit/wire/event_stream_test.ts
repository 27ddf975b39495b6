/** Events come out whole however their bytes were split, and what nobody changes stays byte for byte. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { limits } from "../../../src/model/limits.ts";
import {
  EventSplitter,
  writeEvent,
  type StreamEvent,
  type StreamPiece,
} from "../../../src/wire/event_stream.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** All pieces of a stream whose bytes come in parts of these lengths. */
function split(text: string, cuts: readonly number[]): StreamPiece[] {
  const bytes = encoder.encode(text);
  const splitter = new EventSplitter();
  const pieces: StreamPiece[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    const to = Math.min(bytes.length, from + cut);
    // In a buffer that is somebody else's afterwards.
    const lent = Uint8Array.from([0, ...bytes.subarray(from, to), 0]);
    pieces.push(...splitter.push(lent, 1, lent.length - 1));
    lent.fill(0xff);
    from = to;
  }
  const rest = splitter.rest();
  return rest === null ? pieces : [...pieces, rest];
}

const eventsOf = (pieces: readonly StreamPiece[]) =>
  pieces.flatMap(({ event }) => (event === null ? [] : [event]));
const textOf = (pieces: readonly StreamPiece[]) => pieces.map(({ bytes }) => decoder.decode(bytes)).join("");

const streams: Readonly<Record<string, readonly [text: string, events: readonly StreamEvent[]]>> = {
  "two plain events": ["data: a\n\ndata: b\n\n", [{ data: "a" }, { data: "b" }]],
  "lines that end in both": [
    "event: e\r\nid: 7\r\ndata: a\r\ndata:b\r\n\r\n",
    [{ event: "e", id: "7", data: "a\nb" }],
  ],
  "lines that end in a return": ["data: a\r\rdata: b\r\r", [{ data: "a" }, { data: "b" }]],
  "comments, which are no events": [": ping\n\ndata: a\n\n", [{ data: "a" }]],
  "empty data, and fields that nobody knows": ["data\nretry: 3\nx: y\n\n", [{ data: "" }]],
  "blank lines before it": ["\n\r\n\ndata: a\n\n", [{ data: "a" }]],
  "letters of several bytes": ["data: žluťoučký 🐎\n\n", [{ data: "žluťoučký 🐎" }]],
  "one that has no end, which careless readers take for whole": [
    "data: a\n\ndata: b\n",
    [{ data: "a" }, { data: "b" }],
  ],
};

describe("a stream of", () => {
  for (const [name, [text, events]] of Object.entries(streams))
    test(`${name} gives its events, split at every byte`, () => {
      const { length } = encoder.encode(text);
      for (let at = 0; at <= length; at++) {
        const pieces = split(text, [at]);
        expect(eventsOf(pieces)).toEqual([...events]);
        expect(textOf(pieces)).toBe(text);
      }
      expect(eventsOf(split(text, Array<number>(length).fill(1)))).toEqual([...events]);
    });
});

test("what is written is read again, and any bytes come out as they went in", () => {
  const word = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll(/[\r\n\0]/g, "").trimStart());
  const event = fc.record({ event: word, id: word, data: fc.array(word).map((lines) => lines.join("\n")) });
  const cuts = fc.array(fc.nat(20));
  fc.assert(
    fc.property(fc.array(event), cuts, (events, lengths) => {
      const text = events.map((each) => decoder.decode(writeEvent(each))).join("");
      expect(eventsOf(split(text, lengths))).toEqual(events);
    }),
  );
  const letter = fc.constantFrom("d", "data: ", "\n", "\r", "\r\n", ":", "é", "\n\n");
  fc.assert(
    fc.property(fc.array(letter), cuts, (letters, lengths) => {
      const text = letters.join("");
      const pieces = split(text, lengths);
      expect(textOf(pieces)).toBe(text);
      expect(eventsOf(pieces)).toEqual(eventsOf(split(text, [])));
    }),
  );
});

test("one that is too long goes on unseen, and the one behind it is read", () => {
  const long = "x".repeat(3 * limits.policyEventBytesMax);
  const text = `data: ${long}\n\ndata: b\n\n`;
  const pieces = split(text, Array<number>(20).fill(16_384));
  expect(eventsOf(pieces)).toEqual([{ data: "b" }]);
  expect(textOf(pieces)).toBe(text);
  expect(Math.max(...pieces.map(({ bytes }) => bytes.length))).toBeLessThan(2 * limits.policyEventBytesMax);
});
