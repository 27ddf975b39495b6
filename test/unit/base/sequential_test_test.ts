/** Whether something new fails more often: found out after few observations, and of an equal one never in a thousand trials. */
import { describe, expect, test } from "bun:test";
import { failsMore, type Tally } from "../../../src/base/sequential_test.ts";
import { seeded } from "../../support/chance.ts";

/** After how many calls of the new one it is found guilty; null: not within so many. */
function guiltyAfter(
  unit: () => number,
  percent: number,
  old: number,
  now: (call: number) => boolean,
  most: number,
) {
  let [tried, usual]: Tally[] = [
    { calls: 0, failed: 0 },
    { calls: 0, failed: 0 },
  ];
  const add = (tally: Tally, fails: boolean): Tally => ({
    calls: tally.calls + 1,
    failed: tally.failed + (fails ? 1 : 0),
  });
  while ((tried as Tally).calls < most) {
    if (unit() * 100 >= percent) usual = add(usual as Tally, unit() < old);
    else {
      tried = add(tried as Tally, now((tried as Tally).calls));
      if (failsMore(tried, usual as Tally)) return tried.calls;
    }
  }
  return null;
}

describe("one that is tried", () => {
  test("and always fails is found guilty after at most 20 calls, for 1, 5 and 20 of a hundred", () => {
    const unit = seeded(1).unit;
    for (const percent of [1, 5, 20])
      for (let round = 0; round < 200; round++)
        expect(guiltyAfter(unit, percent, 0.01, () => true, 1_000) ?? 9_999).toBeLessThanOrEqual(20);
  });

  test("and fails with every twentieth call beside one that never does is found guilty after at most 200", () => {
    const unit = seeded(2).unit;
    for (let round = 0; round < 200; round++)
      expect(guiltyAfter(unit, 5, 0, (call) => call % 20 === 19, 1_000) ?? 9_999).toBeLessThanOrEqual(200);
  });

  test("and fails as often as the old one is not found guilty in 1,000 trials of 1,000 calls", () => {
    const unit = seeded(3).unit;
    let guilty = 0;
    for (let round = 0; round < 1_000; round++) {
      const rate = [0, 0.001, 0.01, 0.05, 0.3][round % 5] ?? 0;
      const percent = [5, 10, 50][round % 3] ?? 5;
      if (guiltyAfter(unit, percent, rate, () => unit() < rate, 1_000) !== null) guilty++;
    }
    expect(guilty).toBe(0);
  });

  test("before anything is known of the old one is not judged", () => {
    expect(failsMore({ calls: 50, failed: 50 }, { calls: 0, failed: 0 })).toBe(false);
  });
});
