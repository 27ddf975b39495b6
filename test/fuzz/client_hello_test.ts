/** First bytes from anybody: reading them never throws, never takes long, and says the same for every prefix. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { readClientHello, type HelloResult } from "../../src/wire/client_hello.ts";
import { captureHello, inRecords } from "../support/hello.ts";
import { processorClock } from "../support/processor_time.ts";

const hello = await captureHello("orders.default.mesh", ["h2", "http/1.1"]);
const edits = fc.array(fc.tuple(fc.nat(hello.length - 1), fc.nat(255)), { maxLength: 8 });

function expectSound(result: HelloResult): void {
  expect(["more", "hello", "plain", "malformed"]).toContain(result.kind);
  if (result.kind === "hello") expect(result.serverName).toMatch(/^[a-z0-9._-]{0,255}$/);
}

/** More bytes never take back what was said; only `more` may become something else. */
function expectSteady(bytes: Uint8Array, cut: number): void {
  const before = readClientHello(bytes.subarray(0, Math.floor(cut * bytes.length)));
  const whole = readClientHello(bytes);
  expectSound(whole);
  if (before.kind !== "more") expect(whole).toEqual(before);
}

test("damaged hellos are read or refused", () => {
  fc.assert(
    fc.property(edits, fc.double({ min: 0, max: 1, noNaN: true }), (changes, cut) => {
      const bytes = hello.slice();
      for (const [at, value] of changes) bytes[at] = value;
      expectSteady(bytes, cut);
    }),
    { numRuns: 5_000 },
  );
});

test("arbitrary handshake bytes in arbitrary records are read or refused", () => {
  const handshake = fc.uint8Array({ minLength: 1, maxLength: 300 });
  const cuts = fc.uniqueArray(fc.nat(299), { maxLength: 20 });
  fc.assert(
    fc.property(handshake, cuts, fc.double({ min: 0, max: 1, noNaN: true }), (payload, at, cut) => {
      payload[0] = 1;
      if (payload.length > 3) payload.set([0, 0], 1);
      expectSteady(
        inRecords(
          payload,
          at.filter((each) => each > 0 && each < payload.length),
        ),
        cut,
      );
    }),
    { numRuns: 3_000 },
  );
});

test("a hello that trickles in byte by byte costs little", () => {
  const spread = inRecords(
    hello.subarray(5),
    Array.from({ length: 15 }, (_, at) => at + 1),
  );
  const spentMs = processorClock();
  for (let length = 0; length <= spread.length; length++) readClientHello(spread.subarray(0, length));
  expect(spentMs()).toBeLessThan(1_000);
});
