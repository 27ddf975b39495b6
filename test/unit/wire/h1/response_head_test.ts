/** Response heads: as strict as requests, because what an upstream says goes to somebody else. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../../src/model/limits.ts";
import { ResponseParser } from "../../../../src/wire/h1/response_head.ts";
import { feed, responseVerdict } from "../../../support/wire.ts";

function parsed(text: string): ResponseParser {
  const parser = new ResponseParser();
  if (feed(parser, [text]) <= 0) throw new Error(`refused: ${parser.problem?.reason ?? "incomplete"}`);
  return parser;
}

const isTaken = (text: string): boolean => responseVerdict([text]).startsWith("{");

describe("the status line", () => {
  for (const line of [
    "HTTP/1.1 200 OK",
    "HTTP/1.0 404 ",
    "HTTP/1.1 204",
    "HTTP/1.1 299 \u00fcber alles",
    "HTTP/1.1 100 Continue",
  ])
    test(`${JSON.stringify(line)} is taken`, () => {
      expect(isTaken(`${line}\r\n\r\n`)).toBe(true);
    });

  const refused = [
    ...[
      "HTTP/1.2 200 OK",
      "HTTP/2 200",
      "http/1.1 200 OK",
      "HTTP/1.1  200 OK",
      "HTTP/1.1 20 OK",
      "HTTP/1.1 2000 OK",
    ],
    ...["HTTP/1.1 099 Odd", "HTTP/1.1 2x0 OK", "HTTP/1.1 +20 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 200OK"],
    ...["HTTP/1.1 200 O\u0000K", "HTTP/1.1 200 O\rK", "HTTP/1.1 200 OK\n", "ICY 200 OK", " HTTP/1.1 200 OK"],
  ];
  for (const line of refused)
    test(`${JSON.stringify(line)} is refused`, () => {
      expect(isTaken(`${line}\r\n\r\n`)).toBe(false);
    });

  test("is read into version and status", () => {
    const { status, minor } = parsed("HTTP/1.0 503 Gone fishing\r\n\r\n");
    expect([status, minor]).toEqual([503, 0]);
  });
});

describe("a response head", () => {
  const ok = (fields: string): string => `HTTP/1.1 200 OK\r\n${fields}\r\n`;

  const refused = [
    ...["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n"],
    ...["Content-Length: 0x5\r\n", "Content-Length: 5, 5\r\n", "Transfer-Encoding: gzip, chunked\r\n"],
    ...[
      "X: 1\r\n folded\r\n",
      "X : 1\r\n",
      "X: a\nb\r\n",
      "X: \u0000\r\n",
      "no colon\r\n",
      "Connection: content-length\r\n",
    ],
  ];
  for (const fields of refused)
    test(`with ${JSON.stringify(fields)} is refused`, () => {
      expect(isTaken(ok(fields))).toBe(false);
    });

  test("is bounded in bytes and in fields", () => {
    const long = (bytes: number): boolean =>
      isTaken(ok(`A: ${"b".repeat(bytes - ok("A: \r\n").length)}\r\n`));
    expect([long(limits.responseHeadBytesMax), long(limits.responseHeadBytesMax + 1)]).toEqual([true, false]);
    const many = (count: number): boolean => isTaken(ok("A: b\r\n".repeat(count)));
    expect([many(limits.fieldCountMax), many(limits.fieldCountMax + 1)]).toEqual([true, false]);
  });

  test("says whether its connection can be used again", () => {
    expect(parsed(ok("")).persistent).toBe(true);
    expect(parsed(ok("Connection: close\r\n")).persistent).toBe(false);
    expect(parsed("HTTP/1.0 200 OK\r\n\r\n").persistent).toBe(false);
    expect(parsed("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n").persistent).toBe(true);
  });

  test("names the protocol that it switches to", () => {
    expect(parsed("HTTP/1.1 101 Yes\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\r\n").upgrade).toBe(
      "websocket",
    );
    expect(parsed("HTTP/1.1 101 Yes\r\n\r\n").upgrade).toBe("");
  });
});
