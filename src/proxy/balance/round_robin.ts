/** In turn, from a place that chance chooses: so many callers do not begin at the same one. */
import type { Random } from "../../../runtime/contract.ts";
import type { Candidate, Strategy } from "./strategy.ts";

export class RoundRobin implements Strategy {
  #last: number;

  constructor(random: Random, count: number) {
    this.#last = Math.floor(random.unit() * count);
  }

  pick<Endpoint extends Candidate>(candidates: readonly Endpoint[]): Endpoint {
    this.#last = (this.#last + 1) % candidates.length;
    return candidates[this.#last] as Endpoint;
  }
}
