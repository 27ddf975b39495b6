/** Rates of a service: in all, for each caller, and for callers with rates of their own. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { wholeGroup, type Rate, type RateLimits } from "../../../../src/model/traffic.ts";
import { RateLimit, type Asked } from "../../../../src/proxy/limit/rate_limit.ts";
import { fieldsFrom } from "../../../../src/wire/head_fields.ts";

const rate = (perSecond: number, burst: number | null = null): Rate => ({ perSecond, burst });

function limited(rateLimit: RateLimits, keysMax?: number): RateLimit {
  return new RateLimit(wholeGroup("rateLimit", { rateLimit }), 0, null, keysMax);
}

const by = (caller: string): Asked => ({ caller, path: "/", fields: fieldsFrom([]) });

function passed(limit: RateLimit, asked: Asked, times: number, nowMs: number): number {
  let count = 0;
  for (let time = 0; time < times; time++) if (limit.admit(asked, nowMs) === null) count++;
  return count;
}

function admitted(limit: RateLimit, caller: string, times: number, nowMs: number): number {
  return passed(limit, by(caller), times, nowMs);
}

test("each caller has its own rate, and one that is over it takes from no other", () => {
  const limit = limited({ identity: rate(5), overrides: { gold: rate(50) } });
  expect(["web", "app", "gold"].map((caller) => admitted(limit, caller, 100, 0))).toEqual([5, 5, 50]);
});

test("the total bounds all callers together", () => {
  const limit = limited({ total: rate(8), identity: rate(5) });
  expect([admitted(limit, "web", 9, 0), admitted(limit, "app", 9, 0)]).toEqual([5, 3]);
  expect(limit.admit(by("db"), 0)).toMatchObject({ rule: "rateLimit.total", perSecond: 8 });
});

test("what is refused for one reason is not charged for the other", () => {
  const limit = limited({ total: rate(10), identity: rate(2) });
  admitted(limit, "web", 1_000, 0);
  expect(admitted(limit, "app", 2, 0) + admitted(limit, "db", 2, 0)).toBe(4);
  const strict = limited({ total: rate(1), identity: rate(3) });
  admitted(strict, "web", 1_000, 0);
  expect([1, 2].map((second) => admitted(strict, "web", 9, second * 1_000))).toEqual([1, 1]);
});

test("says which rule refused, what it grants, and when there is room", () => {
  const limit = limited({ identity: rate(0.25) });
  expect(limit.admit(by("web"), 0)).toBeNull();
  const refusal = { rule: "rateLimit.identity", whose: "web", perSecond: 0.25, waitMs: 3_500 };
  expect(limit.admit(by("web"), 500)).toEqual(refusal);
  expect(limit.admit(by("web"), 4_500)).toBeNull();
});

test("without any rule everybody is let in", () => {
  const limit = limited({});
  expect([admitted(limit, "web", 1_000, 0), limit.callers]).toEqual([1_000, 0]);
});

describe("requests that are alike", () => {
  const asked = (path: string, ...pairs: string[]): Asked => ({
    caller: "web",
    path,
    fields: fieldsFrom(pairs),
  });
  const key = { header: null, eachPath: false, paths: [], ...rate(2) };

  test("by a header: each value has the rate for itself, and requests without it have no limit", () => {
    const limit = limited({ keys: [{ ...key, header: "x-user" }] });
    const counts = [asked("/a", "x-user", "ann"), asked("/b", "x-user", "bob"), asked("/a")].map((each) =>
      passed(limit, each, 9, 0),
    );
    expect(counts).toEqual([2, 2, 9]);
  });

  test("by path: each path has the rate for itself", () => {
    const limit = limited({ keys: [{ ...key, eachPath: true }] });
    expect(["/a", "/b"].map((path) => passed(limit, asked(path), 9, 0))).toEqual([2, 2]);
  });

  test("those to some paths share the rate, and others have no limit", () => {
    const limit = limited({ keys: [{ ...key, paths: ["/export/*", "/all"] }] });
    const paths = ["/export/a", "/all", "/export/b", "/exports", "/"];
    expect(paths.map((path) => passed(limit, asked(path), 2, 0))).toEqual([2, 0, 0, 2, 2]);
  });

  test("values that are alike for long and differ at their ends are told apart", () => {
    const limit = limited({ keys: [{ ...key, header: "x-user" }] });
    const long = "u".repeat(5_000);
    const counts = ["a", "b"].map((end) => passed(limit, asked("/", "x-user", long + end), 9, 0));
    expect(counts).toEqual([2, 2]);
  });

  test("an opaque connection is like none", () => {
    const limit = limited({ keys: [{ ...key, eachPath: true }] });
    expect(passed(limit, { caller: "web", path: "", fields: null }, 9, 0)).toBe(9);
  });
});

describe("with more callers than are told apart", () => {
  test("those that come new share one bucket while nobody can be forgotten", () => {
    const limit = limited({ identity: rate(3) }, 4);
    for (let caller = 0; caller < 4; caller++) limit.admit(by(`known-${caller}`), 0);
    let strangers = 0;
    for (let caller = 0; caller < 100; caller++) strangers += admitted(limit, `new-${caller}`, 1, 0);
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
        const limit = limited({ identity: rate(2, 4) }, 4);
        const sofar = new Map<number, number>();
        let nowMs = 0;
        for (const { caller, afterMs, times } of steps) {
          nowMs += afterMs;
          sofar.set(caller, (sofar.get(caller) ?? 0) + admitted(limit, `caller-${caller}`, times, nowMs));
          // Its own bucket, and the shared one.
          expect(sofar.get(caller)).toBeLessThanOrEqual(2 * (4 + (nowMs * 2) / 1_000));
          expect(limit.callers).toBeLessThanOrEqual(4);
        }
      }),
    );
  });
});
