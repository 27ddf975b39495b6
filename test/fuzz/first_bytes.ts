/** Fuzz targets: bytes of any kind go to what reads the beginning of a connection. A target throws when a promise is broken. */
import { assert } from "../../src/base/assert.ts";
import { whatIsSpoken } from "../../src/wire/first_bytes.ts";
import { readProxyHeader } from "../../src/wire/proxy_protocol.ts";

export function firstBytesTarget(bytes: Uint8Array): void {
  const whole = whatIsSpoken(bytes);
  for (let length = 0; length < bytes.length; length++) {
    const before = whatIsSpoken(bytes.subarray(0, length));
    assert(before === "undecided" || before === whole, `${length} bytes say ${before}, all of them ${whole}`);
  }
}

export function proxyHeaderTarget(bytes: Uint8Array): void {
  const whole = readProxyHeader(bytes);
  if (whole.kind === "header") {
    assert(whole.length <= bytes.length, "the stream begins inside the bytes");
    assert(
      /^(?:|[\d.]+:\d+|\[[\da-fA-F:.]+\]:\d+)$/.test(whole.client),
      `a client is an address: ${whole.client}`,
    );
  }
  for (let length = 0; length < bytes.length; length++) {
    const before = readProxyHeader(bytes.subarray(0, length));
    assert(
      before.kind === "more" || before.kind === whole.kind,
      `${length} bytes say ${before.kind}, all ${whole.kind}`,
    );
  }
}
