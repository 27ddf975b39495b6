/** The processes that carry the traffic of a proxy, found as an operator finds them: children of its process. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

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

/** Connections to this port that the process with this pid holds, as the kernel tells: those it has accepted, and that are open on both sides. */
export function connectionsOf(pid: number, port: number): number {
  const held = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((each) => {
      try {
        return [/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${each}`))?.[1] ?? ""];
      } catch {
        // It has been closed since.
        return [];
      }
    }),
  );
  const lines = readFileSync(`/proc/${pid}/net/tcp`, "utf8").trim().split("\n").slice(1);
  return lines.filter((line) => {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/ +/);
    return (
      state === establishedState && Number.parseInt(local.split(":")[1] ?? "", 16) === port && held.has(inode)
    );
  }).length;
}

/** TCP_ESTABLISHED, as /proc/net/tcp writes it. */
const establishedState = "01";
