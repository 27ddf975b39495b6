/** The window of answers: exact over its buckets, and empty by itself when nothing comes. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { SuccessWindow } from "../../../../src/proxy/breaker/success_window.ts";

const windowMs = 10_000;
const bucketMs = windowMs / 10;

test("holds the answers of the buckets of the last window, and no others", () => {
  const step = fc.record({ afterMs: fc.integer({ min: 0, max: 4_000 }), success: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const window = new SuccessWindow(windowMs);
      const all: { bucket: number; success: boolean }[] = [];
      let nowMs = 0;
      for (const { afterMs, success } of steps) {
        nowMs += afterMs;
        window.add(success, nowMs);
        const bucket = Math.floor(nowMs / bucketMs);
        all.push({ bucket, success });
        const within = all.filter((each) => each.bucket > bucket - 10);
        expect(window.answers).toBe(within.length);
        expect(window.successes).toBe(within.filter((each) => each.success).length);
      }
    }),
  );
});

test("is empty once a whole window has passed in silence", () => {
  const window = new SuccessWindow(windowMs);
  for (let at = 0; at < 100; at++) window.add(at % 3 === 0, at * 100);
  window.turn(1_000_000);
  expect([window.answers, window.successes]).toEqual([0, 0]);
});
