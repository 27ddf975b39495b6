/** What a set of processes cost: processor time from the scheduler's own account, and resident memory. */
import { readdirSync, readFileSync } from "node:fs";

/** Nanoseconds on a processor of all threads of these processes (finer than user + system time). */
export function cpuNanos(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    for (const task of tasksOf(pid)) sum += Number(task.split(" ")[0]);
  }
  return sum;
}

/** The account of each thread; a thread or process that ended while we looked has none. */
function tasksOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) => {
      try {
        return [readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1")];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

/** Resident megabytes of one process: all, or those that no file stands behind. */
export function residentMb(pid: number, which: "VmRSS" | "RssAnon" = "VmRSS"): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const kilobytes = new RegExp(`^${which}:\\s+(\\d+)`, "m").exec(status)?.[1];
  return Number(kilobytes ?? 0) / 1024;
}

/** The process and all below it. */
export function familyOf(pid: number): number[] {
  let children: string;
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
  } catch {
    return []; // It ended while we looked: helpers of a proxy come and go.
  }
  if (children === "") return [pid];
  return [pid, ...children.split(" ").flatMap((child) => familyOf(Number(child)))];
}
