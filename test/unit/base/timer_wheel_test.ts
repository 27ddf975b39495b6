/** The wheel: a deadline fires at the first tick behind it, once, wherever it was moved meanwhile. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { TimerWheel, WheelEntry } from "../../../src/base/timer_wheel.ts";

const tickMs = 100;

class Deadline extends WheelEntry {
  readonly fired: number[] = [];
  then: (() => void) | null = null;

  constructor(readonly at: Bench) {
    super();
  }

  expired(): void {
    this.fired.push(this.at.nowMs);
    this.then?.();
  }
}

/** A wheel and the clock it goes by. */
class Bench {
  nowMs = 0;
  readonly wheel = new TimerWheel(tickMs, () => this.nowMs);

  deadline(delayMs: number): Deadline {
    const made = new Deadline(this);
    this.wheel.arm(made, delayMs);
    return made;
  }

  pass(ms: number): void {
    for (const until = this.nowMs + ms; this.nowMs < until;) {
      this.nowMs = Math.min(until, this.nowMs + tickMs);
      this.wheel.advance();
    }
  }
}

describe("a deadline", () => {
  test("fires once, not before its time and at most a tick behind", () => {
    const bench = new Bench();
    const deadline = bench.deadline(250);
    bench.pass(200);
    expect(deadline.fired).toEqual([]);
    bench.pass(10_000);
    expect(deadline.fired).toEqual([300]);
  });

  test("that is moved fires at its last place alone, later or sooner", () => {
    const bench = new Bench();
    const later = bench.deadline(300);
    const sooner = bench.deadline(900);
    bench.pass(100);
    bench.wheel.arm(later, 1_000);
    bench.wheel.arm(sooner, 100);
    bench.pass(5_000);
    expect([later.fired, sooner.fired]).toEqual([[1_200], [300]]);
  });

  test("that is disarmed or forgotten does not fire, and can be armed again", () => {
    const bench = new Bench();
    const [disarmed, forgotten] = [bench.deadline(300), bench.deadline(300)];
    bench.wheel.disarm(disarmed);
    bench.wheel.forget(forgotten);
    bench.wheel.forget(forgotten);
    bench.pass(1_000);
    expect([disarmed.fired, forgotten.fired]).toEqual([[], []]);
    bench.wheel.arm(disarmed, 100);
    bench.wheel.arm(forgotten, 100);
    bench.pass(1_000);
    expect([disarmed.fired.length, forgotten.fired.length]).toEqual([1, 1]);
  });

  test("that is armed on another wheel fires there alone, and is forgotten by way of either", () => {
    const [bench, other] = [new Bench(), new Bench()];
    const [moved, forgotten] = [bench.deadline(250), bench.deadline(250)];
    other.wheel.arm(moved, 450);
    other.wheel.arm(forgotten, 450);
    expect(bench.wheel.busy).toBe(false);
    bench.wheel.forget(forgotten);
    bench.pass(1_000);
    expect(moved.fired).toEqual([]);
    other.pass(1_000);
    expect([moved.fired.length, forgotten.fired.length, other.wheel.busy]).toEqual([1, 0, false]);
  });

  test("further away than the wheel is round fires at its time", () => {
    const bench = new Bench();
    const delayMs = 3_600_000;
    const deadline = bench.deadline(delayMs);
    bench.pass(delayMs);
    expect(deadline.fired).toEqual([]);
    bench.pass(2 * tickMs);
    expect(deadline.fired).toEqual([delayMs + tickMs]);
  });

  test("may arm itself again, and end others, from inside", () => {
    const bench = new Bench();
    const other = bench.deadline(250);
    const again = bench.deadline(240);
    again.then = () => {
      bench.wheel.forget(other);
      if (again.fired.length < 3) bench.wheel.arm(again, 0);
    };
    other.then = again.then;
    bench.pass(1_000);
    expect(again.fired.length + other.fired.length).toBeGreaterThanOrEqual(3);
    expect(new Set(again.fired).size).toBe(again.fired.length);
  });
});

test("a wheel that stood still fires what it missed", () => {
  const bench = new Bench();
  const deadlines = [100, 5_000, 200_000].map((delayMs) => bench.deadline(delayMs));
  bench.nowMs = 10_000_000;
  bench.wheel.advance();
  expect(deadlines.map((each) => each.fired)).toEqual([[10_000_000], [10_000_000], [10_000_000]]);
});

test("a wheel is busy as long as something stands in it", () => {
  const bench = new Bench();
  expect(bench.wheel.busy).toBe(false);
  const [fires, ends] = [bench.deadline(100), bench.deadline(500)];
  expect(bench.wheel.busy).toBe(true);
  bench.pass(300);
  expect([fires.fired.length, bench.wheel.busy]).toEqual([1, true]);
  bench.wheel.forget(ends);
  expect(bench.wheel.busy).toBe(false);
});

test("whatever is armed, moved and ended, each deadline fires as a list of them would say", () => {
  const action = fc.tuple(
    fc.nat(5),
    fc.constantFrom("arm", "disarm", "forget"),
    fc.integer({ min: 1, max: 250_000 }),
    fc.nat(3_000),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const bench = new Bench();
      const deadlines = Array.from({ length: 6 }, () => new Deadline(bench));
      const wanted = deadlines.map((): { atMs: number | null; fired: number } => ({ atMs: null, fired: 0 }));
      const settle = (): void => {
        deadlines.forEach((deadline, index) => {
          const want = wanted[index] as { atMs: number | null; fired: number };
          if (want.atMs !== null && bench.nowMs >= (Math.floor(want.atMs / tickMs) + 1) * tickMs) {
            want.atMs = null;
            want.fired++;
          }
          expect(deadline.fired.length).toBe(want.fired);
        });
      };
      for (const [index, kind, delayMs, passedMs] of actions) {
        const want = wanted[index] as { atMs: number | null };
        if (kind === "arm") {
          bench.wheel.arm(deadlines[index] as Deadline, delayMs);
          want.atMs = bench.nowMs + delayMs;
        } else {
          bench.wheel[kind](deadlines[index] as Deadline);
          want.atMs = null;
        }
        bench.pass(passedMs);
        settle();
      }
      bench.pass(300_000);
      settle();
    }),
    { numRuns: 200 },
  );
});
