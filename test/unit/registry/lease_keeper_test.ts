import { expect, test } from "bun:test";
import type { Lease } from "../../../src/registry/key_space.ts";
import { LeaseKeeper } from "../../../src/registry/lease_keeper.ts";
import { limits } from "../../../src/model/limits.ts";
import { ManualClock } from "../../support/clock.ts";

function kept(deadlineMs: number): { clock: ManualClock; ended: string[][]; leases: Map<string, Lease> } {
  const clock = new ManualClock();
  const ended: string[][] = [];
  const leases = new Map([["a", { deadlineMs } as Lease]]);
  const keeper = new LeaseKeeper({
    clock,
    leases,
    ended: (ids) => {
      ended.push([...ids].filter((id) => keeper.isOver(id)));
      for (const id of ids) leases.delete(id);
    },
  });
  return { clock, ended, leases };
}

test("a lease ends at the first look after its time, and not before", async () => {
  const { clock, ended } = kept(5_000);
  await clock.advance(4_999);
  expect(ended).toEqual([]);
  await clock.advance(limits.leaseCheckMs + 1);
  expect(ended).toEqual([["a"]]);
});

test("a registry that stood still gives the time back in which it heard no renewal", async () => {
  const { clock, ended, leases } = kept(5_000);
  await clock.advance(1_000);
  clock.stall(60_000);
  await clock.advance(limits.leaseCheckMs);
  expect(ended).toEqual([]);
  const left = (leases.get("a")?.deadlineMs ?? 0) - clock.now();
  expect(left).toBeGreaterThan(3_000);
  await clock.advance(5_000);
  expect(ended).toEqual([["a"]]);
});

test("a look that is a little late gives nothing back", async () => {
  const { clock, ended } = kept(1_000);
  clock.stall(limits.leaseStallMs);
  await clock.advance(2 * limits.leaseCheckMs);
  expect(ended).toEqual([["a"]]);
});
