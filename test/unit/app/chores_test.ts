/** What a proxy does beside its work. */
import { expect, test } from "bun:test";
import { startChores } from "../../../src/app/chores.ts";
import { limits } from "../../../src/model/limits.ts";
import { ManualClock } from "../../support/clock.ts";

const mib = 1024 * 1024;
const busyUs = limits.compactAfterMs * 1_000 * limits.compactBusyShareMax * 2;

function scene() {
  const clock = new ManualClock();
  const host = { cpuUs: 900_000, residentBytes: 60 * mib, compacted: 0 };
  const process = {
    usage: () => ({ residentBytes: host.residentBytes, openDescriptors: 0, cpuUs: host.cpuUs }),
    compact: () => {
      host.compacted++;
      host.residentBytes = 50 * mib;
    },
    yieldHelpers: () => undefined,
  };
  const shard = { buffered: { emptied: () => false } };
  const logs = { flush: () => undefined };
  const chores = startChores({ clock, process } as never, shard as never, logs as never);
  return { clock, host, chores };
}

test("what starting took is given back once, and not while there is much to do", async () => {
  const { clock, host, chores } = scene();
  for (let look = 0; look < 3; look++) {
    host.cpuUs += busyUs;
    await clock.advance(limits.compactAfterMs);
  }
  expect(host.compacted).toBe(0);
  await clock.advance(limits.compactAfterMs);
  expect(host.compacted).toBe(1);
  await clock.advance(limits.compactAfterMs * 3);
  expect(host.compacted).toBe(1);
  chores.close();
  expect(clock.waiting).toBe(0);
});

test("what a peak took is given back within ten seconds after it, once, where it is worth it", async () => {
  const { clock, host, chores } = scene();
  await clock.advance(limits.compactAfterMs);
  expect(host.compacted).toBe(1);
  host.residentBytes += limits.compactGrowthBytes * 2;
  // It grew in little steps, without much to do: that is no peak.
  await clock.advance(limits.compactAfterMs * 3);
  expect(host.compacted).toBe(1);
  host.cpuUs += busyUs;
  await clock.advance(10_000);
  expect(host.compacted).toBe(2);
  host.cpuUs += busyUs;
  host.residentBytes += limits.compactGrowthBytes / 2;
  await clock.advance(10_000);
  expect(host.compacted).toBe(2);
  chores.close();
});
