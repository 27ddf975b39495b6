/**
 * In turn; where shares differ, an endpoint is passed over in some rounds: with the share s of the largest weight it has its
 * turn in the rounds in which the whole part of `round * s` rises (the static stride scheduler of gRFC A58). No state per
 * endpoint, and no heap.
 */
import type { Random } from "../../../runtime/contract.ts";
import { shareOf, type Candidate } from "./candidate.ts";
import type { Candidates } from "./candidates.ts";
import { Drawing } from "./drawing.ts";

/** Endpoints that may be passed over for one pick. */
const passesMax = 64;
/** Spreads the rounds that endpoints of like shares are passed over in: the golden ratio's fraction. */
const spread = 0.618_033_988_749_895;

export class WeightedRoundRobin<Endpoint extends Candidate> extends Drawing<Endpoint> {
  #turn = -1;

  /** `random`: where it begins, so that many callers do not begin at the same one. */
  constructor(readonly random: Random) {
    super();
  }

  protected draw(candidates: Candidates<Endpoint>, nowMs: number): number {
    const { length } = candidates.usable;
    if (this.#turn < 0) this.#turn = Math.floor(this.random.unit() * length);
    for (let passes = 0; passes < passesMax; passes++) {
      this.#turn++;
      if (nowMs >= candidates.evenFromMs || this.#hasTurn(candidates, nowMs)) break;
    }
    return this.#turn % length;
  }

  #hasTurn(candidates: Candidates<Endpoint>, nowMs: number): boolean {
    const { usable, weightMax } = candidates;
    const at = this.#turn % usable.length;
    const share = shareOf(usable[at] as Endpoint, candidates, nowMs) / weightMax;
    const round = Math.floor(this.#turn / usable.length) + at * spread;
    return Math.floor((round + 1) * share) > Math.floor(round * share);
  }
}
