/** Control groups that give processes a part of a processor core each, by whichever version of them has the cpu controller. */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";

export interface Quota {
  /** From now on the processes get so much of a core each, all their threads together. */
  hold(pids: readonly number[]): void;
  /** They get what they want again, and the groups are gone. */
  release(): void;
}

interface Hierarchy {
  readonly root: string;
  /** In a group: what says its quota, in microseconds of each period. */
  readonly bound: (share: number) => Readonly<Record<string, string>>;
}

const periodUs = 100_000;

/** `share`: of one core. The reason where no hierarchy can be written to. */
export function quotaOf(share: number): Quota | string {
  const found = hierarchy();
  if (typeof found === "string") return found;
  const { root, bound } = found;
  const groups: string[] = [];
  const held: number[] = [];
  return {
    hold(pids) {
      for (const pid of pids) {
        const group = `${root}/heddle-bench-${process.pid}-${pid}`;
        mkdirSync(group);
        groups.push(group);
        for (const [file, text] of Object.entries(bound(share))) writeFileSync(`${group}/${file}`, text);
        writeFileSync(`${group}/cgroup.procs`, String(pid));
        held.push(pid);
      }
    },
    release() {
      for (const pid of held.splice(0)) writeFileSync(`${root}/cgroup.procs`, String(pid));
      for (const group of groups.splice(0)) rmdirSync(group);
    },
  };
}

function hierarchy(): Hierarchy | string {
  const mounts = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "));
  const quotaUs = (share: number): string => String(Math.round(share * periodUs));
  const older = mounts.find(
    ([, , type, options = ""]) => type === "cgroup" && options.split(",").includes("cpu"),
  );
  const newer = mounts.find(([, path = "", type]) => type === "cgroup2" && hasCpu(path));
  const found: Hierarchy | null =
    older?.[1] !== undefined
      ? {
          root: older[1],
          bound: (share) => ({ "cpu.cfs_period_us": String(periodUs), "cpu.cfs_quota_us": quotaUs(share) }),
        }
      : newer?.[1] !== undefined
        ? { root: newer[1], bound: (share) => ({ "cpu.max": `${quotaUs(share)} ${periodUs}` }) }
        : null;
  if (found === null) return "no hierarchy of control groups has the cpu controller";
  return whyNot(found) ?? found;
}

/** Whether a hierarchy of version 2 has the controller, and gives it to the groups below its root. */
function hasCpu(path: string): boolean {
  try {
    if (!readFileSync(`${path}/cgroup.controllers`, "latin1").split(/\s+/).includes("cpu")) return false;
    writeFileSync(`${path}/cgroup.subtree_control`, "+cpu");
    return true;
  } catch {
    return false;
  }
}

/** null: a group with a quota can be made. */
function whyNot({ root, bound }: Hierarchy): string | null {
  const group = `${root}/heddle-bench-${process.pid}`;
  try {
    mkdirSync(group);
    for (const [file, text] of Object.entries(bound(0.5))) writeFileSync(`${group}/${file}`, text);
    rmdirSync(group);
    return null;
  } catch (error) {
    return `no control group with a quota can be made: ${(error as Error).message}`;
  }
}
