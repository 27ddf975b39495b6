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
    giveBackStart(clock, process),
    every(clock, limits.helpersYieldMs, () => process.yieldHelpers()),
    every(clock, limits.bufferedCompactLookMs, () => {
      if (shard.buffered.emptied()) process.compact();
    }),
    every(clock, limits.accessLogFlushMs, () => logs.flush()),
  ];
  return { close: () => chores.forEach((chore) => chore.close()) };
}

/**
 * What starting left behind is a tenth of all memory; the heap of a proxy that serves stays about as it is. Compaction throws away
 * compiled code too, and until it is made anew requests cost two to three times as much: it waits for a while in which there is
 * little to do.
 */
function giveBackStart(clock: Clock, process: Runtime["process"]): { close(): void } {
  let before = process.usage().cpuUs;
  const looking = every(clock, limits.compactAfterMs, () => {
    const { cpuUs } = process.usage();
    const share = (cpuUs - before) / 1_000 / limits.compactAfterMs;
    before = cpuUs;
    if (share > limits.compactBusyShareMax) return;
    looking.close();
    process.compact();
  });
  return looking;
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
