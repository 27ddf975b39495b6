/** Strategies that draw one endpoint after the other until one is free: the part that they have in common. */
import type { Candidate } from "./candidate.ts";
import { isFree, type Candidates } from "./candidates.ts";
import type { Choice, EndpointStrategy } from "./endpoint_strategy.ts";

const drawsMax = 6;

export abstract class Drawing<Endpoint extends Candidate> implements EndpointStrategy<Endpoint> {
  /** Index of one of at least two usable ones. */
  protected abstract draw(candidates: Candidates<Endpoint>, nowMs: number): number;

  pick(candidates: Candidates<Endpoint>, { tried, nowMs }: Choice<Endpoint>): Endpoint | null {
    candidates.refresh(nowMs);
    const { usable } = candidates;
    if (usable.length <= 1) return usable[0] ?? null;
    let chosen = usable[this.draw(candidates, nowMs)] as Endpoint;
    if (candidates.sound && tried.length === 0) return chosen;
    for (let draws = 1; draws < drawsMax && !isFree(chosen, tried); draws++)
      chosen = usable[this.draw(candidates, nowMs)] as Endpoint;
    return isFree(chosen, tried) ? chosen : anyFree(usable, tried, chosen);
  }

  use(): void {}

  close(): void {}
}

/** The first that is free, else the first that was not tried, else this one. */
export function anyFree<Endpoint extends Candidate>(
  endpoints: readonly Endpoint[],
  tried: readonly Endpoint[],
  otherwise: Endpoint,
): Endpoint {
  for (const endpoint of endpoints) if (isFree(endpoint, tried)) return endpoint;
  for (const endpoint of endpoints) if (!tried.includes(endpoint)) return endpoint;
  return otherwise;
}
