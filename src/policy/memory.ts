/** What policies may take of a machine's memory: a limit on a proxy and its children has to leave room for all of it. */
import { limits } from "../model/limits.ts";

/** Resident bytes of one sealed process with so many versions in it: beyond that it is ended. */
export function processBytesMax(versions: number): number {
  return limits.policyHostBaseBytesMax + versions * limits.policyMemoryBytesMax;
}

/**
 * All sealed processes with so many versions each, and what a proxy keeps for them: what they have not taken yet, and the frame
 * that is being read. The pages of the binary, which all of them share, are counted for each.
 */
export function policiesBytesMax(versions: readonly number[]): number {
  const kept = limits.policyBacklogBytesMax + 2 * limits.policyFrameBytesMax;
  return versions.reduce((sum, each) => sum + processBytesMax(each) + kept, 0);
}
