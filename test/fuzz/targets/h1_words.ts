/** Where fuzzing HTTP/1 begins: the cases of the conformance suite, and the tokens they are made of. */
import { cases } from "../../conformance/http1/cases.ts";

const seedBytesMax = 2_000;

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)].filter((text) => text !== "" && text.length <= seedBytesMax);
}

export const requestSeeds: readonly string[] = distinct(cases.map((one) => one.sends.join("")));
/** Those that are answered, alone and in pairs: most changes to the others are refused at once. */
const sound = distinct(
  cases
    .filter((one) => one.expects.closes === false && one.follows !== false)
    .map((one) => one.sends.join("")),
);
export const soundSeeds: readonly string[] = [
  ...sound,
  ...sound.map((text, at) => text + (sound[(at * 7 + 3) % sound.length] ?? "")),
  ...sound.map((text, at) => text + (sound[(at * 5 + 1) % sound.length] ?? "")),
];

export const answerSeeds: readonly string[] = distinct(cases.map((one) => one.backend?.says ?? ""));

export const headWords: readonly string[] = [
  ...[
    "\r\n",
    "\r",
    "\n",
    "\r\n\r\n",
    " ",
    "\t",
    ":",
    ": ",
    ",",
    ";",
    '"',
    "\u0000",
    "\u000b",
    "\u00a0",
    "\u00ff",
  ],
  ...[
    "GET ",
    "POST ",
    "HEAD ",
    "OPTIONS * ",
    "CONNECT a:1 ",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    "HTTP/1.1 200 OK\r\n",
  ],
  ...["Host: web.mesh\r\n", "Host: ", "Content-Length: ", "Content-Length: 5\r\n", "Content-Length: 0\r\n"],
  ...[
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: ",
    "chunked",
    "gzip, ",
    "identity",
    "Content_Length: 5\r\n",
  ],
  ...[
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Connection: upgrade\r\n",
    "Connection: x-foo\r\n",
    "X-Foo: 1\r\n",
  ],
  ...[
    "Upgrade: websocket\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Expect: 100-continue\r\n",
    "TE: trailers\r\n",
    "Trailer: X\r\n",
  ],
  ...["http://web.mesh", "/", "/../", "/./", "%2e", "%2F", "%00", "\\", "?", "#", "*", "@", "[::1]"],
];

export const bodyWords: readonly string[] = [
  ...[
    "0\r\n\r\n",
    "0\r\n",
    "5\r\nhello\r\n",
    "1\r\nx\r\n",
    "A\r\n0123456789\r\n",
    ";a=b",
    ';a="b;\\""',
    "X-Sum: 1\r\n",
    "0x",
    "+",
    "hello",
  ],
  ...[
    "HTTP/1.1 103 Early Hints\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\n",
  ],
];
