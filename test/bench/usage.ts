/** What a set of processes cost: processor time from the scheduler's own account, and resident memory. */
import { readFileSync } from "node:fs";
import { createNative } from "../../runtime/bun/native.ts";

const { clock_gettime } = createNative().library("libc.so.6", {
  clock_gettime: { args: ["i32", "buffer"], returns: "i32" },
});
const time = new BigInt64Array(2);
const timeBytes = new Uint8Array(time.buffer);

/**
 * Nanoseconds on a processor of all threads that these processes have and had: finer than user + system time, and a thread that
 * ends takes nothing with it. Throws when one of them ended, whose time is lost.
 */
export function cpuNanos(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    if (clock_gettime(clockOf(pid), timeBytes) === 0) return sum + nanos();
    throw new Error(`Cannot read the processor time of process ${pid}: it ended while it was measured`);
  }, 0);
}

/** The processor-time clock of a process: clock_getcpuclockid(3). */
function clockOf(pid: number): number {
  const scheduled = 2;
  return (~pid << 3) | scheduled;
}

function nanos(): number {
  const [seconds = 0n, rest = 0n] = time;
  return Number(seconds * 1_000_000_000n + rest);
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
