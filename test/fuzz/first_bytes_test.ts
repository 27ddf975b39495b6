/** First bytes of undeclared protocols and PROXY headers from anybody: reading them never throws, costs little, and never takes back what it said. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { whatIsSpoken } from "../../src/wire/first_bytes.ts";
import { proxyHeader, readProxyHeader } from "../../src/wire/proxy_protocol.ts";
import { firstBytesTarget, proxyHeaderTarget } from "./first_bytes.ts";
import { processorClock } from "../support/processor_time.ts";

const seeds: Uint8Array[] = [
  "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "PROXY TCP6 fd00::7 fd00::1 51230 80\r\nmore",
  "\x16\x03\x01\x00\x05",
].map((text) => new Uint8Array(Buffer.from(text, "latin1")));
seeds.push(proxyHeader(2, "[fd00::7]:1", "[fd00::1]:2"), proxyHeader(1, "10.0.0.7:1", "10.0.0.1:2"));

const edits = fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 6 });
const damaged = fc.tuple(fc.constantFrom(...seeds), edits).map(([seed, changes]) => {
  const bytes = seed.slice();
  for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
  return bytes;
});
const anything = fc.oneof(damaged, fc.uint8Array({ maxLength: 300 }));

test("any first bytes are told apart or wait, from any split alike", () => {
  fc.assert(fc.property(anything, firstBytesTarget), { numRuns: 4_000 });
});

test("any PROXY header is read or refused, from any split alike", () => {
  fc.assert(fc.property(anything, proxyHeaderTarget), { numRuns: 4_000 });
});

test("first bytes that trickle in byte by byte cost little", () => {
  const long = new Uint8Array(20_000).fill(97);
  long.set(new Uint8Array(Buffer.from("GET /")));
  const spentMs = processorClock();
  for (let length = 0; length <= long.length; length += 20) {
    whatIsSpoken(long.subarray(0, length));
    readProxyHeader(long.subarray(0, length));
  }
  expect(spentMs()).toBeLessThan(1_000);
});
