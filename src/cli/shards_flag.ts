/** `--shards` of `init`, `join`, `proxy` and `dev`: how many event loops carry the traffic of a machine. */
import type { Command } from "commander";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";

export interface ShardsFlag {
  readonly shards?: number | "auto";
}

const mib = 1_048_576;
const counts = `event loops that carry traffic, 1 to ${limits.shardsMax}, each in a process of its own from 2 on, or auto: one for each core that it may use, at most ${limits.shardsFittingMax}, and at most one for each ${limits.shardNeedsBytes / mib} MiB of memory`;

/** `otherwise`: what there is without the flag. */
export function withShardsFlag(command: Command, otherwise: string): Command {
  return command.option("--shards <count>", `${counts} (default: ${otherwise})`, parseShards("--shards"));
}

/** Throws, naming where it was said, when it is no such count. */
export function parseShards(where: string): (text: string) => number | "auto" {
  return (text) => {
    if (text === "auto") return text;
    const count = Number(text);
    if (/^\d+$/.test(text) && count >= 1 && count <= limits.shardsMax) return count;
    throw new UserError(
      `Cannot use ${where} "${text}": expected a whole number from 1 to ${limits.shardsMax}, or auto`,
    );
  };
}
