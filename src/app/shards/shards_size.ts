/** How many event loops a proxy has, and how much memory they may take: as it was told, which may be that they fit this machine, or one. */
import type { Files } from "../../../runtime/contract.ts";
import { UserError } from "../../base/user_error.ts";
import { limits } from "../../model/limits.ts";
import { machineBytes } from "./machine_memory.ts";
import { machineCores } from "./machine_cores.ts";

export interface ShardsSize {
  readonly count: number;
  /** Of all of them together. */
  readonly memoryBytesMax: number;
}

/** Half of the memory of the machine, or of the control group, where nothing was said of it. */
export function shardsSize(
  said: { readonly shards?: number | "auto"; readonly shardsMemoryMax?: number },
  files: Pick<Files, "readSync">,
): ShardsSize {
  const { shards, shardsMemoryMax = machineBytes(files) * limits.shardsMemoryShare } = said;
  return { count: countOf(shards, files), memoryBytesMax: shardsMemoryMax };
}

/** `said`: by a flag, or in the settings, where anybody may have written anything: then it throws. */
function countOf(said: number | "auto" | undefined, files: Pick<Files, "readSync">): number {
  if (said === undefined) return 1;
  if (said === "auto") return fittingShards(files);
  if (Number.isInteger(said) && said >= 1 && said <= limits.shardsMax) return said;
  throw new UserError(
    `Cannot use shards ${JSON.stringify(said)} of heddle.json: expected a whole number from 1 to ${limits.shardsMax}, or "auto"`,
  );
}

/** One for each core that the proxy may use, a few at most, and no more than memory is enough for. */
function fittingShards(files: Pick<Files, "readSync">): number {
  const byMemory = Math.floor(machineBytes(files) / limits.shardNeedsBytes);
  return Math.max(1, Math.min(machineCores(files), limits.shardsFittingMax, byMemory));
}
