/** How many event loops a proxy has: as it was told, or as they fit this machine. */
import type { Files } from "../../../runtime/contract.ts";
import { UserError } from "../../base/user_error.ts";
import { limits } from "../../model/limits.ts";
import { machineBytes } from "./machine_memory.ts";

/** `said`: by a flag, or in the settings, where anybody may have written anything: then it throws. One where nothing was said. */
export function shardCount(said: number | "auto" | undefined, files: Pick<Files, "readSync">): number {
  if (said === undefined) return 1;
  if (said === "auto") return fittingShards(files);
  if (Number.isInteger(said) && said >= 1 && said <= limits.shardsMax) return said;
  throw new UserError(
    `Cannot use shards ${JSON.stringify(said)} of heddle.json: expected a whole number from 1 to ${limits.shardsMax}, or "auto"`,
  );
}

/** One for each core that the proxy may use, a few at most, and fewer where memory is small. */
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
