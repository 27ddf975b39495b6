/**
 * The durable store: SQLite holds what the key space holds, and is read once, at the start. Writes that arrive in one turn
 * of the event loop share one transaction and one fsync; each resolves, and watchers hear of it, only once that is on disk.
 */
import { problemOf } from "../base/result.ts";
import type { Clock, Databases } from "../../runtime/contract.ts";
import { KeySpace, type Applied } from "./key_space.ts";
import { LeaseKeeper } from "./lease_keeper.ts";
import { SqliteFile } from "./sqlite_file.ts";
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

/** One write of the next transaction. */
interface Pending {
  readonly work: () => Applied;
  readonly resolve: (applied: Applied) => void;
  readonly reject: (error: unknown) => void;
}

export class SqliteStore implements Store {
  readonly #file: SqliteFile;
  readonly #space: KeySpace;
  readonly #keeper: LeaseKeeper;
  #pending: Pending[] = [];
  /** No other store has these revisions. */
  readonly epoch = null;
  #closed = false;

  /** Throws, naming the path, when it is no store of a registry. */
  constructor(
    databases: Databases,
    readonly path: string,
    readonly clock: Clock,
  ) {
    this.#file = new SqliteFile(databases, path);
    this.#space = new KeySpace(this.#file.load(clock.now()));
    const { leases } = this.#space;
    this.#keeper = new LeaseKeeper({ clock, leases, ended: (ids) => this.#expire(ids) });
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
    const applied = await this.#enqueue(() => this.#written(this.#space.apply(conditions, operations)));
    return applied.ok ? { ok: true, revision: applied.revision } : applied;
  }

  async lease(id: string, ttlMs: number): Promise<void> {
    await this.#enqueue(() => {
      const known = this.#space.leases.get(id);
      this.#space.grant(id, ttlMs, this.clock.now());
      // The deadline is not kept: after a restart every lease has its whole time again.
      if (known?.ttlMs !== ttlMs) this.#file.putLease(id, ttlMs);
      return this.#unchanged();
    });
  }

  async revoke(id: string): Promise<void> {
    await this.#enqueue(() => this.#end(id));
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
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    this.#keeper.close();
    this.#space.endWatches();
    this.#file.close();
  }

  #enqueue(work: () => Applied): Promise<Applied> {
    if (this.#closed) return Promise.reject(new StoreUnavailable("The registry's store is closed"));
    return new Promise((resolve, reject) => {
      if (this.#pending.push({ work, resolve, reject }) === 1) this.clock.soon(() => this.#flush());
    });
  }

  #flush(): void {
    const batch = this.#pending;
    this.#pending = [];
    if (batch.length > 0 && !this.#closed) this.#write(batch);
  }

  /** One transaction. What does not reach the disk is taken back in memory too. */
  #write(batch: readonly Pending[]): void {
    let written;
    try {
      written = this.#space.attempt(() => this.#file.transaction(() => this.#run(batch)));
    } catch (error) {
      // One that cannot be written spoils it for nobody else.
      if (batch.length > 1) return batch.forEach((each) => this.#write([each]));
      const reason = problemOf(error);
      batch[0]?.reject(new StoreUnavailable(`Cannot write to ${this.path}: ${reason}`, { cause: error }));
      return;
    }
    const { done, excess } = written;
    if (excess !== null) this.#space.log.forget(excess);
    batch.forEach((each, at) => each.resolve(done[at] as Applied));
    for (const applied of done) this.#space.tell(applied);
  }

  #run(batch: readonly Pending[]): { readonly done: readonly Applied[]; readonly excess: number | null } {
    const done = batch.map((each) => each.work());
    const excess = this.#space.log.excess();
    if (excess !== null) this.#file.forget(excess);
    return { done, excess };
  }

  /** Leases that were renewed since they were found over live on. */
  #expire(ids: readonly string[]): void {
    const end = (id: string) => (): Applied => (this.#keeper.isOver(id) ? this.#end(id) : this.#unchanged());
    // What cannot be written now is found again at the next look.
    for (const id of ids) this.#enqueue(end(id)).catch(() => undefined);
  }

  #end(id: string): Applied {
    const applied = this.#space.end(id);
    if (applied === null) return this.#unchanged();
    this.#file.deleteLease(id);
    return this.#written(applied);
  }

  #written(applied: Applied): Applied {
    if (applied.ok && applied.changes.length > 0) this.#file.write(applied.changes, applied.revision);
    return applied;
  }

  #unchanged(): Applied {
    return { ok: true, revision: this.#space.revision, changes: [] };
  }
}
