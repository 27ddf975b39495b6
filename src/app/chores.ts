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
      if (shard.buffered.emptied()) process.collect();
    }),
    every(clock, limits.accessLogFlushMs, () => logs.flush()),
  ];
  return { close: () => chores.forEach((chore) => chore.close()) };
}

/**
 * What starting left behind is a tenth of all memory, and what a peak took may be as much as all of it. What a peak took is given back in
 * the first while in which there is little to do, once for each time in which there was much. Compiled code stays then: made anew, it makes
 * requests cost several times as much for a while, and where there was a peak the next one may be near. It goes once there was little
 * to do for long, and after the start, whose code nobody needs any more.
 */
function giveBackPeaks(clock: Clock, process: Runtime["process"]): { close(): void } {
  let before = process.usage().cpuUs;
  let settledBytes = -Infinity;
  let due: "start" | "peak" | "code" | null = "start";
  let calmMs = 0;
  return every(clock, limits.compactAfterMs, () => {
    const { cpuUs, residentBytes } = process.usage();
    const share = (cpuUs - before) / 1_000 / limits.compactAfterMs;
    before = cpuUs;
    calmMs += limits.compactAfterMs;
    if (share > limits.compactBusyShareMax) {
      [due, calmMs] = ["peak", 0];
    } else if (due === "peak") {
      due = "code";
      if (residentBytes > settledBytes + limits.compactGrowthBytes) process.collect();
    } else if (due === "start" || (due === "code" && calmMs >= limits.compactCodeAfterMs)) {
      due = null;
      if (residentBytes <= settledBytes + limits.compactGrowthBytes) return;
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
