/** What a proxy does again and again beside its work: memory given back, the log written, threads of the runtime kept polite. */
import type { Clock, Runtime, Timer } from "../../runtime/contract.ts";
import type { Shard } from "../http/shard.ts";
import { limits } from "../model/limits.ts";
import type { ProxyLogs } from "./proxy_logs.ts";

export function startChores(
  { clock, process }: Pick<Runtime, "clock" | "process">,
  shard: Shard,
  logs: ProxyLogs,
): { close(): void } {
  const chores = [
    giveBackPeaks(clock, process),
    every(clock, limits.helpersYieldMs, () => process.yieldHelpers()),
    every(clock, limits.bufferedCompactLookMs, () => {
      if (shard.buffered.emptied()) process.compact();
    }),
    every(clock, limits.accessLogFlushMs, () => logs.flush()),
  ];
  return { close: () => chores.forEach((chore) => chore.close()) };
}

/**
 * What starting left behind is a tenth of all memory, and what a peak took may be as much as all of it. Compaction throws away
 * compiled code too, and until it is made anew requests cost two to three times as much: it waits for a while in which there is
 * little to do, and comes once for each time in which there was much.
 */
function giveBackPeaks(clock: Clock, process: Runtime["process"]): { close(): void } {
  let before = process.usage().cpuUs;
  let settledBytes = -Infinity;
  let due = true;
  return every(clock, limits.compactAfterMs, () => {
    const { cpuUs, residentBytes } = process.usage();
    const share = (cpuUs - before) / 1_000 / limits.compactAfterMs;
    before = cpuUs;
    if (share > limits.compactBusyShareMax) due = true;
    else if (due && residentBytes > settledBytes + limits.compactGrowthBytes) {
      due = false;
      process.compact();
      settledBytes = process.usage().residentBytes;
    }
  });
}

/** From `ms` from now on, until it is closed. */
export function every(clock: Clock, ms: number, call: () => void): { close(): void } {
  let timer: Timer | null = null;
  const next = (): void => {
    timer = clock.after(
      ms,
      () => {
        next();
        call();
      },
      true,
    );
  };
  next();
  return { close: () => timer?.cancel() };
}
