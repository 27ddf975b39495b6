/**
 * The durable store: SQLite holds what the key space holds. Commits that arrive in one turn of the event loop share one
 * transaction and one fsync; each resolves, and watchers hear of it, only once that is on disk.
 */
import type { Clock, Database, Databases, Statement, Timer } from "../../runtime/contract.ts";
import { KeySpace, keyOf, type Applied } from "./key_space.ts";
import { expireLeases, leaseCheckMs } from "./leases.ts";
import type { Change, CommitResult, Condition, Entry, Operation, Store, WatchStart } from "./store.ts";

const schema = `
CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL, lease TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (number INTEGER PRIMARY KEY, revision INTEGER NOT NULL, change TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS leases (id TEXT PRIMARY KEY, ttl INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`;

type EntryRow = { key: string; value: string; created: number; modified: number; lease: string | null };

/** One unit of the next transaction. */
interface Pending {
  readonly work: () => Applied;
  readonly resolve: (applied: Applied) => void;
  readonly reject: (error: unknown) => void;
}

export class SqliteStore implements Store {
  #space = new KeySpace();
  readonly #database: Database;
  readonly #putEntry: Statement<EntryRow>;
  readonly #deleteEntry: Statement<EntryRow>;
  readonly #addHistory: Statement<{ revision: number }>;
  readonly #trimHistory: Statement<{ revision: number }>;
  readonly #setMeta: Statement<{ value: number }>;
  readonly #putLease: Statement<{ id: string }>;
  readonly #deleteLease: Statement<{ id: string }>;
  #pending: Pending[] = [];
  #timer: Timer;
  #closed = false;

  /** Throws, naming the path, when it is no database of this kind. */
  constructor(
    databases: Databases,
    path: string,
    readonly clock: Clock,
  ) {
    this.#database = databases.open(path);
    this.#database.execute(schema);
    const prepare = <Row extends Record<string, string | number | null>>(sql: string): Statement<Row> =>
      this.#database.prepare<Row>(sql);
    this.#putEntry = prepare(
      "INSERT OR REPLACE INTO entries (key, value, created, modified, lease) VALUES (?, ?, ?, ?, ?)",
    );
    this.#deleteEntry = prepare("DELETE FROM entries WHERE key = ?");
    this.#addHistory = prepare("INSERT INTO history (revision, change) VALUES (?, ?)");
    this.#trimHistory = prepare("DELETE FROM history WHERE revision <= ?");
    this.#setMeta = prepare("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)");
    this.#putLease = prepare("INSERT OR REPLACE INTO leases (id, ttl) VALUES (?, ?)");
    this.#deleteLease = prepare("DELETE FROM leases WHERE id = ?");
    this.#load();
    this.#timer = this.#plan();
  }

  revision(): number {
    return this.#space.revision;
  }

  range(prefix: string): { readonly entries: readonly Entry[]; readonly revision: number } {
    return { entries: this.#space.range(prefix), revision: this.#space.revision };
  }

  get(key: string): Entry | null {
    return this.#space.entries.get(key) ?? null;
  }

  async commit(conditions: readonly Condition[], operations: readonly Operation[]): Promise<CommitResult> {
    const applied = await this.#enqueue(() => this.#apply(conditions, operations));
    return applied.ok ? { ok: true, revision: applied.revision } : applied;
  }

  async lease(id: string, ttlMs: number): Promise<void> {
    const known = this.#space.leases.get(id);
    const deadlineMs = this.clock.now() + ttlMs;
    if (known !== undefined && known.ttlMs === ttlMs) {
      known.deadlineMs = deadlineMs;
      return;
    }
    await this.#enqueue(() => {
      this.#putLease.run(id, ttlMs);
      const keys = this.#space.leases.get(id)?.keys ?? new Set<string>();
      this.#space.leases.set(id, { ttlMs, keys, deadlineMs: this.clock.now() + ttlMs });
      return { ok: true, revision: this.#space.revision, changes: [] };
    });
  }

  async revoke(id: string): Promise<void> {
    await this.#enqueue(() => {
      const lease = this.#space.leases.get(id);
      if (lease === undefined) return { ok: true, revision: this.#space.revision, changes: [] };
      const operations = [...lease.keys].map((key) => ({ do: "delete", key }) as const);
      this.#space.leases.delete(id);
      this.#deleteLease.run(id);
      return this.#apply([], operations);
    });
  }

  watch(
    prefix: string,
    from: number,
    change: (changes: readonly Change[], revision: number) => void,
  ): WatchStart {
    return this.#space.watch(prefix, from, change);
  }

  close(): void {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    this.#timer.cancel();
    this.#database.close();
  }

  #enqueue(work: () => Applied): Promise<Applied> {
    if (this.#closed) return Promise.reject(new Error("The registry's store is closed"));
    return new Promise((resolve, reject) => {
      if (this.#pending.push({ work, resolve, reject }) === 1) this.clock.soon(() => this.#flush());
    });
  }

  /** One transaction for everything that waits. What fails on disk is forgotten in memory too. */
  #flush(): void {
    const batch = this.#pending;
    this.#pending = [];
    if (batch.length === 0 || this.#closed) return;
    let done: Applied[];
    try {
      done = this.#database.transaction(() => batch.map((each) => each.work()));
    } catch (error) {
      this.#load();
      for (const each of batch) each.reject(error);
      return;
    }
    batch.forEach((each, at) => {
      const applied = done[at] as Applied;
      if (applied.ok) this.#space.tell(applied.changes, applied.revision);
      each.resolve(applied);
    });
  }

  #apply(conditions: readonly Condition[], operations: readonly Operation[]): Applied {
    const before = this.#space.compacted;
    const applied = this.#space.apply(conditions, operations);
    if (!applied.ok || applied.changes.length === 0) return applied;
    for (const change of applied.changes) {
      if (change.kind === "put") {
        const { key, value, created, modified, lease } = change.entry;
        this.#putEntry.run(key, value, created, modified, lease);
      } else this.#deleteEntry.run(keyOf(change));
      this.#addHistory.run(change.revision, JSON.stringify(change));
    }
    this.#setMeta.run("revision", applied.revision);
    if (this.#space.compacted !== before) {
      this.#trimHistory.run(this.#space.compacted);
      this.#setMeta.run("compacted", this.#space.compacted);
    }
    return applied;
  }

  /** Everything from disk. A lease lives one whole time from now, whoever was away meanwhile. */
  #load(): void {
    const space = new KeySpace();
    const nowMs = this.clock.now();
    const meta = (name: string): number =>
      this.#database.prepare<{ value: number }>("SELECT value FROM meta WHERE name = ?").get(name)?.value ??
      1;
    space.revision = meta("revision");
    for (const { id, ttl } of this.#database
      .prepare<{ id: string; ttl: number }>("SELECT id, ttl FROM leases")
      .all()) {
      space.leases.set(id, { ttlMs: ttl, keys: new Set(), deadlineMs: nowMs + ttl });
    }
    for (const row of this.#database.prepare<EntryRow>("SELECT * FROM entries").all()) space.restore(row);
    const history = this.#database
      .prepare<{ change: string }>("SELECT change FROM history ORDER BY number")
      .all();
    space.restoreHistory(
      history.map((row) => JSON.parse(row.change) as Change),
      meta("compacted"),
    );
    this.#space = space;
  }

  #plan(): Timer {
    return this.clock.after(
      leaseCheckMs,
      () => {
        for (const id of expireLeases(this.#space, this.clock.now())) this.revoke(id).catch(() => undefined);
        this.#timer = this.#plan();
      },
      true,
    );
  }
}
