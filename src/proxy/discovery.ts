/**
 * Services that are asked for by name and are in no snapshot yet: the controller is told, and whoever asked waits a little
 * for a snapshot that has them.
 */
import { WheelEntry } from "../base/timer_wheel.ts";
import type { Shard } from "../http/shard.ts";
import { limits } from "../model/limits.ts";

/** Waits for a service. Called once, later: whether it is there now. */
export type Found = (there: boolean) => void;

export interface DiscoveryOptions {
  readonly shard: Shard;
  /** Local apps want this service. */
  readonly wanted: (serviceKey: string) => void;
}

/** Those who wait for one service. */
class Search extends WheelEntry {
  readonly waiting: Found[] = [];

  constructor(
    readonly key: string,
    readonly over: (search: Search) => void,
  ) {
    super();
  }

  expired(): void {
    this.over(this);
  }
}

export class Discovery {
  readonly #searches = new Map<string, Search>();
  /** Not found a moment ago: answered at once, until the snapshot changes. */
  readonly #missing = new Set<string>();

  constructor(readonly options: DiscoveryOptions) {}

  /** False when there is no point in waiting: `found` is not called. */
  wait(key: string, found: Found): boolean {
    if (this.#missing.has(key)) return false;
    const search = this.#searches.get(key) ?? this.#begin(key);
    if (search === null || search.waiting.length >= limits.pendingMax) return false;
    search.waiting.push(found);
    return true;
  }

  /** A new snapshot is in force. */
  arrived(has: (key: string) => boolean): void {
    this.#missing.clear();
    for (const search of [...this.#searches.values()]) if (has(search.key)) this.#end(search, true);
  }

  close(): void {
    for (const search of [...this.#searches.values()]) this.#end(search, false);
  }

  #begin(key: string): Search | null {
    if (this.#searches.size >= limits.usesMax) return null;
    const search = new Search(key, (over) => this.#notFound(over));
    this.#searches.set(key, search);
    const { shard, wanted } = this.options;
    shard.wheel.arm(search, limits.discoverMs);
    shard.tick();
    wanted(key);
    return search;
  }

  #notFound(search: Search): void {
    if (this.#missing.size < limits.usesMax) this.#missing.add(search.key);
    this.#end(search, false);
  }

  #end(search: Search, there: boolean): void {
    const { shard } = this.options;
    this.#searches.delete(search.key);
    shard.wheel.forget(search);
    shard.enter();
    for (const found of search.waiting) found(there);
    shard.leave();
  }
}
