/** Memory that event loops share: who asks for a name, what is free again, and what a loop that ended leaves behind. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { SharedRow } from "../../../src/base/shared_row.ts";
import type { Tally } from "../../../src/base/tally.ts";
import type { RegionSize, SharedRegion } from "../../../src/shards/shared_region.ts";
import { budgetNumbers, RetryBudget } from "../../../src/proxy/balance/retry_budget.ts";
import { breakerNumbers } from "../../../src/proxy/breaker/breaker.ts";
import { BreakerGroup, groupNumbers } from "../../../src/proxy/breaker/breaker_group.ts";
import { breakerDefaults } from "../../../src/proxy/breaker/breaker_settings.ts";
import { Gradient2, gradientNumbers } from "../../../src/proxy/limit/gradient2.ts";
import { bucketNumbers, TokenBucket } from "../../../src/proxy/limit/token_bucket.ts";
import { scripted } from "../../support/chance.ts";
import { loopsOn } from "../../support/loops.ts";

function twoLoops(size?: RegionSize): readonly [SharedRegion, SharedRegion] {
  return loopsOn(2, size) as [SharedRegion, SharedRegion];
}

describe("rows of a shared region", () => {
  test("are the same numbers in each loop that asks for the name, and others for another name", () => {
    const [one, other] = twoLoops();
    one.row("budget orders", 3).numbers.set([1, 2, 3]);
    expect([...other.row("budget orders", 3).numbers]).toEqual([1, 2, 3]);
    expect([...other.row("budget search", 3).numbers]).toEqual([0, 0, 0]);
  });

  test("are zero for the next name once no loop uses them", () => {
    const [one, other] = twoLoops({ entries: 1, numbers: 8 });
    const first = one.row("a", 2);
    first.numbers.fill(7);
    const again = other.row("a", 2);
    first.release();
    expect(one.row("b", 2).numbers[0]).toBe(0);
    expect(one.refused).toBe(1);
    expect(again.numbers[0]).toBe(7);
    again.release();
    one.row("b", 2).numbers[0] = 1;
    expect([...other.row("b", 2).numbers]).toEqual([1, 0]);
  });

  test("are a loop's own where there is no room, and it is counted", () => {
    const [one, other] = twoLoops({ entries: 8, numbers: 8 });
    one.row("a", 8);
    one.row("b", 8).numbers[0] = 1;
    expect(other.row("b", 8).numbers[0]).toBe(0);
    expect([one.refused, other.refused]).toEqual([1, 1]);
  });

  test("of names that are in use never lie on one another, whatever comes and goes", () => {
    const step = fc.record({
      loop: fc.nat(2),
      name: fc.nat(11),
      count: fc.integer({ min: 1, max: 20 }),
      release: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const loops = loopsOn(3, { entries: 8, numbers: 120 });
        // By name: who uses it, and what it should hold.
        const model = new Map<number, { users: Map<number, SharedRow[]>; count: number; mark: number }>();
        let marks = 0;
        for (const { loop, name, count, release } of steps) {
          const region = loops[loop] as SharedRegion;
          const known = model.get(name);
          if (release) {
            for (const row of known?.users.get(loop) ?? []) row.release();
            known?.users.delete(loop);
            if (known?.users.size === 0) model.delete(name);
            continue;
          }
          const before = region.refused;
          const row = region.row(`${name}`, known?.count ?? count);
          if (region.refused > before) continue;
          const { numbers } = row;
          expect(new Set(numbers)).toEqual(new Set([known?.mark ?? 0]));
          const mark = ++marks;
          numbers.fill(mark);
          const users = new Map(known?.users ?? []);
          model.set(name, {
            users: users.set(loop, [...(users.get(loop) ?? []), row]),
            count: known?.count ?? count,
            mark,
          });
        }
        for (const [name, { users, count, mark }] of model)
          for (const user of users.keys())
            expect(new Set((loops[user] as SharedRegion).row(`${name}`, count).numbers)).toEqual(
              new Set([mark]),
            );
      }),
    );
  });
});

describe("what goes by a row that was released", () => {
  /** What it does after the release is not to show in the row that another name has in its place. */
  function expectNoneLate<Late>(
    count: number,
    begin: (row: SharedRow) => Late,
    writes: (late: Late) => void,
  ): void {
    const [one, other] = twoLoops({ entries: 1, numbers: 32 });
    const row = one.row("gone", count);
    const late = begin(row);
    row.release();
    const next = other.row("next", count);
    expect(other.refused).toBe(0);
    next.numbers.fill(7);
    writes(late);
    expect([...next.numbers]).toEqual(Array(count).fill(7));
    row.release();
    expect([...other.row("next", count).numbers]).toEqual(Array(count).fill(7));
  }

  test("writes nothing where another name is by then: an answer that comes late at a breaker", () => {
    expectNoneLate(
      breakerNumbers,
      (row) => new BreakerGroup(breakerDefaults, scripted(0)).add(row),
      (breaker) => {
        breaker.succeeded(breaker.epoch, 1);
        for (let at = 2; at < 10; at++) breaker.failed(breaker.epoch, "hard", at);
        breaker.release(20);
      },
    );
  });

  test("nor do a group of breakers, a budget, a bucket, a limit that is found", () => {
    expectNoneLate(
      groupNumbers,
      (row) => new BreakerGroup(breakerDefaults, scripted(0), undefined, row),
      (group) => group.probesChanged(),
    );
    expectNoneLate(
      budgetNumbers,
      (row) => new RetryBudget(undefined, row),
      (budget) => budget.request(5_000),
    );
    expectNoneLate(
      bucketNumbers,
      (row) => new TokenBucket(10, 0, 20, row),
      (bucket) => bucket.spend(1, 5_000),
    );
    expectNoneLate(
      gradientNumbers,
      (row) => new Gradient2(2, 100, 20, row),
      (found) => found.sample(5, 20, 5_000),
    );
  });

  test("keeps the numbers that it had, and stands in nobody's way", () => {
    const [one, other] = twoLoops({ entries: 1, numbers: 8 });
    const row = one.row("gone", 2);
    row.numbers.set([1, 2]);
    row.release();
    const next = other.row("next", 2);
    row.enter();
    next.enter();
    next.leave();
    expect([...row.numbers]).toEqual([1, 2]);
  });
});

