/** What a connection speaks: once decided by its first octets, further ones change nothing. */
import { beginsHttp2, whatIsSpoken } from "../../../src/wire/first_bytes.ts";
import { bytesOf } from "../../support/wire.ts";
import { must, mustEqual, type FuzzTarget } from "../target.ts";

const seeds = [
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "\u0016\u0003\u0001\u0002\u0000",
  "*1\r\n$4\r\nPING\r\n",
  "PING\r\n",
  "SSH-2.0-x\r\n",
];

export const firstBytes: FuzzTarget = {
  name: "first-bytes",
  words: [
    "GET ",
    " HTTP/1.1\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\r\n",
    "\n",
    " ",
    "\u0016\u0003",
    "M-SEARCH ",
  ],
  bytesMax: 20_000,
  inputMs: 60,
  seeds: () => seeds.map(bytesOf),
  check(input, random) {
    const whole = whatIsSpoken(input);
    const http2 = beginsHttp2(input);
    const part = input.subarray(0, random.below(input.length + 1));
    const before = whatIsSpoken(part);
    if (before !== "undecided") mustEqual(whole, before, "more octets take back what was said");
    if (beginsHttp2(part) !== "undecided")
      mustEqual(http2, beginsHttp2(part), "more octets take back what was said");
    must((whole === "h2") === (http2 === "yes"), "two answers about HTTP/2");
    return `${whole} ${http2}`;
  },
};
