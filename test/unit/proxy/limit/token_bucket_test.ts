/** Token buckets: never more than the rate and the burst let through, and what they say of waiting is true. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { TokenBucket } from "../../../../src/proxy/limit/token_bucket.ts";

const asks = fc.array(fc.record({ afterMs: fc.nat(2_000), count: fc.integer({ min: 1, max: 5 }) }), {
  maxLength: 200,
});

test("over any stretch of time no more passes than the burst and what came in", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 20 }),
      asks,
      (rate, burst, all) => {
        const bucket = new TokenBucket(rate, 0, burst);
        const passed: { atMs: number; count: number }[] = [];
        let nowMs = 0;
        for (const { afterMs, count } of all) {
          nowMs += afterMs;
          if (bucket.take(count, nowMs)) passed.push({ atMs: nowMs, count });
        }
        passed.forEach(({ atMs: fromMs }, from) => {
          let sum = 0;
          for (const { atMs, count } of passed.slice(from)) {
            sum += count;
            expect(sum).toBeLessThanOrEqual(burst + ((atMs - fromMs) * rate) / 1_000 + 1e-6);
          }
        });
      },
    ),
  );
});

test("says how long to wait: then there is enough, and not a millisecond before", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.integer({ min: 1, max: 100 }),
      fc.nat(100),
      (rate, burst, used) => {
        const bucket = new TokenBucket(rate, 0, burst);
        bucket.spend(used, 0);
        const waitMs = bucket.waitMs(1, 0);
        if (waitMs > 1) expect(bucket.has(1, waitMs - 1)).toBe(false);
        expect(bucket.has(1, waitMs + 1e-6)).toBe(true);
      },
    ),
  );
});

test("never grants what it cannot hold, and says so", () => {
  expect(new TokenBucket(10, 0, 5).waitMs(6, 0)).toBe(Infinity);
  const closed = new TokenBucket(0, 0);
  closed.take(1, 0);
  expect(closed.waitMs(1, 0)).toBe(Infinity);
});

test("of bytes that have passed, the average is the rate when everybody waits as long as they are told", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 65_536 }), { minLength: 1, maxLength: 100 }), (chunks) => {
      const bucket = new TokenBucket(10_000, 0);
      let nowMs = 0;
      let sent = 0;
      for (const bytes of chunks) {
        nowMs += bucket.spend(bytes, nowMs);
        sent += bytes;
        expect(sent).toBeLessThanOrEqual(10_000 + (nowMs * 10_000) / 1_000 + 1e-3);
      }
    }),
  );
});

test("keeps what it has when its rate changes, as far as it fits", () => {
  const bucket = new TokenBucket(100, 0);
  bucket.take(40, 0);
  bucket.resize(200, 0);
  expect([bucket.has(60, 0), bucket.has(61, 0)]).toEqual([true, false]);
  bucket.resize(10, 0);
  expect([bucket.has(10, 0), bucket.has(11, 0)]).toEqual([true, false]);
});

test("a clock that stands still or goes back fills nothing", () => {
  const bucket = new TokenBucket(1_000, 5_000);
  bucket.take(1_000, 5_000);
  expect(bucket.has(1, 5_000)).toBe(false);
  expect(bucket.has(1, 4_000)).toBe(false);
});
