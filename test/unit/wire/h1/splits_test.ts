/** However the bytes arrive, a message is read in one way: heads and chunked bodies at random splits, also damaged ones. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { chunkedVerdict, piecesOf, requestVerdict, responseVerdict } from "../../../support/wire.ts";

const request =
  "POST /a/./b?c HTTP/1.1\r\nHost: A.mesh\r\nX-Long:  v \u00e9\r\nConnection: x-foo, keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n";
const response =
  "HTTP/1.1 200 Fine\r\nContent-Length: 12\r\nX: y\r\nSet-Cookie: a=b\r\nset-cookie: c\r\n\r\n";
const body = '5;a="b;\\"";c=d\r\nhello\r\n00C\r\n world, wide\r\n0;x\r\nX-Sum: 1\r\nX: 2\r\n\r\n';

const scraps = [
  "\r\n",
  "\r",
  "\n",
  " ",
  "\t",
  ":",
  "\u0000",
  "\u000b",
  "Host: b\r\n",
  "0",
  ",",
  ";",
  '"',
  "HTTP/1.1",
];
const edit = fc.tuple(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.nat({ max: 4 }),
  fc.oneof(fc.constantFrom(...scraps), fc.string({ maxLength: 3 })),
);

function damaged(text: string): fc.Arbitrary<string> {
  return fc.array(edit, { maxLength: 3 }).map((edits) =>
    edits
      .reduce((now, [where, cut, put]) => {
        const at = Math.floor(where * now.length);
        return now.slice(0, at) + put + now.slice(at + cut);
      }, text)
      .replaceAll(/[^\u0000-\u00ff]/g, "?"),
  );
}

const offsets = fc.array(fc.nat({ max: 200 }), { maxLength: 8 });

test("request heads", () => {
  fc.assert(
    fc.property(damaged(request), offsets, (text, cuts) => {
      const whole = requestVerdict([text]);
      expect(requestVerdict(piecesOf(text, cuts))).toBe(whole);
      expect(requestVerdict([...text])).toBe(whole);
    }),
    { numRuns: 2_000 },
  );
});

test("response heads", () => {
  fc.assert(
    fc.property(damaged(response), offsets, (text, cuts) => {
      const whole = responseVerdict([text]);
      expect(responseVerdict(piecesOf(text, cuts))).toBe(whole);
      expect(responseVerdict([...text])).toBe(whole);
    }),
    { numRuns: 2_000 },
  );
});

test("chunked bodies", () => {
  fc.assert(
    fc.property(damaged(body), offsets, (text, cuts) => {
      const whole = chunkedVerdict([text]);
      expect(chunkedVerdict(piecesOf(text, cuts))).toBe(whole);
      expect(chunkedVerdict([...text])).toBe(whole);
    }),
    { numRuns: 3_000 },
  );
});
