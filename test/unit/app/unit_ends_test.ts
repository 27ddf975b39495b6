/** A proxy that is told to end waits for units that stop with it, and for nothing else. */
import { expect, test } from "bun:test";
import { unitsStopped } from "../../../src/app/unit_ends.ts";
import { limits } from "../../../src/model/limits.ts";
import type { UnitState } from "../../../src/systemd/unit_watch.ts";
import { ManualClock } from "../../support/clock.ts";

const deadlineMs = 30_000;

function scene(units: readonly string[]) {
  const clock = new ManualClock();
  const told = new Map<string, (state: UnitState) => void>();
  const watch = {
    follow: (unit: string, tell: (state: UnitState) => void) => {
      told.set(unit, tell);
      tell("active");
      return { close: () => void told.delete(unit) };
    },
  };
  let isOver = false;
  void unitsStopped({ watch, clock, units }, deadlineMs).then(() => (isOver = true));
  const over = async (): Promise<boolean> => {
    await Promise.resolve();
    return isOver;
  };
  return { clock, over, told, tell: (unit: string, state: UnitState) => told.get(unit)?.(state) };
}

test("where no unit is attached, it waits for nothing", async () => {
  expect(await scene([]).over()).toBe(true);
});

test("units that go on are waited for no longer than theirs could be late", async () => {
  const { clock, over } = scene(["web.service"]);
  expect(await over()).toBe(false);
  await clock.advance(limits.unitStopLookMs);
  expect(await over()).toBe(true);
});

test("a unit that stops a little later is waited for until it has stopped", async () => {
  const { clock, over, tell, told } = scene(["web.service", "orders.service"]);
  await clock.advance(limits.unitStopLookMs / 2);
  tell("web.service", "deactivating");
  await clock.advance(10 * limits.unitStopLookMs);
  expect(await over()).toBe(false);
  tell("web.service", "inactive");
  expect(await over()).toBe(true);
  expect(told.size).toBe(0);
});

test("one that never stops is waited for until the grace is over", async () => {
  const { clock, over, tell } = scene(["web.service"]);
  tell("web.service", "deactivating");
  await clock.advance(deadlineMs - 1);
  expect(await over()).toBe(false);
  await clock.advance(1);
  expect(await over()).toBe(true);
});
