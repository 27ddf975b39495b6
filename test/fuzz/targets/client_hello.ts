/** First messages of TLS clients: read, refused or more wanted; further octets never take back what was said. */
import { readClientHello } from "../../../src/wire/client_hello.ts";
import { captureHello, inRecords } from "../../support/hello.ts";
import { magnitude, must, mustEqual, type FuzzTarget } from "../target.ts";

const hello = await captureHello("orders.default.mesh", ["h2", "http/1.1"]);

export const clientHello: FuzzTarget = {
  name: "client-hello",
  words: [
    "\u0016\u0003\u0001",
    "\u0016\u0003\u0003\u0000\u0001",
    "\u0001\u0000\u0000",
    "\u0000\u0000",
    "\u0000\u0010",
    "\u0002h2",
    "\u00ff\u00ff",
    "mesh",
  ],
  bytesMax: 70_000,
  inputMs: 60,
  seeds: () => [hello, inRecords(hello.subarray(5), [1, 2, 3, 50, 51])],
  check(input, random) {
    const before = readClientHello(input.subarray(0, random.below(input.length + 1)));
    const whole = readClientHello(input);
    if (before.kind !== "more")
      mustEqual(JSON.stringify(whole), JSON.stringify(before), "more octets take back what was said");
    if (whole.kind === "hello")
      must(
        /^[a-z0-9._-]{0,255}$/.test(whole.serverName),
        `the server name ${JSON.stringify(whole.serverName)}`,
      );
    if (whole.kind === "malformed") return whole.reason.replaceAll(/\d+/g, "n");
    return whole.kind === "hello"
      ? `hello ${magnitude(whole.serverName.length)} ${whole.alpn.length}`
      : whole.kind;
  },
};
