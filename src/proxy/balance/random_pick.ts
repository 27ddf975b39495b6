/** By chance, each by its share: draws evenly and keeps what it drew with the chance of its share of the largest weight. */
import type { Random } from "../../../runtime/contract.ts";
import { shareOf, type Candidate } from "./candidate.ts";
import type { Candidates } from "./candidates.ts";
import { Drawing } from "./drawing.ts";

const refusalsMax = 64;

export class RandomPick<Endpoint extends Candidate> extends Drawing<Endpoint> {
  constructor(readonly random: Random) {
    super();
  }

  protected draw(candidates: Candidates<Endpoint>, nowMs: number): number {
    const { random } = this;
    const { usable, weightMax, evenFromMs } = candidates;
    let at = Math.floor(random.unit() * usable.length);
    for (let refusals = 0; nowMs < evenFromMs && refusals < refusalsMax; refusals++) {
      const share = shareOf(usable[at] as Endpoint, candidates, nowMs);
      if (share >= weightMax || random.unit() * weightMax < share) break;
      at = Math.floor(random.unit() * usable.length);
    }
    return at;
  }
}
