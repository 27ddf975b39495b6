/**
 * A shard ends in the moment in which its keeper does, whatever ended that (PR_SET_PDEATHSIG of prctl(2)): the ports are free then for
 * whoever comes after it.
 */
import type { Native } from "../../../runtime/contract.ts";

const prSetPdeathsig = 1;
const sigKill = 9n;

/** Nothing where the host has no native calls: the end of the channel tells it a moment later. */
export function endWithKeeper(native: Native): void {
  if (!native.available) return;
  const { prctl } = native.library("libc.so.6", {
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  });
  prctl(prSetPdeathsig, sigKill, 0n, 0n, 0n);
}