describe("tallies of a shared region", () => {
  test("add up what each loop holds", () => {
    const [one, other] = twoLoops();
    one.tally("requests orders").add(3);
    other.tally("requests orders").add(2);
    other.tally("requests orders").add(-1);
    expect([one.tally("requests orders").total, one.tally("requests orders").mine]).toEqual([4, 3]);
    expect(other.tally("requests orders").mine).toBe(1);
  });

  test("lose what a loop held that ended, and nothing else does", () => {
    const [one, other] = twoLoops();
    const tally = one.tally("requests orders");
    const row = one.row("budget orders", 2);
    tally.add(3);
    other.tally("requests orders").add(2);
    other.row("budget orders", 2).numbers.fill(5);
    one.forget(1);
    expect(tally.total).toBe(3);
    expect([...row.numbers]).toEqual([5, 5]);
  });

  test("are several under one name, each with a number of each loop", () => {
    const [one, other] = twoLoops();
    const [first, second] = one.tallies("room orders", 2) as [Tally, Tally];
    const [, again] = other.tallies("room orders", 2) as [Tally, Tally];
    first.add(5);
    again.add(2);
    second.add(1);
    expect([first.total, second.total, again.leastElsewhere]).toEqual([5, 3, 1]);
    one.forget(1);
    expect([first.total, second.total]).toEqual([5, 1]);
  });

  test("count nothing for others of what is held when they are released, and are as before for who uses them yet", () => {
    const [one, other] = twoLoops({ entries: 1, numbers: 8 });
    const [old, kept, elsewhere] = [one.tally("a"), one.tally("a"), other.tally("a")];
    old.add(2);
    kept.add(3);
    elsewhere.add(1);
    old.release();
    old.add(-2);
    expect([old.total, kept.total, elsewhere.total]).toEqual([0, 4, 4]);
    kept.release();
    elsewhere.release();
    const next = one.tally("b");
    for (const each of [kept, elsewhere]) each.add(-1);
    expect(next.total).toBe(0);
    expect(one.refused).toBe(0);
  });
});
