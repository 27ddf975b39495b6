/** What a proxy does beside its work. */
import { expect, test } from "bun:test";
import { startChores } from "../../../src/app/chores.ts";
import { limits } from "../../../src/model/limits.ts";
import { ManualClock } from "../../support/clock.ts";

test("what starting took is given back once, and not while there is much to do", async () => {
  const clock = new ManualClock();
  let cpuUs = 900_000;
  let compacted = 0;
  const process = {
    usage: () => ({ residentBytes: 0, openDescriptors: 0, cpuUs }),
    compact: () => void compacted++,
    yieldHelpers: () => undefined,
  };
  const shard = { buffered: { emptied: () => false } };
  const chores = startChores(
    { clock, process } as never,
    shard as never,
    { flush: () => undefined } as never,
  );
  const busyUs = limits.compactAfterMs * 1_000 * limits.compactBusyShareMax * 2;
  for (let look = 0; look < 3; look++) {
    cpuUs += busyUs;
    await clock.advance(limits.compactAfterMs);
  }
  expect(compacted).toBe(0);
  await clock.advance(limits.compactAfterMs);
  expect(compacted).toBe(1);
  await clock.advance(limits.compactAfterMs * 3);
  expect(compacted).toBe(1);
  chores.close();
  expect(clock.waiting).toBe(0);
});
