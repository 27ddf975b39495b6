/** What the kernel tells of processes, proc(5), and of this machine's addresses. */
import { readdirSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

export function residentBytesOf(pid: number | "self"): number | null {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
    return kib === undefined ? null : Number(kib) * 1024;
  } catch {
    return null;
  }
}

/** proc(5), `stat`: user and system time are fields 14 and 15, in hundredths of a second; the name before may hold anything. */
export function processorMsOf(pid: number): number | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return null;
  }
}

export function openDescriptors(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}

export function addresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const outside = all.filter((each) => !each.internal);
  return [
    ...outside.filter((each) => each.family === "IPv4"),
    ...outside.filter((each) => each.family !== "IPv4"),
  ].map((each) => each.address);
}
