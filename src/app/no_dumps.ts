/**
 * Keys are in the memory of a mode: it leaves no core file, and no process of the same user reads it (PR_SET_DUMPABLE of
 * prctl(2), RLIMIT_CORE of setrlimit(2)). What it starts begins anew.
 */
import type { Native } from "../../runtime/contract.ts";

const prSetDumpable = 4;
const rlimitCore = 4;

/** Nothing where the host has no native calls. */
export function forbidDumps(native: Native): void {
  if (!native.available) return;
  const libc = native.library("libc.so.6", {
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    setrlimit: { args: ["i32", "buffer"], returns: "i32" },
  });
  // Soft and hard limit, both 0.
  libc.setrlimit(rlimitCore, new Uint8Array(16));
  libc.prctl(prSetDumpable, 0n, 0n, 0n, 0n);
}
