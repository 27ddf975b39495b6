/** Chunked bodies, their extensions and trailers (RFC 9112 section 7.1). */
import { passes, post, request, type Case, type Expectation } from "../case.ts";

function chunks(text: string): string[] {
  return [request(post, "Transfer-Encoding: chunked") + text];
}

/** The head may have gone on already; the request must not become whole. */
const broken: Expectation = { statuses: [[400]], closes: true, reach: [] };

function sizes(...values: readonly (readonly [string, string])[]): Case[] {
  return values.map(([id, size]) => ({
    id,
    rfc: "9112 7.1",
    level: "must",
    what: `a chunk size of ${JSON.stringify(size)}`,
    sends: chunks(`${size}\r\nhello\r\n0\r\n\r\n`),
    expects: broken,
  }));
}

function faults(
  rest: Pick<Case, "rfc" | "level">,
  ...values: readonly (readonly [string, string, string])[]
): Case[] {
  return values.map(([id, what, text]) => ({ ...rest, id, what, sends: chunks(text), expects: broken }));
}

export const chunked: readonly Case[] = [
  {
    id: "62a",
    rfc: "9112 7.1",
    level: "must",
    what: "one chunk",
    sends: chunks("5\r\nhello\r\n0\r\n\r\n"),
    expects: passes({ body: "hello" }),
  },
  {
    id: "62b",
    rfc: "9112 7.1",
    level: "must",
    what: "many chunks",
    sends: chunks(`${"1\r\nx\r\n".repeat(50)}0\r\n\r\n`),
    expects: passes({ body: "x".repeat(50) }),
  },
  {
    id: "62c",
    rfc: "9112 7.1",
    level: "must",
    what: "no chunk but the last",
    sends: chunks("0\r\n\r\n"),
    expects: passes({ body: "" }),
  },
  {
    id: "62d",
    rfc: "9112 7.1",
    level: "must",
    what: "a size in capitals",
    sends: chunks("A\r\n0123456789\r\n0\r\n\r\n"),
    expects: passes({ body: "0123456789" }),
  },
  ...sizes(
    ["63a", "0x5"],
    ["63b", "+5"],
    ["63c", "-1"],
    ["63d", "5_0"],
    ["63e", " 5"],
    ["63f", "5 "],
    ["64", "10000000000000005"],
  ),
  ...faults(
    { rfc: "9112 7.1", level: "must" },
    ["65a", "data longer than its size", "4\r\nhello\r\n0\r\n\r\n"],
    ["65b", "no line end behind data", "5\r\nhello0\r\n\r\n"],
  ),
  {
    id: "66",
    rfc: "9112 7.1",
    level: "must",
    what: "+0 as last chunk, then a request",
    sends: chunks("5\r\nhello\r\n+0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: web.mesh\r\n\r\n"),
    expects: { ...broken, neverReaches: "/smuggled" },
  },
  {
    id: "67",
    rfc: "9112 7.1",
    level: "must",
    what: "the client leaves before the last chunk",
    follows: false,
    leaves: true,
    sends: chunks("5\r\nhello\r\n"),
    expects: { statuses: [[400, 408]], orStatuses: [[]], closes: true, reach: [] },
  },
  ...faults(
    { rfc: "9112 7.1", level: "ours" },
    ["68a", "LF behind the size", "5\nhello\r\n0\r\n\r\n"],
    ["68b", "LF behind data", "5\r\nhello\n0\r\n\r\n"],
    ["68c", "LF in a trailer", "5\r\nhello\r\n0\r\nX: y\n\r\n"],
  ),
  ...faults({ rfc: "9112 7.1", level: "must" }, [
    "69",
    "an empty line before the last chunk",
    "5\r\nhello\r\n\r\n0\r\n\r\n",
  ]),
  {
    id: "70a",
    rfc: "9112 7.1.1",
    level: "must",
    what: "an extension",
    sends: chunks("5;a=b\r\nhello\r\n0\r\n\r\n"),
    expects: passes({ body: "hello" }),
  },
  {
    id: "70b",
    rfc: "9112 7.1.1",
    level: "must",
    what: "a quoted extension",
    sends: chunks('5;a="q"\r\nhello\r\n0\r\n\r\n'),
    expects: passes({ body: "hello" }),
  },
  ...faults(
    { rfc: "9112 7.1.1", level: "must" },
    ["71a", "an empty extension", "5;\r\nhello\r\n0\r\n\r\n"],
    ["71b", "a bracket in an extension", "5;[=x\r\nhello\r\n0\r\n\r\n"],
    ["71c", "CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n"],
    ["71d", "NUL in an extension", "5;a\u0000\r\nhello\r\n0\r\n\r\n"],
  ),
  ...faults({ rfc: "9112 7.1.1", level: "should" }, [
    "72",
    "64 KiB of extensions",
    `5;${"a".repeat(64 * 1024)}\r\nhello\r\n0\r\n\r\n`,
  ]),
  {
    id: "73",
    rfc: "9112 7.1.2",
    level: "must",
    what: "a trailer",
    sends: chunks("5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
    expects: passes({ body: "hello" }),
  },
  {
    id: "74",
    rfc: "9110 6.5.1",
    level: "must",
    what: "trailers that belong into the head",
    sends: chunks(
      "5\r\nhello\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: gzip\r\nHost: x\r\nAuthorization: x\r\nContent-Type: x\r\n\r\n",
    ),
    expects: passes({
      body: "hello",
      lacks: ["authorization", "content-type"],
      lacksTrailers: ["content-length", "transfer-encoding", "host", "authorization", "content-type"],
    }),
  },
];
