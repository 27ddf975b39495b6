/** PROXY protocol headers: read, refused or more wanted; further octets never take back what was said. */
import { readProxyHeader, type ProxyHeaderResult } from "../../../src/wire/proxy_protocol.ts";
import { bytesOf } from "../../support/wire.ts";
import { magnitude, must, mustEqual, type FuzzTarget } from "../target.ts";

const signature = "\r\n\r\n\u0000\r\nQUIT\n";
const seeds = [
  "PROXY TCP4 10.0.0.7 10.0.0.8 51230 443\r\nrest",
  "PROXY TCP6 fe80::1 ::1 1 65535\r\n",
  "PROXY UNKNOWN\r\n",
  `${signature}\u0021\u0011\u0000\u000c\u000a\u0000\u0000\u0007\u000a\u0000\u0000\u0008\u0001\u0002\u0003\u0004rest`,
  `${signature}\u0021\u0021\u0000\u0024${"\u0000".repeat(36)}`,
  `${signature}\u0020\u0000\u0000\u0000`,
];

export const proxyHeader: FuzzTarget = {
  name: "proxy-header",
  words: [
    "PROXY ",
    "TCP4 ",
    "TCP6 ",
    "UNKNOWN",
    "\r\n",
    " ",
    "255.255.255.255",
    "::1",
    signature,
    "\u0021\u0011",
    "\u0000\u000c",
  ],
  bytesMax: 2_000,
  inputMs: 60,
  seeds: () => seeds.map(bytesOf),
  check(input, random) {
    const before = readProxyHeader(input.subarray(0, random.below(input.length + 1)));
    const whole = readProxyHeader(input);
    const said = ({ kind, ...rest }: ProxyHeaderResult): string =>
      kind === "malformed" ? kind : JSON.stringify(rest);
    if (before.kind !== "more") mustEqual(said(whole), said(before), "more octets take back what was said");
    if (whole.kind === "more") return "more";
    if (whole.kind === "malformed") return whole.reason.replaceAll(/\d+/g, "n");
    must(
      whole.length > 0 && whole.length <= input.length,
      `the stream begins at ${whole.length} of ${input.length}`,
    );
    must(
      /^(?:|\d+\.\d+\.\d+\.\d+:\d{1,5}|\[?[0-9a-f:.]+\]?:\d{1,5})$/i.test(whole.client),
      `the client ${JSON.stringify(whole.client)}`,
    );
    return `header ${magnitude(whole.client.length)} ${magnitude(whole.length)}`;
  },
};
