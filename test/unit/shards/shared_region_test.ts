/** Memory that event loops share: who asks for a name, what is free again, and what a loop that ended leaves behind. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { regionBytes, SharedRegion, type RegionSize } from "../../../src/shards/shared_region.ts";

function loopsOn(count: number, size: RegionSize = { entries: 64, numbers: 2_048 }): SharedRegion[] {
  const memory = new ArrayBuffer(regionBytes(size));
  return Array.from({ length: count }, (_, own) => new SharedRegion(memory, size, { loops: count, own }));
}

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
    other.row("a", 2);
    first.release();
    expect(one.row("b", 2).numbers[0]).toBe(0);
    expect(one.refused).toBe(1);
    const again = other.row("a", 2);
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
        const model = new Map<number, { users: Set<number>; count: number; mark: number }>();
        let marks = 0;
        for (const { loop, name, count, release } of steps) {
          const region = loops[loop] as SharedRegion;
          const known = model.get(name);
          if (release) {
            if (known?.users.has(loop) === true) region.row(`${name}`, known.count).release();
            known?.users.delete(loop);
            if (known?.users.size === 0) model.delete(name);
            continue;
          }
          const before = region.refused;
          const { numbers } = region.row(`${name}`, known?.count ?? count);
          if (region.refused > before) continue;
          expect(new Set(numbers)).toEqual(new Set([known?.mark ?? 0]));
          const mark = ++marks;
          numbers.fill(mark);
          model.set(name, {
            users: new Set([...(known?.users ?? []), loop]),
            count: known?.count ?? count,
            mark,
          });
        }
        for (const [name, { users, count, mark }] of model)
          for (const user of users)
            expect(new Set((loops[user] as SharedRegion).row(`${name}`, count).numbers)).toEqual(
              new Set([mark]),
            );
      }),
    );
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
});
