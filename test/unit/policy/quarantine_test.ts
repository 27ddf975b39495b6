/** When a policy is put aside, tried again, and back. */
import { expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { Quarantine } from "../../../src/policy/quarantine.ts";

const { policyTripsMax, policyTripWindowMs, policyQuarantineMs, policyQuarantineMaxMs } = limits;

function failed(quarantine: Quarantine, nowMs: number): boolean[] {
  return Array.from({ length: policyTripsMax }, () => quarantine.fail(nowMs, "a throw"));
}

test("so many failures within the window put it aside, as many over a longer time do not", () => {
  const slow = new Quarantine();
  for (let time = 0; time < 3 * policyTripsMax; time++) {
    expect(slow.fail((time * policyTripWindowMs) / (policyTripsMax - 1), "a throw")).toBe(false);
  }
  const quick = new Quarantine();
  expect(failed(quick, 0)).toEqual([...Array<boolean>(policyTripsMax - 1).fill(false), true]);
  expect(quick.closed).toBe(true);
});

test("it is tried once its wait is over, and a trial that goes well ends it", () => {
  const quarantine = new Quarantine();
  failed(quarantine, 0);
  expect([quarantine.try(policyQuarantineMs - 1), quarantine.closed]).toEqual([false, true]);
  expect([quarantine.try(policyQuarantineMs), quarantine.onTrial, quarantine.closed]).toEqual([
    true,
    true,
    false,
  ]);
  expect(quarantine.try(policyQuarantineMs)).toBe(false);
  quarantine.release(policyQuarantineMs);
  expect([quarantine.onTrial, quarantine.closed]).toEqual([false, false]);
  expect(quarantine.fail(policyQuarantineMs, "a throw")).toBe(false);
});

test("each trial that fails doubles the wait, up to a bound", () => {
  const quarantine = new Quarantine();
  failed(quarantine, 0);
  const waits: number[] = [];
  for (let nowMs = 0; waits.length < 12;) {
    waits.push(quarantine.waitMs);
    nowMs += quarantine.waitMs;
    expect([quarantine.try(nowMs), quarantine.fail(nowMs, "a throw")]).toEqual([true, true]);
  }
  expect(waits.slice(0, 3)).toEqual([policyQuarantineMs, 2 * policyQuarantineMs, 4 * policyQuarantineMs]);
  expect(waits.at(-1)).toBe(policyQuarantineMaxMs);
});

test("one that fails soon after it was back waits longer than one that did well for long", () => {
  for (const [wellMs, expected] of [
    [policyQuarantineMs - 1, 2 * policyQuarantineMs],
    [policyQuarantineMs, policyQuarantineMs],
  ] as const) {
    const quarantine = new Quarantine();
    failed(quarantine, 0);
    quarantine.try(policyQuarantineMs);
    quarantine.release(policyQuarantineMs);
    failed(quarantine, policyQuarantineMs + wellMs);
    expect(quarantine.waitMs).toBe(expected);
  }
});
