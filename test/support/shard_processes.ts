/** The processes that carry the traffic of a proxy, found as an operator finds them: children of its process. */
import { readdirSync, readFileSync } from "node:fs";

/** Pids of the shards of the proxy with this pid. */
export function shardsOf(pid: number): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((each) => each > 0 && isShardOf(each, pid));
}

function isShardOf(pid: number, parent: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, its] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return state !== "Z" && Number(its) === parent && words.includes("proxy-shard");
  } catch {
    // It has ended since.
    return false;
  }
}
