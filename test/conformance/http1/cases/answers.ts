/** What the backend says, and what of it reaches the client (RFC 9112 sections 6 to 9, RFC 9110 sections 6, 9 and 15). */
import { get, passes, request, type Case, type Expectation } from "../case.ts";

const bad: Expectation = { statuses: [[502]], closes: "any", reach: [{}], backendCloses: true };
/** Never a clean end. */
const cut: Expectation = { statuses: [[502]], orStatuses: [[]], closes: true, incomplete: true, reach: [{}] };

function says(id: string, rfc: string, what: string, text: string, expects: Expectation): Case {
  return { id, rfc, level: "must", what, sends: [request(get)], backend: { says: text }, expects };
}

const ok = "HTTP/1.1 200 OK\r\n";

export const answers: readonly Case[] = [
  {
    id: "84",
    rfc: "9110 15.2",
    level: "must",
    what: "an interim answer to HTTP/1.0",
    sends: [request("GET / HTTP/1.0")],
    backend: { says: `HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${ok}content-length: 2\r\n\r\nok` },
    expects: { statuses: [[200]], closes: true, reach: [{}] },
  },
  says(
    "85",
    "9110 15.2",
    "an interim answer",
    `HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${ok}content-length: 2\r\n\r\nok`,
    {
      statuses: [[103], [200]],
      closes: false,
      reach: [{}],
    },
  ),
  {
    id: "86",
    rfc: "9110 9.3.2",
    level: "must",
    what: "the length in an answer to HEAD",
    sends: [request("HEAD / HTTP/1.1")],
    method: "HEAD",
    backend: { says: `${ok}content-length: 10\r\n\r\n` },
    expects: passes({}, { has: ["content-length: 10"] }),
  },
  says("87a", "9110 8.6", "204 with a length", "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n", {
    statuses: [[204]],
    closes: false,
    reach: [{}],
    answer: { lacks: ["content-length", "transfer-encoding"] },
  }),
  says(
    "87b",
    "9110 8.6",
    "103 with a length",
    `HTTP/1.1 103 Early Hints\r\ncontent-length: 0\r\n\r\n${ok}content-length: 2\r\n\r\nok`,
    {
      statuses: [[103], [200]],
      closes: false,
      reach: [{}],
    },
  ),
  says("88a", "9110 6.6.1", "no Date", `${ok}content-length: 2\r\n\r\nok`, passes({}, { has: ["date"] })),
  says(
    "88b",
    "9110 6.6.1",
    "a Date of its own",
    `${ok}date: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 2\r\n\r\nok`,
    passes({}, { has: ["date: Sun, 06 Nov 1994 08:49:37 GMT"] }),
  ),
  says(
    "78b",
    "9110 7.6.1",
    "fields of its own hop",
    `${ok}connection: x-foo\r\nx-foo: 1\r\nkeep-alive: timeout=5\r\ncontent-length: 2\r\n\r\nok`,
    passes({}, { lacks: ["x-foo"] }),
  ),
  says("95a", "9112 6.3", "a length that is none", `${ok}content-length: abc\r\n\r\nok`, bad),
  says("95b", "9112 6.3", "two lengths", `${ok}content-length: 2\r\ncontent-length: 3\r\n\r\nok`, bad),
  says(
    "95c",
    "9112 6.3",
    "a length and chunked",
    `${ok}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    bad,
  ),
  says("95d", "9112 4", "a status line that is none", "HTTP/1.1 2000 OK\r\ncontent-length: 2\r\n\r\nok", bad),
  says("96a", "9112 5.2", "a folded field", `${ok}x: a\r\n b\r\ncontent-length: 2\r\n\r\nok`, {
    ...bad,
    orStatuses: [[[200]]],
    backendCloses: false,
  }),
  says("96b", "9112 5.1", "a blank before a colon", `${ok}x : a\r\ncontent-length: 2\r\n\r\nok`, {
    ...bad,
    orStatuses: [[[200]]],
    backendCloses: false,
    answer: { lacks: ["x "] },
  }),
  {
    ...says("97a", "9112 8", "the end inside a body with a length", `${ok}content-length: 9\r\n\r\nok`, cut),
    backend: { says: `${ok}content-length: 9\r\n\r\nok`, closes: true },
  },
  {
    ...says("97b", "9112 8", "the end inside a chunk", "", cut),
    backend: { says: `${ok}transfer-encoding: chunked\r\n\r\n5\r\nhe`, closes: true },
  },
  {
    ...says("97c", "9112 8", "the end before the last chunk", "", cut),
    backend: { says: `${ok}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`, closes: true },
  },
  {
    ...says("97d", "9112 6.3", "a body that ends with the connection", "", passes({}, { body: "hello" })),
    backend: { says: `${ok}\r\nhello`, closes: true },
  },
  {
    id: "98a",
    rfc: "9112 9.2",
    level: "must",
    what: "an answer that nobody asked for, on an idle connection",
    sends: [request(get)],
    backend: { blurts: `${ok}content-length: 4\r\n\r\nevil` },
    expects: { statuses: [[200]], closes: false, reach: [{}], backendCloses: true },
  },
  {
    id: "98b",
    rfc: "9112 9.2",
    level: "must",
    what: "an answer that nobody asked for, right behind one",
    sends: [request(get)],
    backend: { says: `${ok}content-length: 2\r\n\r\nok${ok}content-length: 4\r\n\r\nevil` },
    expects: { statuses: [[200]], closes: false, reach: [{}], answer: { body: "ok" }, backendCloses: true },
  },
  {
    id: "99",
    rfc: "9112 6.1",
    level: "must",
    what: "a chunked answer to HTTP/1.0",
    sends: [request("GET / HTTP/1.0")],
    backend: { says: `${ok}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n` },
    expects: {
      statuses: [[200]],
      closes: true,
      reach: [{}],
      answer: { body: "hello", lacks: ["transfer-encoding"] },
    },
  },
];
