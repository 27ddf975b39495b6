/**
 * The strategy in which the key of a request chooses, by a table: equal keys go to the same endpoint while it is there, well and
 * not full. With `boundedLoad` c an endpoint is full when it has `ceil(c * (all under way + 1) * its part of the weights)` requests
 * (consistent hashing with bounded loads, Mirrokni and others 2016): then its keys walk on, always in the same way.
 * Requests without a key go to the less loaded of two, and so do all while the first table of many endpoints is laid out. When
 * endpoints change the table goes on without those that are gone until the new one is there; no request waits for one.
 */
import type { Random } from "../../../runtime/contract.ts";
import { atOnce, type InPieces } from "../../base/pieces.ts";
import { limits } from "../../model/limits.ts";
import type { Candidate } from "./candidate.ts";
import { isFree, type Candidates } from "./candidates.ts";
import { anyFree } from "./drawing.ts";
import type { Choice, EndpointStrategy } from "./endpoint_strategy.ts";
import type { KeyTable, LayOut } from "./key_table.ts";
import { PendingTotal } from "./pending_total.ts";
import { PowerOfTwo } from "./power_of_two.ts";

export interface ByKeyOptions {
  readonly layOut: LayOut;
  /** Above 1; null: nobody is ever full. */
  readonly boundedLoad: number | null;
  /** Where tables are laid out; absent: at once. */
  readonly inPieces?: InPieces;
}

/** Places that a key is led to before everybody is looked at. */
const walkMax = 64;

export class ByKey<Endpoint extends Candidate> implements EndpointStrategy<Endpoint> {
  readonly #keyless: PowerOfTwo<Endpoint>;
  #all: readonly Endpoint[] = [];
  /** In force; null: there is none yet. */
  #table: KeyTable | null = null;
  /** Those that the table was laid out for, in its order. */
  #placed: readonly Endpoint[] = [];
  /** Of them, those that are there now; null: gone. */
  #there: readonly (Endpoint | null)[] = [];
  #total: PendingTotal | null = null;
  #closed = false;
  readonly #factor: number;

  constructor(
    readonly options: ByKeyOptions,
    random: Random,
    previous: EndpointStrategy<Endpoint> | null = null,
  ) {
    this.#keyless = new PowerOfTwo("ewma", random);
    this.#factor = options.boundedLoad ?? Infinity;
    if (!(previous instanceof ByKey) || previous.options.layOut !== options.layOut) return;
    this.#table = previous.#table;
    this.#placed = previous.#placed;
  }

  use(all: readonly Endpoint[]): void {
    if (all === this.#all || this.#closed) return;
    this.#total?.close();
    this.#total = null;
    this.#all = all;
    if (this.options.boundedLoad !== null) this.#total = new PendingTotal(all.map(({ load }) => load));
    if (all.length <= 1) return;
    if (this.#table !== null && isSame(this.#placed, all)) return this.#take(this.#table, all);
    if (this.#table !== null) this.#goOnWith(all);
    const laying = this.options.layOut(all);
    const piece = (): boolean => {
      // Others are there by now.
      if (this.#all !== all || this.#closed) return true;
      const { done, value } = laying.next();
      if (done === true) this.#take(value, all);
      return done === true;
    };
    const few = this.#table === null && all.length <= limits.candidatesEagerMax;
    (few ? atOnce : (this.options.inPieces ?? atOnce))(piece);
  }

  pick(candidates: Candidates<Endpoint>, choice: Choice<Endpoint>): Endpoint | null {
    const { all } = candidates;
    this.use(all);
    const { key, tried, nowMs } = choice;
    const table = this.#table;
    if (key === null || table === null || all.length <= 1) return this.#keyless.pick(candidates, choice);
    candidates.refresh(nowMs);
    const allFree = candidates.sound && candidates.well === all.length && tried.length === 0;
    for (let step = 0; step < walkMax; step++) {
      const endpoint = this.#there[table.indexAt(key, step)] as Endpoint | null;
      if (endpoint === null || this.#isFull(candidates, endpoint, nowMs)) continue;
      if (allFree || isFree(endpoint, tried)) return endpoint;
    }
    return this.#anyNotFull(candidates, choice);
  }

  close(): void {
    this.#closed = true;
    this.#total?.close();
    this.#total = null;
  }

  /** A table that leads nearly nowhere any more is none. */
  #goOnWith(all: readonly Endpoint[]): void {
    const byId = new Map(all.map((each) => [each.id, each]));
    this.#there = this.#placed.map(({ id }) => byId.get(id) ?? null);
    const left = this.#there.reduce((count, each) => (each === null ? count : count + 1), 0);
    if (left < this.#there.length * limits.tableLeftMin) this.#table = null;
  }

  #take(table: KeyTable, all: readonly Endpoint[]): void {
    this.#table = table;
    this.#placed = this.#there = all;
  }

  #isFull(candidates: Candidates<Endpoint>, endpoint: Endpoint, nowMs: number): boolean {
    const total = this.#total;
    if (total === null) return false;
    const { well, evenFromMs } = candidates;
    const allowed = this.#factor * (total.pending + 1);
    // What the ejected do not take, the others share. One division, so that a whole number stays one.
    if (nowMs >= evenFromMs) return endpoint.load.pending >= Math.ceil(allowed / Math.max(1, well));
    const { all, weightTotal } = candidates;
    const part = allowed * endpoint.weight * all.length;
    return endpoint.load.pending >= Math.ceil(part / (weightTotal * Math.max(1, well)));
  }

  #anyNotFull(candidates: Candidates<Endpoint>, { tried, nowMs }: Choice<Endpoint>): Endpoint {
    const { usable } = candidates;
    for (const endpoint of usable)
      if (isFree(endpoint, tried) && !this.#isFull(candidates, endpoint, nowMs)) return endpoint;
    return anyFree(usable, tried, usable[0] as Endpoint);
  }
}

/** Whether a table for the ones is one for the others too. */
function isSame(some: readonly Candidate[], others: readonly Candidate[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ id, weight }, at) => id === others[at]?.id && weight === others[at]?.weight)
  );
}
