/**
 * Strategies in which the key of a request chooses: equal keys go to the same endpoint while it is there, well and not full.
 * With `boundedLoad` c an endpoint is full when it has `ceil(c * (all under way + 1) * its part of the weights)` requests
 * (consistent hashing with bounded loads, Mirrokni and others 2016): then its keys walk on, always in the same way.
 * Requests without a key go to the less loaded of two.
 */
import type { Random } from "../../../runtime/contract.ts";
import type { Candidate } from "./candidate.ts";
import { isFree, type Candidates } from "./candidates.ts";
import { anyFree } from "./drawing.ts";
import type { EndpointLoad } from "./endpoint_load.ts";
import { PendingTotal } from "./pending_total.ts";
import { PowerOfTwo } from "./power_of_two.ts";
import type { Choice, EndpointStrategy } from "./endpoint_strategy.ts";

export interface ByKeyOptions {
  /** Above 1; null: nobody is ever full. */
  readonly boundedLoad: number | null;
}

/** Places that a key is led to before everybody is looked at. */
const walkMax = 64;

export abstract class ByKey<Endpoint extends Candidate> implements EndpointStrategy<Endpoint> {
  readonly #keyless: PowerOfTwo<Endpoint>;
  #built: readonly Endpoint[] | null = null;
  #loads: readonly EndpointLoad[] = [];
  #total: PendingTotal | null = null;

  constructor(
    readonly options: ByKeyOptions,
    random: Random,
  ) {
    this.#keyless = new PowerOfTwo("ewma", random);
  }

  /** Lays out the table for these endpoints, the same on every proxy that knows the same ones. */
  protected abstract build(endpoints: readonly Endpoint[]): void;

  /** Index of the endpoint that is the key's at this step of its walk; step 0 is its own. */
  protected abstract indexAt(key: number, step: number): number;

  pick(candidates: Candidates<Endpoint>, choice: Choice<Endpoint>): Endpoint | null {
    const { all } = candidates;
    if (choice.key === null || all.length <= 1) return this.#keyless.pick(candidates, choice);
    if (all !== this.#built) this.#rebuild(all);
    candidates.refresh(choice.nowMs);
    const { tried, nowMs } = choice;
    const allFree = candidates.sound && candidates.well === all.length && tried.length === 0;
    for (let step = 0; step < walkMax; step++) {
      const at = this.indexAt(choice.key, step);
      if (this.#isFull(candidates, at, nowMs)) continue;
      const endpoint = all[at] as Endpoint;
      if (allFree || isFree(endpoint, tried)) return endpoint;
    }
    return this.#anyNotFull(candidates, choice);
  }

  close(): void {
    this.#total?.close();
    this.#total = null;
    this.#built = null;
  }

  #rebuild(all: readonly Endpoint[]): void {
    this.#total?.close();
    this.#loads = all.map(({ load }) => load);
    this.#total = this.options.boundedLoad === null ? null : new PendingTotal(this.#loads);
    this.#built = all;
    this.build(all);
  }

  #isFull(candidates: Candidates<Endpoint>, at: number, nowMs: number): boolean {
    const factor = this.options.boundedLoad;
    if (factor === null || this.#total === null) return false;
    const { all, well, evenFromMs, weightTotal } = candidates;
    // What the ejected do not take, the others share.
    const even = 1 / Math.max(1, well);
    const part =
      nowMs >= evenFromMs ? even : ((all[at] as Endpoint).weight / weightTotal) * all.length * even;
    return (this.#loads[at] as EndpointLoad).pending >= Math.ceil(factor * (this.#total.pending + 1) * part);
  }

  #anyNotFull(candidates: Candidates<Endpoint>, { tried, nowMs }: Choice<Endpoint>): Endpoint {
    const { all, usable } = candidates;
    for (let at = 0; at < all.length; at++) {
      const endpoint = all[at] as Endpoint;
      if (isFree(endpoint, tried) && !this.#isFull(candidates, at, nowMs)) return endpoint;
    }
    return anyFree(usable, tried, usable[0] as Endpoint);
  }
}
