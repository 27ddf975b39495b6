/** The golden figures of requests, read from what was counted: which failed, and how long they took. */
import type { MetricSeries } from "../model/reading.ts";

/** As the histograms of durations have it: an error of heddle or of the service, and what gRPC calls a failure of the server. */
export function hasFailed({ code = "", grpc_code: grpc = "", flags = "" }: MetricSeries["labels"]): boolean {
  return code.startsWith("5") || flags !== "" || ["2", "4", "13", "14", "15"].includes(grpc);
}

/**
 * Within its bucket as if all were spread evenly, as Prometheus' histogram_quantile has it. `counts` has one more than `bounds`:
 * what is above the last. null: nothing was counted; Infinity: above the last bound.
 */
export function quantileOf(
  bounds: readonly number[],
  counts: ArrayLike<number>,
  share: number,
): number | null {
  let all = 0;
  for (let at = 0; at < counts.length; at++) all += counts[at] as number;
  if (all <= 0) return null;
  let below = 0;
  for (let at = 0; at < counts.length; at++) {
    const count = counts[at] as number;
    if (below + count < share * all) {
      below += count;
      continue;
    }
    const upper = bounds[at];
    if (upper === undefined) return Number.POSITIVE_INFINITY;
    const lower = bounds[at - 1] ?? 0;
    return count === 0 ? upper : lower + ((upper - lower) * (share * all - below)) / count;
  }
  return Number.POSITIVE_INFINITY;
}
