/** Whether something new fails more often: found out after few observations, and of an equal one never in a thousand trials. */
import { describe, expect, test } from "bun:test";
import { failsMore, type Tally } from "../../../src/base/sequential_test.ts";
import { seeded } from "../../support/chance.ts";

interface Rollout {
  readonly percent: number;
  /** How often the old one fails, and whether this call of the new one does. */
  readonly old: number;
  readonly now: (call: number) => boolean;
  /** Calls of the old one before. */
  readonly earlier?: number;
}

/** After how many calls of the new one it is found guilty; null: not within so many. */
function guiltyAfter(unit: () => number, { percent, old, now, earlier = 0 }: Rollout, most: number) {
  const drawn = (calls: number, fails: () => boolean): Tally => ({
    calls,
    failed: Array.from({ length: calls }, fails).filter(Boolean).length,
  });
  const known = drawn(earlier, () => unit() < old);
  let [tried, usual] = [drawn(0, () => false), drawn(0, () => false)];
  const add = (tally: Tally, fails: boolean): Tally => ({
    calls: tally.calls + 1,
    failed: tally.failed + (fails ? 1 : 0),
  });
  while (tried.calls < most) {
    if (unit() * 100 >= percent) usual = add(usual, unit() < old);
    else {
      tried = add(tried, now(tried.calls));
      if (failsMore(tried, usual, known)) return tried.calls;
    }
  }
  return null;
}

describe("one that is tried", () => {
  test("and always fails is found guilty after at most 20 calls, whatever its share, where the old one is known", () => {
    const unit = seeded(1).unit;
    for (const [percent, earlier] of [
      [1, 0],
      [5, 0],
      [20, 0],
      [50, 1_000],
      [95, 1_000],
      [100, 1_000],
    ] as const)
      for (let round = 0; round < 200; round++) {
        const after = guiltyAfter(unit, { percent, old: 0.01, now: () => true, earlier }, 100);
        expect(after ?? 9_999).toBeLessThanOrEqual(20);
      }
  });

  test("and fails with every twentieth call beside one that never does is found guilty after at most 200, whatever its share", () => {
    const unit = seeded(2).unit;
    for (const percent of [5, 50, 95])
      for (let round = 0; round < 100; round++) {
        const rollout = { percent, old: 0, now: (call: number) => call % 20 === 19, earlier: 2_000 };
        expect(guiltyAfter(unit, rollout, 1_000) ?? 9_999).toBeLessThanOrEqual(200);
      }
  });

  test("and fails five in a hundred more by chance is found guilty after at most 200 nearly always, and mostly where the old one fails once in a hundred", () => {
    const unit = seeded(4).unit;
    for (const [old, least] of [
      [0, 90],
      [0.005, 60],
      [0.01, 50],
    ] as const)
      for (const percent of [5, 20, 50, 95]) {
        const rollout = { percent, old, now: () => unit() < old + 0.05, earlier: 2_000 };
        const found = Array.from({ length: 100 }, () => guiltyAfter(unit, rollout, 200));
        expect(found.filter((after) => after !== null).length).toBeGreaterThan(least);
      }
  });

  test("and fails as often as the old one is not found guilty in 1,000 trials of 1,000 calls", () => {
    const unit = seeded(3).unit;
    let guilty = 0;
    for (let round = 0; round < 1_000; round++) {
      const old = [0, 0.001, 0.01, 0.05, 0.3][round % 5] ?? 0;
      const percent = [5, 10, 50, 95][round % 4] ?? 5;
      const rollout = { percent, old, now: () => unit() < old, earlier: round % 3 === 0 ? 0 : 2_000 };
      if (guiltyAfter(unit, rollout, 1_000) !== null) guilty++;
    }
    expect(guilty).toBe(0);
  });

  test("is not held to account for a bad hour of both", () => {
    const unit = seeded(5).unit;
    const earlier = { calls: 5_000, failed: 0 };
    let guilty = 0;
    for (let round = 0; round < 200; round++) {
      let [now, before] = [0, 0];
      for (let calls = 1; calls <= 100; calls++) {
        now += unit() < 0.5 ? 1 : 0;
        before += unit() < 0.5 ? 1 : 0;
        if (!failsMore({ calls, failed: now }, { calls, failed: before }, earlier)) continue;
        guilty++;
        break;
      }
    }
    expect(guilty).toBeLessThan(20);
  });

  test("before anything is known of the old one is not judged", () => {
    expect(failsMore({ calls: 50, failed: 50 }, { calls: 0, failed: 0 })).toBe(false);
  });
});
