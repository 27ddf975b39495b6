/**
 * Two attempts of one call at the same time (hedging): the first usable answer wins, and the other attempt is cancelled. One that fails
 * while the other goes on ends quietly; the other one is then alone, as if it had been made after it.
 */
import type { ResponseHead } from "../../http/exchange.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { LiveEndpoint, Target } from "../state/live_service.ts";

/** One of the two. */
export interface Racer {
  race: Race | null;
  /** Why this answer is worth waiting for the other one; null: it is the answer. */
  unusable(head: ResponseHead): (() => void) | null;
  /** It was slower than the other one: stops it, and gives back what it holds. */
  lost(): void;
  /** It failed, and the other one goes on. */
  gaveUp(outcome: Outcome): void;
  /** It goes on alone: what is told of the call is told of it. `beside`: where the other one was. */
  alone(beside: LiveEndpoint | null): void;
  readonly endpoint: LiveEndpoint | null;
}

export class Race {
  constructor(
    readonly one: Racer,
    readonly other: Racer,
  ) {
    one.race = other.race = this;
  }

  /** The head of an answer came to `racer`. False: it was none to go by, and `racer` is out. */
  answered(racer: Racer, head: ResponseHead): boolean {
    const giveUp = racer.unusable(head);
    const rest = this.#end(racer);
    if (giveUp === null) {
      const { endpoint } = rest;
      rest.lost();
      racer.alone(endpoint);
      return true;
    }
    const { endpoint } = racer;
    giveUp();
    rest.alone(endpoint);
    return false;
  }

  /** `racer` failed before an answer. */
  failed(racer: Racer, outcome: Outcome): void {
    const rest = this.#end(racer);
    const { endpoint } = racer;
    racer.gaveUp(outcome);
    rest.alone(endpoint);
  }

  /** The call is over before any answer, or `racer` alone is to go on. */
  dropOther(racer: Racer): void {
    this.#end(racer).lost();
  }

  /** Returns the other one. */
  #end(racer: Racer): Racer {
    this.one.race = this.other.race = null;
    return racer === this.one ? this.other : this.one;
  }
}

/**
 * Whether the service stands another attempt now, at an endpoint that is none of `tried`. Takes from the budget when it does: it is
 * paid for as a retry.
 */
export function mayRace(
  { destination, balancer }: Target,
  tried: readonly LiveEndpoint[],
  nowMs: number,
): boolean {
  const { ejected, size } = destination.breakers;
  if (!balancer.hasFree(tried) || ejected > size * limits.hedgeEjectedShareMax) return false;
  return destination.budget.take(nowMs);
}
