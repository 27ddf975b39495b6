/**
 * Services that are called by name and are in no snapshot yet. The controller is asked at once; whoever called waits until a
 * snapshot has the service, or the controller says that nobody has the name. What it said is remembered for a moment, and
 * it is told the name as long as that is among the latest here: a service that appears later is pushed.
 */
import { WheelEntry } from "../../base/timer_wheel.ts";
import type { Shard } from "../../http/shard.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import { FairNames } from "./fair_names.ts";
import { outcomes } from "../failure/outcomes.ts";

/** Waits for a service. Called once, at once or later: why it cannot be called, or null when a snapshot has it. */
export type Found = (absence: Outcome | null) => void;

/** Whoever waited does so no longer, and is not called. */
export type Forget = () => void;

export interface DiscoveryOptions {
  readonly shard: Shard;
  /** The controller is to be told of the names that are wanted, as `wanted` has them now. */
  readonly ask: () => void;
  /** A service that was wanted is there. */
  readonly confirmed: (key: string) => void;
  /** A name had to leave for a newer one of the same local service. */
  readonly crowded: (source: string) => void;
}

/** One name that one local service calls. */
class Search extends WheelEntry {
  waiting: Found[] = [];
  /** Why it is not there; null while that is not known. */
  absence: Outcome | null = null;

  constructor(
    readonly key: string,
    readonly source: string,
    readonly over: (search: Search) => void,
  ) {
    super();
  }

  expired(): void {
    this.over(this);
  }
}

export class Discovery {
  readonly #searches: FairNames<Search>;
  /** Calls that wait, by local service. */
  readonly #waiting = new Map<string, number>();

  constructor(readonly options: DiscoveryOptions) {
    this.#searches = new FairNames(limits.unconfirmedNamesMax, (search, source) => {
      options.crowded(source);
      this.#end(search, outcomes.crowdedOut(search.key));
    });
  }

  /** Names that no snapshot has. */
  wanted(): readonly string[] {
    return this.#searches.names();
  }

  /** `source` is the key of the local service that calls. null when it was told at once. */
  find(key: string, source: string, found: Found): Forget | null {
    const search = this.#searches.touch(source, key) ?? this.#add(key, source);
    const waiting = this.#waiting.get(source) ?? 0;
    const refusal = search.absence ?? (waiting >= limits.pendingMax ? outcomes.crowdedOut(key) : null);
    if (refusal !== null) {
      found(refusal);
      return null;
    }
    this.#waiting.set(source, waiting + 1);
    search.waiting.push(found);
    if (search.waiting.length === 1) this.#begin(search);
    return () => this.#forget(search, found);
  }

  /** The search goes on: whoever calls next finds its answer. */
  #forget(search: Search, found: Found): void {
    const at = search.waiting.indexOf(found);
    if (at < 0) return;
    search.waiting.splice(at, 1);
    this.#giveBack(search.source, 1);
  }

  /** The controller was told of these names, and no service has them. */
  missing(keys: readonly string[]): void {
    for (const key of keys)
      for (const search of this.#searches.under(key)) this.#settle(search, outcomes.noService(key));
  }

  /** A new snapshot is in force: what it does not have is asked for again when it is called. */
  arrived(has: (key: string) => boolean): void {
    for (const search of this.#searches.all()) {
      const { key, source } = search;
      if (!has(key)) {
        search.absence = null;
        continue;
      }
      this.#searches.delete(source, key);
      this.options.confirmed(key);
      this.#end(search, null);
    }
  }

  close(): void {
    for (const search of this.#searches.all()) this.#end(search, outcomes.notTold(search.key));
  }

  #add(key: string, source: string): Search {
    const search = new Search(key, source, (over) => this.#over(over));
    this.#searches.add(source, key, search);
    return search;
  }

  #begin(search: Search): void {
    const { shard, ask } = this.options;
    shard.wheel.arm(search, limits.discoverMs);
    shard.tick();
    ask();
  }

  /** Nobody answered in time, or the answer is too old to be given again. */
  #over(search: Search): void {
    if (search.waiting.length > 0) this.#settle(search, outcomes.notTold(search.key));
    else search.absence = null;
  }

  /** Remembers for a while that it is not there. */
  #settle(search: Search, absence: Outcome): void {
    this.#end(search, absence);
    search.absence = absence;
    const { shard } = this.options;
    shard.wheel.arm(search, limits.absenceMs);
    shard.tick();
  }

  #end(search: Search, absence: Outcome | null): void {
    const { shard } = this.options;
    const { waiting } = search;
    search.waiting = [];
    shard.wheel.forget(search);
    if (waiting.length === 0) return;
    this.#giveBack(search.source, waiting.length);
    shard.enter();
    for (const found of waiting) found(absence);
    shard.leave();
  }

  #giveBack(source: string, count: number): void {
    const left = (this.#waiting.get(source) ?? 0) - count;
    if (left > 0) this.#waiting.set(source, left);
    else this.#waiting.delete(source);
  }
}
