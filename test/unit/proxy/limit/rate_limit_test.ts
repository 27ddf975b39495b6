/** Rates of a service: in all, for each caller, and for callers with rates of their own. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RateLimit, type Rate } from "../../../../src/proxy/limit/rate_limit.ts";

const rate = (perSecond: number, burst: number | null = null): Rate => ({ perSecond, burst });

function admitted(limit: RateLimit, caller: string, times: number, nowMs: number): number {
  let count = 0;
  for (let time = 0; time < times; time++) if (limit.admit(caller, nowMs)) count++;
  return count;
}

test("each caller has its own rate, and one that is over it takes from no other", () => {
  const limit = new RateLimit(
    { total: null, eachCaller: rate(5), overrides: new Map([["gold", rate(50)]]) },
    0,
  );
  expect(["web", "app", "gold"].map((caller) => admitted(limit, caller, 100, 0))).toEqual([5, 5, 50]);
});

test("the total bounds all callers together", () => {
  const limit = new RateLimit({ total: rate(8), eachCaller: rate(5), overrides: new Map() }, 0);
  expect([admitted(limit, "web", 9, 0), admitted(limit, "app", 9, 0)]).toEqual([5, 3]);
  expect([limit.refusedBy, limit.refusedPerSecond]).toEqual(["total", 8]);
});

test("what is refused for one reason is not charged for the other", () => {
  const limit = new RateLimit({ total: rate(10), eachCaller: rate(2), overrides: new Map() }, 0);
  admitted(limit, "web", 1_000, 0);
  expect(admitted(limit, "app", 2, 0) + admitted(limit, "db", 2, 0)).toBe(4);
  const strict = new RateLimit({ total: rate(1), eachCaller: rate(3), overrides: new Map() }, 0);
  admitted(strict, "web", 1_000, 0);
  expect([1, 2].map((second) => admitted(strict, "web", 9, second * 1_000))).toEqual([1, 1]);
});

test("says which rule refused, what it grants, and after how many whole seconds there is room", () => {
  const limit = new RateLimit({ total: null, eachCaller: rate(0.25), overrides: new Map() }, 0);
  expect([limit.admit("web", 0), limit.admit("web", 500)]).toEqual([true, false]);
  expect([limit.refusedBy, limit.refusedPerSecond, limit.retryAfterSeconds]).toEqual(["caller", 0.25, 4]);
  expect(limit.admit("web", 4_500)).toBe(true);
});

test("without any rule everybody is let in", () => {
  const limit = new RateLimit({ total: null, eachCaller: null, overrides: new Map() }, 0);
  expect([admitted(limit, "web", 1_000, 0), limit.callers]).toEqual([1_000, 0]);
});

describe("with more callers than are told apart", () => {
  test("those that come new share one bucket while nobody can be forgotten", () => {
    const limit = new RateLimit({ total: null, eachCaller: rate(3), overrides: new Map() }, 0, 4);
    for (let caller = 0; caller < 4; caller++) limit.admit(`known-${caller}`, 0);
    let strangers = 0;
    for (let caller = 0; caller < 100; caller++) if (limit.admit(`new-${caller}`, 0)) strangers++;
    expect([strangers, limit.callers]).toEqual([3, 4]);
  });

  test("nobody gets a fresh bucket by being forgotten, and the table stays bounded", () => {
    const step = fc.record({
      caller: fc.nat(12),
      afterMs: fc.nat(300),
      times: fc.integer({ min: 1, max: 6 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const limit = new RateLimit({ total: null, eachCaller: rate(2, 4), overrides: new Map() }, 0, 4);
        const passed = new Map<number, number>();
        let nowMs = 0;
        for (const { caller, afterMs, times } of steps) {
          nowMs += afterMs;
          passed.set(caller, (passed.get(caller) ?? 0) + admitted(limit, `caller-${caller}`, times, nowMs));
          // Its own bucket, and the shared one.
          expect(passed.get(caller)).toBeLessThanOrEqual(2 * (4 + (nowMs * 2) / 1_000));
          expect(limit.callers).toBeLessThanOrEqual(4);
        }
      }),
    );
  });
});
