/** The clock of the machine that never jumps (CLOCK_MONOTONIC, clock_gettime(2)), which all its processes share. */
import type { Native } from "../contract.ts";

const monotonic = 1;

/** What it said when `performance.now()` said 0 in this process, in milliseconds; 0 on a host without native calls. */
export function monotonicOriginMs(native: Native): number {
  if (!native.available) return 0;
  const { clock_gettime } = native.library("libc.so.6", {
    clock_gettime: { args: ["i32", "buffer"], returns: "i32" },
  });
  const time = new Uint8Array(16);
  const before = performance.now();
  if (clock_gettime(monotonic, time) !== 0) return 0;
  const view = new DataView(time.buffer);
  const nowMs = Number(view.getBigInt64(0, true)) * 1_000 + Number(view.getBigInt64(8, true)) / 1e6;
  return nowMs - before;
}
