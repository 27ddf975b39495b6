import { cpuNanos } from "../bench/usage.ts";
import { waitFor } from "./processes.ts";

/** Milliseconds that this process has spent on processors since `start`: waiting for one is not counted. */
export function processorClock(): () => number {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1_000;
  };
}

/** Until these processes together use less than that share of a processor for a while: they have nothing to do any more. */
export async function untilIdle(pids: readonly number[], shareMax: number): Promise<void> {
  const lookMs = 500;
  const idle = async (): Promise<true | null> => {
    const [nanos, sinceMs] = [cpuNanos(pids), performance.now()];
    await Bun.sleep(lookMs);
    const share = (cpuNanos(pids) - nanos) / 1e6 / (performance.now() - sinceMs);
    return share < shareMax ? true : null;
  };
  await waitFor("the processes have nothing to do any more", idle);
}
