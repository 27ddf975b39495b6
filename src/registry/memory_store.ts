/** The reference store: everything in memory, nothing survives. What the durable one is held against by tests. */
import type { Clock } from "../../runtime/contract.ts";
import { KeySpace, type Applied } from "./key_space.ts";
import { LeaseKeeper } from "./lease_keeper.ts";
import {
  StoreUnavailable,
  type CommitResult,
  type Condition,
  type Entry,
  type Operation,
  type Reached,
  type Store,
  type Watching,
  type WatchStart,
} from "./store.ts";

export class MemoryStore implements Store {
  readonly #space = new KeySpace();
  readonly #keeper: LeaseKeeper;
  /** No other store has these revisions. */
  readonly epoch = null;
  #closed = false;

  constructor(readonly clock: Clock) {
    const ended = (ids: readonly string[]): void => ids.forEach((id) => this.#settle(this.#space.end(id)));
    this.#keeper = new LeaseKeeper({ clock, leases: this.#space.leases, ended });
  }

  revision(): number {
    return this.#space.revision;
  }

  range(prefix: string): { readonly entries: readonly Entry[]; readonly revision: number } {
    return this.#space.range(prefix);
  }

  get(key: string): Entry | null {
    return this.#space.get(key);
  }

  async commit(conditions: readonly Condition[], operations: readonly Operation[]): Promise<CommitResult> {
    this.#requireOpen();
    const applied = this.#space.apply(conditions, operations);
    this.#settle(applied);
    return applied.ok ? { ok: true, revision: applied.revision } : applied;
  }

  async lease(id: string, ttlMs: number): Promise<void> {
    this.#requireOpen();
    this.#space.grant(id, ttlMs, this.clock.now());
  }

  async revoke(id: string): Promise<void> {
    this.#requireOpen();
    this.#settle(this.#space.end(id));
  }

  watch(prefix: string, from: number, change: Watching): WatchStart {
    return this.#space.watch(prefix, from, change);
  }

  async current(key: string): Promise<Entry | null> {
    return this.get(key);
  }

  async reached(revision: number): Promise<Reached> {
    return this.revision() >= revision ? "here" : "late";
  }

  problem(): string | null {
    return null;
  }

  close(): void {
    this.#closed = true;
    this.#keeper.close();
    this.#space.endWatches();
  }

  #settle(applied: Applied | null): void {
    const excess = this.#space.log.excess();
    if (excess !== null) this.#space.log.forget(excess);
    if (applied !== null) this.#space.tell(applied);
  }

  #requireOpen(): void {
    if (this.#closed) throw new StoreUnavailable("The registry's store is closed");
  }
}
