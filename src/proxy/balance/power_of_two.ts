/**
 * The less loaded of two endpoints that chance chose (Mitzenmacher 1996), two different ones. Load is what its latency and what
 * is under way say (peak-EWMA of Finagle), or what is under way alone; it counts for more where the share is smaller.
 */
import type { Random } from "../../../runtime/contract.ts";
import { shareOf, type Candidate } from "./candidate.ts";
import type { Candidates } from "./candidates.ts";
import { Drawing } from "./drawing.ts";
import type { EndpointLoad } from "./endpoint_load.ts";

export type LoadMeasure = "ewma" | "requests";

export class PowerOfTwo<Endpoint extends Candidate> extends Drawing<Endpoint> {
  constructor(
    readonly measure: LoadMeasure,
    readonly random: Random,
  ) {
    super();
  }

  protected draw(candidates: Candidates<Endpoint>, nowMs: number): number {
    const { length } = candidates.usable;
    const a = Math.floor(this.random.unit() * length);
    let b = Math.floor(this.random.unit() * (length - 1));
    if (b >= a) b++;
    return this.#loadOf(candidates, b, nowMs) < this.#loadOf(candidates, a, nowMs) ? b : a;
  }

  #loadOf(candidates: Candidates<Endpoint>, at: number, nowMs: number): number {
    const { usable, loads, evenFromMs } = candidates;
    const load = loads[at] as EndpointLoad;
    const whole = this.measure === "ewma" ? load.at(nowMs) : load.pending + 1;
    return nowMs >= evenFromMs ? whole : whole / shareOf(usable[at] as Endpoint, candidates, nowMs);
  }
}
