/** How many processor cores this process may keep busy: those that it may run on, and no more than the quota of a control group gives. */
import type { Files } from "../../../runtime/contract.ts";
import { groupTexts, textAt } from "./control_groups.ts";

const quota = {
  controller: "cpu",
  unified: "cpu.max",
  own: ["cpu.cfs_quota_us", "cpu.cfs_period_us"],
} as const;

/** A whole number, 1 or more; a quota of one core and a half lets two run. 1 where the system does not tell. */
export function machineCores(files: Pick<Files, "readSync">): number {
  const quotas = groupTexts(files, quota).map((texts) => coresIn(texts.join(" ")));
  return Math.max(1, Math.min(allowedCores(files), ...quotas));
}

/** Those that the scheduler may run it on (cpuset(7)): `0-3,8`. */
function allowedCores(files: Pick<Files, "readSync">): number {
  const status = textAt(files, "/proc/self/status");
  const [, list = "0"] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status) ?? [];
  return list.split(",").reduce((sum, range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return sum + last - first + 1;
  }, 0);
}

/** `150000 100000`: microseconds in each period of so many. Infinity where nothing bounds them: `max`, or -1. */
function coresIn(text: string): number {
  const [, taken, period] = /^(\d+)\s+(\d+)\s*$/.exec(text) ?? [];
  const cores = Math.ceil(Number(taken) / Number(period));
  return cores > 0 ? cores : Infinity;
}
