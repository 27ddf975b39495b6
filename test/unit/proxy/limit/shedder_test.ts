/** Shedding: one priority more for each step of overload, one fewer for each step of calm, never what no document calls less important. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { priorities, priorityLevel, type PriorityLevel } from "../../../../src/model/priority.ts";
import { Shedder } from "../../../../src/proxy/limit/shedder.ts";

const levels: readonly PriorityLevel[] = [0, 1, 2, 3];

/** The priorities that are served after so long of this delay, told each second. */
function served(shedder: Shedder, delayMs: number, fromMs: number, toMs: number): string[] {
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += 1_000) shedder.delayed(delayMs, nowMs);
  return priorities.filter((priority) => shedder.admits(priorityLevel(priority)));
}

test("each five seconds of overload refuse one more priority from the bottom, down to what nobody called less important", () => {
  const shedder = new Shedder(0);
  expect(served(shedder, 150, 0, 4_000)).toEqual(["critical", "default", "sheddable", "background"]);
  expect(served(shedder, 150, 5_000, 5_000)).toEqual(["critical", "default", "sheddable"]);
  expect(served(shedder, 150, 6_000, 90_000)).toEqual(["critical", "default"]);
});

test("each five seconds of calm let one in again", () => {
  const shedder = new Shedder(0);
  served(shedder, 150, 0, 90_000);
  expect(served(shedder, 5, 91_000, 95_000)).toEqual(["critical", "default"]);
  expect(served(shedder, 5, 96_000, 96_000)).toEqual(["critical", "default", "sheddable"]);
  expect(served(shedder, 5, 97_000, 120_000)).toEqual(["critical", "default", "sheddable", "background"]);
});

test("a delay that goes up and down within five seconds changes nothing", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 4_999 }), { maxLength: 100 }), (steps) => {
      const shedder = new Shedder(0);
      let nowMs = 0;
      steps.forEach((afterMs, at) => {
        nowMs += afterMs;
        shedder.delayed(at % 2 === 0 ? 500 : 1, nowMs);
      });
      expect(levels.every((level) => shedder.admits(level))).toBe(true);
    }),
  );
});
