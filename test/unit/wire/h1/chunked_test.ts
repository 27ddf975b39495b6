/** Chunked bodies: exact bytes or a refusal, from any split; extensions forgotten, trailers apart. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../../src/model/limits.ts";
import { ChunkedDecoder } from "../../../../src/wire/h1/chunked.ts";
import { bytesOf, textOf } from "../../../support/wire.ts";

interface Decoded {
  readonly body: string;
  readonly end: "end" | "more" | "failed";
  readonly status: number;
  readonly trailers: readonly string[];
  /** What lies behind the end. */
  readonly rest: string;
}

function decode(pieces: readonly string[]): Decoded {
  const decoder = new ChunkedDecoder();
  let body = "";
  let end: Decoded["end"] = "more";
  let rest = "";
  for (const piece of pieces) {
    if (end === "end") {
      rest += piece;
      continue;
    }
    const bytes = bytesOf(piece);
    let at = 0;
    for (;;) {
      const event = decoder.step(bytes, at, bytes.length);
      if (event === "failed")
        return { body, end: "failed", status: decoder.problem?.status ?? 0, trailers: [], rest };
      at = decoder.next;
      if (event === "data") body += textOf(bytes.subarray(decoder.dataStart, decoder.dataEnd));
      if (event === "end") {
        end = "end";
        rest = piece.slice(at);
      }
      if (event !== "data") break;
    }
  }
  const { trailers } = decoder;
  const lines = Array.from(
    { length: trailers?.count ?? 0 },
    (_, at) => `${trailers?.nameAt(at)}: ${trailers?.valueAt(at)}`,
  );
  return { body, end, status: 0, trailers: lines, rest };
}

describe("a chunked body", () => {
  const taken: readonly (readonly [string, string])[] = [
    ["5\r\nhello\r\n0\r\n\r\n", "hello"],
    ["1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"],
    ["0\r\n\r\n", ""],
    ["000\r\n\r\n", ""],
    ["A\r\n0123456789\r\n0\r\n\r\n", "0123456789"],
    ["00a\r\n0123456789\r\n0\r\n\r\n", "0123456789"],
    ["5;a=b\r\nhello\r\n0;last\r\n\r\n", "hello"],
    ['5;a="q;\\"\u00e9";b\r\nhello\r\n0\r\n\r\n', "hello"],
    ['5;a;b=c;d=""\r\nhello\r\n0\r\n\r\n', "hello"],
    ["4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"],
  ];
  for (const [text, body] of taken)
    test(`${JSON.stringify(text)} is ${JSON.stringify(body)}, whole and byte by byte`, () => {
      for (const pieces of [[text], [...text]])
        expect(decode(pieces)).toEqual({ body, end: "end", status: 0, trailers: [], rest: "" });
    });

  const refused = [
    ...[
      "0x5",
      "+5",
      "-1",
      "5_0",
      " 5",
      "5 ",
      "\t5",
      "5\t",
      "g",
      "",
      ";a=b",
      "5\u00a0",
      "1".repeat(16),
      "f".repeat(17),
    ].map((size) => `${size}\r\nhello\r\n0\r\n\r\n`),
    ...[
      "5;",
      "5;[=x",
      "5;a=",
      "5;=b",
      "5;a=b=c",
      "5;a==b",
      '5;a="q"x',
      '5;a="q',
      '5;a=x"q"',
      "5;a\u0000",
      "5;a\rb",
      "5; a",
      "5;a b",
    ].map((size) => `${size}\r\nhello\r\n0\r\n\r\n`),
    ...[
      "5\nhello\r\n0\r\n\r\n",
      "5\r\nhello\n0\r\n\r\n",
      "5\r\nhello0\r\n\r\n",
      "5\r\nhello\r\n\r\n0\r\n\r\n",
    ],
    ...["4\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\r\n0\r\n\r\n", "0\r\nX: 1\n\r\n", "0\r\n X: 1\r\n\r\n"],
    ...["0\r\nX : 1\r\n\r\n", "0\r\nnonsense\r\n\r\n", "0\r\n\n", "0\r\n\rX", "0\r\nX: \u0000\r\n\r\n"],
  ];
  for (const text of refused)
    test(`${JSON.stringify(text)} is refused, whole and byte by byte`, () => {
      expect(decode([text]).end).toBe("failed");
      expect(decode([...text])).toEqual(decode([text]));
    });

  test("ends where it says, and what follows is left alone", () => {
    expect(decode(["3\r\nabc\r\n0\r\n\r\nGET /"]).rest).toBe("GET /");
    expect(decode(["0\r\nX: 1\r\n", "\r\nGET /"]).rest).toBe("GET /");
  });

  test("that stops early is not complete", () => {
    const text = "3\r\nabc\r\n0\r\nX: 1\r\n\r\n";
    for (let length = 0; length < text.length; length++)
      expect(decode([text.slice(0, length)]).end).toBe("more");
  });

  test("gives its trailers apart", () => {
    expect(decode(["1\r\na\r\n0\r\nX-Sum: 1\r\nX-Two:\r\n\r\n"]).trailers).toEqual(["x-sum: 1", "x-two: "]);
  });

  test("can be read after another one by the same decoder", () => {
    const decoder = new ChunkedDecoder();
    const first = bytesOf("0\r\nX: 1\r\n\r\n");
    expect(decoder.step(first, 0, first.length)).toBe("end");
    decoder.reset();
    const second = bytesOf("0\r\n\r\n");
    expect(decoder.step(second, 0, second.length)).toBe("end");
    expect(decoder.trailers).toBeNull();
    decoder.reset();
    const third = bytesOf("zz");
    expect(decoder.step(third, 0, 2)).toBe("failed");
  });
});

describe("what costs memory", () => {
  test("is bounded: extensions of one chunk and of all chunks", () => {
    const one = (bytes: number): string => `1;${"a".repeat(bytes)}\r\nx\r\n0\r\n\r\n`;
    expect([
      decode([one(limits.chunkExtensionBytesMax - 1)]).end,
      decode([one(limits.chunkExtensionBytesMax)]).end,
    ]).toEqual(["end", "failed"]);
    const many = `1;${"a".repeat(200)}\r\nx\r\n`.repeat(30);
    expect(decode([many]).status).toBe(400);
  });

  test("is bounded: trailers, in one way whatever the split", () => {
    const text = (bytes: number): string => `0\r\nX: ${"a".repeat(bytes)}\r\n\r\n`;
    expect(decode([text(limits.trailerBytesMax - 20)]).end).toBe("end");
    const long = text(limits.trailerBytesMax + 20);
    for (const at of [1, 4, 5, 100, limits.trailerBytesMax, limits.trailerBytesMax + 3, long.length - 1])
      expect(decode([long.slice(0, at), long.slice(at)]).status).toBe(431);
    const faulty = `${long.slice(0, -2)}X : 1\r\n\r\n`;
    for (const at of [5, limits.trailerBytesMax + 8, faulty.length - 1])
      expect(decode([faulty.slice(0, at), faulty.slice(at)]).status).toBe(431);
  });
});
