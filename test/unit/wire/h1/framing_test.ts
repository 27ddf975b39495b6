/** Framing: one reading for every message, and none where two readers could disagree. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { plainNumber } from "../../../../src/wire/h1/framing.ts";
import { RequestParser } from "../../../../src/wire/h1/request_head.ts";
import { bytesOf, feed } from "../../../support/wire.ts";

/** How the body is framed: its length, `chunked`, or the status of the refusal. */
function framed(fields: string, version = "1.1"): number | string {
  const parser = new RequestParser({ hostOptional: false });
  if (feed(parser, [`POST / HTTP/${version}\r\nHost: a\r\n${fields}\r\n`]) < 0)
    return `refused ${parser.problem?.status}`;
  return parser.framing.chunked ? "chunked" : parser.contentLength;
}

describe("Content-Length", () => {
  const taken: readonly (readonly [string, number])[] = [
    ["0", 0],
    ["5", 5],
    ["10", 10],
    ["999999999999999", 999_999_999_999_999],
  ];
  for (const [value, length] of taken)
    test(`${value} is ${length}`, () => expect(framed(`Content-Length: ${value}\r\n`)).toBe(length));

  const refused = [
    ...["", "abc", "12abc", "+5", "-1", "-0", "0x5", "0x10", "0o5", "1e3", "5_0", "1 0", "5.0", " ", "٣"],
    ...["00", "0005", "5, 5", "5, 6", "5;", "1000000000000000", "9".repeat(30), "18446744073709551621"],
    ...["\u000b5", "5\u000c", "\u00a05", "\ufeff5".slice(1) + "\u00a0", "Infinity", "NaN"],
  ].filter((value) => [...value].every((letter) => letter.charCodeAt(0) < 256));
  for (const value of refused)
    test(`${JSON.stringify(value)} is refused`, () =>
      expect(framed(`Content-Length: ${value}\r\n`)).toBe("refused 400"));

  test("may have blanks around it and stands once, also when both say the same", () => {
    expect(framed("Content-Length:\t5 \r\n")).toBe(5);
    expect(framed("Content-Length: 5\r\nContent-Length: 5\r\n")).toBe("refused 400");
    expect(framed("Content-Length: 5\r\ncontent-length: 6\r\n")).toBe("refused 400");
  });

  test("is read as a number only where every digit counts", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."0123456789+-xe. _"), maxLength: 18 }), (text) => {
        const bytes = bytesOf(text);
        const value = plainNumber(bytes, 0, bytes.length);
        if (/^(?:0|[1-9][0-9]{0,14})$/.test(text)) expect(String(value)).toBe(text);
        else expect(value).toBe(-1);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("Transfer-Encoding", () => {
  for (const value of ["chunked", "CHUNKED", "Chunked", "\tchunked \t"])
    test(`${JSON.stringify(value)} is chunked`, () =>
      expect(framed(`Transfer-Encoding:${value}\r\n`)).toBe("chunked"));

  const refused: readonly (readonly [string, number])[] = [
    ["", 400],
    ["chunked, chunked", 400],
    ["chunked, gzip", 400],
    [", chunked", 400],
    ["chunked,", 400],
    ["chunked;q=1", 400],
    ["chunked chunked", 400],
    ["\u000bchunked", 400],
    ["chunked\u000c", 400],
    ["\u0000chunked", 400],
    ["\u00a0chunked", 400],
    ["chun\u212aed".replace("\u212a", "\u00e9"), 400],
    ['"chunked"', 400],
    ["gzip, chunked", 501],
    ["identity", 501],
    ["xchunked", 501],
    ["foo", 501],
  ];
  for (const [value, status] of refused)
    test(`${JSON.stringify(value)} is refused with ${status}`, () => {
      expect(framed(`Transfer-Encoding: ${value}\r\n`)).toBe(`refused ${status}`);
    });

  test("stands once, never beside Content-Length, never in HTTP/1.0", () => {
    const chunked = "Transfer-Encoding: chunked\r\n";
    expect(framed(`${chunked}${chunked}`)).toBe("refused 400");
    expect(framed(`${chunked}Transfer-Encoding: identity\r\n`)).toBe("refused 400");
    expect(framed(`${chunked}Content-Length: 5\r\n`)).toBe("refused 400");
    expect(framed(`Content-Length: 5\r\n${chunked}`)).toBe("refused 400");
    expect(framed(chunked, "1.0")).toBe("refused 400");
  });

  test("is matched by bytes: no letter of another alphabet folds into it", () => {
    // U+212A (Kelvin) folds to "k" and U+017F to "s" in Unicode; as octets they are obs-text.
    for (const octets of ["chun\u00e2\u0084\u00aaed", "chunke\u00c4"])
      expect(framed(`Transfer-Encoding: ${octets}\r\n`)).toBe("refused 400");
  });
});

describe("Connection", () => {
  function persistent(fields: string, version = "1.1"): boolean {
    const parser = new RequestParser({ hostOptional: false });
    feed(parser, [`GET / HTTP/${version}\r\nHost: a\r\n${fields}\r\n`]);
    return parser.persistent;
  }

  test("decides whether another request may follow", () => {
    expect(persistent("")).toBe(true);
    expect(persistent("Connection: close\r\n")).toBe(false);
    expect(persistent("Connection: x,\tCLOSE\r\n")).toBe(false);
    expect(persistent("Connection: keep-alive\r\nConnection: close\r\n")).toBe(false);
    expect(persistent("", "1.0")).toBe(false);
    expect(persistent("Connection: Keep-Alive\r\n", "1.0")).toBe(true);
  });

  test("may not take away what others rely on", () => {
    for (const name of ["Host", "content-length", "Transfer-Encoding", "Authorization", "X-Heddle-Caller"])
      expect(framed(`Connection: x, ${name}\r\n`)).toBe("refused 400");
  });

  test("names fields of this hop, in lower case, without empty members", () => {
    const parser = new RequestParser({ hostOptional: false });
    feed(parser, [
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: , X-Foo ,, keep-alive\r\nConnection: te\r\n\r\n",
    ]);
    expect(parser.framing.nominated).toEqual(["x-foo", "te"]);
  });
});

describe("names with an underscore that look like framing", () => {
  test("frame nothing", () => {
    expect(framed("Content_Length: 5\r\n")).toBe(0);
    expect(framed("Transfer_Encoding: chunked\r\nContent-Length: 5\r\n")).toBe(5);
  });
});
