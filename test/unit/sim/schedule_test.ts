/** Simulated time: everything happens when it is due, in the order it was asked for, and nothing is lost. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Schedule } from "../../sim/schedule.ts";

test("what is due happens in order of time, then of asking, and no later than told", () => {
  const delays = fc.array(fc.nat(20), { maxLength: 200 });
  fc.assert(
    fc.property(delays, fc.nat(20), (all, untilMs) => {
      const schedule = new Schedule();
      const happened: number[] = [];
      const actor = { happen: (what: number) => void happened.push(what) };
      all.forEach((delayMs, at) => schedule.after(delayMs, actor, at));
      const due = all
        .map((delayMs, at) => ({ delayMs, at }))
        .sort((one, other) => one.delayMs - other.delayMs || one.at - other.at);
      schedule.runUntil(untilMs);
      expect(happened).toEqual(due.filter(({ delayMs }) => delayMs <= untilMs).map(({ at }) => at));
      expect(schedule.nowMs).toBe(untilMs);
      schedule.runUntil(100);
      expect(happened).toEqual(due.map(({ at }) => at));
    }),
  );
});

test("what happens may ask for more, also for now", () => {
  const schedule = new Schedule();
  const times: number[] = [];
  const actor = {
    happen(left: number) {
      times.push(schedule.nowMs);
      if (left > 0) schedule.after(left % 2, actor, left - 1);
    },
  };
  schedule.after(5, actor, 4);
  schedule.runUntil(10);
  expect(times).toEqual([5, 5, 6, 6, 7]);
});
