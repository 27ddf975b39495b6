/** How many event loops fit this machine: one for each core that the proxy may use, a few at most, and fewer where memory is small. */
import type { Files } from "../../../runtime/contract.ts";
import { limits } from "../../model/limits.ts";
import { machineBytes } from "./machine_memory.ts";

export function fittingShards(files: Pick<Files, "readSync">): number {
  const byMemory = Math.floor(machineBytes(files) / limits.shardNeedsBytes);
  return Math.max(1, Math.min(coresOf(files), limits.shardsFittingMax, byMemory));
}

/** Those that the scheduler may run this process on (cpuset(7)): `0-3,8`. 1 where the system does not tell. */
function coresOf(files: Pick<Files, "readSync">): number {
  const status = new TextDecoder().decode(files.readSync("/proc/self/status") ?? undefined);
  const [, list = "0"] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status) ?? [];
  return list.split(",").reduce((sum, range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return sum + last - first + 1;
  }, 0);
}
