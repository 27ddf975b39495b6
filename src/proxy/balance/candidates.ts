/**
 * The ready endpoints of a destination, of one of its subsets or zones; and which of them are not ejected, as a list of its
 * own, so that picking need not look for them. The list is made again after a change, of a large set not more often than
 * it may cost: until then it is not `sound`, and who picks looks at each. Among many endpoints each look at one costs more than
 * everything else: what is the same for all is known here.
 */
import { limits } from "../../model/limits.ts";
import { sinceOf, type Candidate, type ServiceHealth } from "./candidate.ts";
import type { EndpointLoad } from "./endpoint_load.ts";

/** How an endpoint that is new or came back grows into its share. */
export interface SlowStart {
  /** For how long; 0: it has all of it at once. */
  readonly windowMs: number;
  /** What it begins with, between 0 and 1. */
  readonly shareMin: number;
}

const slowStartDefaults: SlowStart = { windowMs: limits.slowStartMs, shareMin: limits.slowStartShareMin };

export class Candidates<Endpoint extends Candidate> {
  /** In no order that matters. Empty only when `all` is. */
  usable: readonly Endpoint[];
  /** Of the usable ones, in their order. */
  loads: readonly EndpointLoad[];
  /** None of the usable ones is ejected. */
  sound = false;
  /** How many are not ejected: fewer than `usable` when none is. */
  well: number;
  /** From then on all have the same share; Infinity: their weights differ. */
  evenFromMs = Infinity;
  /** Over all, ejected ones too. */
  readonly weightMax: number;
  readonly weightTotal: number;
  /** 0 where there are too few for any to start slowly. */
  readonly slowStartMs: number;
  readonly slowStartMin: number;
  readonly #well: Endpoint[] = [];
  readonly #ejected: Endpoint[] = [];
  #seen = -1;
  #nextLookMs = -Infinity;

  constructor(
    readonly all: readonly Endpoint[],
    readonly health: ServiceHealth,
    slowStart = slowStartDefaults,
  ) {
    this.usable = all;
    this.loads = all.map(({ load }) => load);
    this.well = all.length;
    let max = 0;
    let total = 0;
    for (const { weight } of all) {
      max = Math.max(max, weight);
      total += weight;
    }
    this.weightMax = max;
    this.weightTotal = total;
    this.slowStartMs = all.length < limits.slowStartEndpointsMin ? 0 : slowStart.windowMs;
    this.slowStartMin = slowStart.shareMin;
  }

  /** To be called before anything is read. */
  refresh(nowMs: number): void {
    if (this.health.changes === this.#seen) return;
    if (nowMs >= this.#nextLookMs) this.#look(nowMs);
    else this.sound = false;
  }

  /** One whose turn it is to be probed; it is half-open when this returns. null: none. */
  takeProbe(repeatable: boolean, nowMs: number): Endpoint | null {
    return this.#ejected.find(({ health }) => health.probe(nowMs, repeatable)) ?? null;
  }

  #look(nowMs: number): void {
    const { length } = this.all;
    this.#seen = this.health.changes;
    if (length > limits.candidatesEagerMax) this.#nextLookMs = nowMs + length / limits.candidatesPerMs;
    this.#well.length = this.#ejected.length = 0;
    for (const endpoint of this.all) (endpoint.health.ejected ? this.#ejected : this.#well).push(endpoint);
    this.well = this.#well.length;
    this.sound = this.well > 0;
    this.usable = this.sound ? this.#well : this.all;
    this.loads = this.usable.map(({ load }) => load);
    this.#findEven();
  }

  #findEven(): void {
    const differ = this.weightTotal !== this.weightMax * this.all.length;
    const sinceMs = this.usable.reduce((latest, each) => Math.max(latest, sinceOf(each)), -Infinity);
    this.evenFromMs = differ ? Infinity : sinceMs + this.slowStartMs;
  }
}

/** Whether nothing speaks against it. */
export function isFree<Endpoint extends Candidate>(endpoint: Endpoint, tried: readonly Endpoint[]): boolean {
  return !endpoint.health.ejected && (tried.length === 0 || !tried.includes(endpoint));
}
