/**
 * Who may take one more of a bounded thing that many share. What each may hold moves with what is free, as in switches whose
 * ports share one memory (Choudhury and Hahne, "Dynamic queue length thresholds"), and needs no look at the others. Here it
 * moves with the square of what is free: holders that never let go come one after the other, and n of them still leave about
 * one part in 1 + `factor` n, where a bound that moves in step with what is free would leave a power of n.
 */
import { limits } from "../../model/limits.ts";

const { callerShareFactor, clientShareFactor } = limits;

/** `callerHolds`: all clients of the caller together; `clientHolds`: the one that asks. */
export function mayTake(max: number, total: number, callerHolds: number, clientHolds: number): boolean {
  const callerMost = mostOf(max, max - total + callerHolds);
  const left = callerMost - callerHolds;
  return left > 0 && clientHolds * callerMost < clientShareFactor * left * left;
}

/** What a caller comes to hold of `open`, which others do not: the x for which x = callerShareFactor (open - x)^2 / max. */
function mostOf(max: number, open: number): number {
  const half = max / (2 * callerShareFactor);
  return open + half - Math.sqrt(half * (half + 2 * open));
}
