/** What a proxy does beside its work. */
import { expect, test } from "bun:test";
import { startChores } from "../../../src/app/chores.ts";
import { limits } from "../../../src/model/limits.ts";
import { ManualClock } from "../../support/clock.ts";

const mib = 1024 * 1024;
const busyUs = limits.compactAfterMs * 1_000 * limits.compactBusyShareMax * 2;

function scene() {
  const clock = new ManualClock();
  const host = { cpuUs: 900_000, residentBytes: 60 * mib, did: [] as string[], buffersEmptied: false };
  const gives = (what: string): void => {
    host.did.push(what);
    host.residentBytes = 50 * mib;
  };
  const process = {
    usage: () => ({ residentBytes: host.residentBytes, openDescriptors: 0, cpuUs: host.cpuUs }),
    collect: () => gives("collects"),
    compact: () => gives("compacts"),
    yieldHelpers: () => undefined,
  };
  const shard = { buffered: { emptied: () => host.buffersEmptied } };
  const logs = { flush: () => undefined };
  const chores = startChores({ clock, process } as never, shard as never, logs as never);
  return { clock, host, chores };
}

test("what starting took is given back with its code, once", async () => {
  const { clock, host, chores } = scene();
  await clock.advance(limits.compactAfterMs * 3 + limits.compactCodeAfterMs);
  expect(host.did).toEqual(["compacts"]);
  chores.close();
  expect(clock.waiting).toBe(0);
});

test("what starting took is not given back while there is much to do, and then the code stays", async () => {
  const { clock, host, chores } = scene();
  for (let look = 0; look < 3; look++) {
    host.cpuUs += busyUs;
    await clock.advance(limits.compactAfterMs);
  }
  expect(host.did).toEqual([]);
  await clock.advance(limits.compactAfterMs * 4);
  expect(host.did).toEqual(["collects"]);
  chores.close();
});

test("what a peak took is given back within ten seconds after it, once, where it is worth it, and compiled code is kept", async () => {
  const { clock, host, chores } = scene();
  await clock.advance(limits.compactAfterMs);
  expect(host.did).toEqual(["compacts"]);
  host.residentBytes += limits.compactGrowthBytes * 2;
  // It grew in little steps, without much to do: that is no peak.
  await clock.advance(limits.compactAfterMs * 3);
  expect(host.did).toEqual(["compacts"]);
  host.cpuUs += busyUs;
  await clock.advance(10_000);
  expect(host.did).toEqual(["compacts", "collects"]);
  host.cpuUs += busyUs;
  host.residentBytes += limits.compactGrowthBytes / 2;
  await clock.advance(10_000);
  expect(host.did).toEqual(["compacts", "collects"]);
  chores.close();
});

test("compiled code is thrown away once there was little to do for long after a peak, and not between two", async () => {
  const { clock, host, chores } = scene();
  await clock.advance(limits.compactAfterMs);
  const peak = async (): Promise<void> => {
    host.cpuUs += busyUs;
    host.residentBytes += limits.compactGrowthBytes * 2;
    await clock.advance(limits.compactAfterMs);
  };
  await peak();
  await clock.advance(limits.compactCodeAfterMs - limits.compactAfterMs);
  await peak();
  await clock.advance(limits.compactCodeAfterMs - limits.compactAfterMs);
  expect(host.did).toEqual(["compacts", "collects", "collects"]);
  host.residentBytes += limits.compactGrowthBytes * 2;
  await clock.advance(limits.compactCodeAfterMs);
  expect(host.did).toEqual(["compacts", "collects", "collects", "compacts"]);
  chores.close();
});

test("memory of what waited for slow peers is given back under load, too, and compiled code is kept", async () => {
  const { clock, host, chores } = scene();
  host.buffersEmptied = true;
  await clock.advance(limits.bufferedCompactLookMs);
  expect(host.did).toEqual(["collects"]);
  chores.close();
});
