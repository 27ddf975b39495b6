/** The less loaded of two that chance chooses (Mitzenmacher, "The power of two choices"), by peak-EWMA of their latency. */
import type { Random } from "../../../runtime/contract.ts";
import type { Candidate, PickFor, Strategy } from "./strategy.ts";

export class LessLoaded implements Strategy {
  constructor(readonly random: Random) {}

  pick<Endpoint extends Candidate>(candidates: readonly Endpoint[], { nowMs }: PickFor<Endpoint>): Endpoint {
    const { random } = this;
    const count = candidates.length;
    const first = Math.floor(random.unit() * count);
    let second = Math.floor(random.unit() * (count - 1));
    if (second >= first) second++;
    const a = candidates[first] as Endpoint;
    const b = candidates[second] as Endpoint;
    return b.load.at(nowMs) < a.load.at(nowMs) ? b : a;
  }
}
