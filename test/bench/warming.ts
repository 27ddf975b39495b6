/** Load before the first round: what proxies compile while they run is not measured cold. */
import { closedLoop, type LoadResult } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import type { Subject } from "./peers/peer.ts";
import { loadCore, type Stage } from "./stage.ts";
import type { LoadName } from "./works.ts";

/** How much of it comes, in what the load counts. */
export function warmingCount(load: LoadName, { counts, warmupRounds }: BenchOptions): number {
  return counts[load] * warmupRounds;
}

/** Returns what it cost. */
export function warm(
  stage: Stage,
  load: LoadName,
  subject: Subject,
  options: BenchOptions,
): Promise<LoadResult> {
  const count = warmingCount(load, options);
  return closedLoop(load, subject, { count, core: loadCore, folder: stage.folder });
}
