/** The tables of the durable store: what is written in a transaction, and everything as it was left. */
import type { Database, Databases, SqlValue, Statement } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import { keyOf } from "./change_log.ts";
import type { KeySpaceState } from "./key_space.ts";
import type { Change, Entry } from "./store.ts";

const format = 1;

const schema = `
CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL, lease TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (number INTEGER PRIMARY KEY, revision INTEGER NOT NULL, change TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS leases (id TEXT PRIMARY KEY, ttl INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`;

type EntryRow = { key: string; value: string; created: number; modified: number; lease: string | null };

export class SqliteFile {
  readonly #database: Database;
  readonly #putEntry: Statement<EntryRow>;
  readonly #deleteEntry: Statement<EntryRow>;
  readonly #addHistory: Statement<{ revision: number }>;
  readonly #trimHistory: Statement<{ revision: number }>;
  readonly #putMeta: Statement<{ value: number }>;
  readonly #putLease: Statement<{ id: string }>;
  readonly #deleteLease: Statement<{ id: string }>;
  readonly #foreignWrites: Statement<{ data_version: number }>;
  /** Rises when another process writes to the file. */
  readonly #alone: number;

  constructor(databases: Databases, path: string) {
    this.#database = databases.open(path);
    const found = this.#read<{ user_version: number }>("PRAGMA user_version")[0]?.user_version ?? 0;
    if (found > format) {
      this.#database.close();
      throw new UserError(
        `Cannot open ${path}: it was written by a newer version (format ${found}, this one knows ${format})`,
        "Start the version that wrote it",
      );
    }
    this.#database.transaction(() => {
      this.#database.execute(schema);
      if (found < format) this.#database.execute(`PRAGMA user_version = ${format}`);
    });
    const prepare = <Row extends Record<string, SqlValue>>(sql: string): Statement<Row> =>
      this.#database.prepare<Row>(sql);
    this.#putEntry = prepare(
      "INSERT OR REPLACE INTO entries (key, value, created, modified, lease) VALUES (?, ?, ?, ?, ?)",
    );
    this.#deleteEntry = prepare("DELETE FROM entries WHERE key = ?");
    this.#addHistory = prepare("INSERT INTO history (revision, change) VALUES (?, ?)");
    this.#trimHistory = prepare("DELETE FROM history WHERE revision <= ?");
    this.#putMeta = prepare("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)");
    this.#putLease = prepare("INSERT OR REPLACE INTO leases (id, ttl) VALUES (?, ?)");
    this.#deleteLease = prepare("DELETE FROM leases WHERE id = ?");
    this.#foreignWrites = prepare("PRAGMA data_version");
    this.#alone = this.#dataVersion();
  }

  /** A lease lives one whole time from now, whoever was away meanwhile. */
  load(nowMs: number): KeySpaceState {
    const meta = new Map(
      this.#read<{ name: string; value: number }>("SELECT name, value FROM meta").map((row) => [
        row.name,
        row.value,
      ]),
    );
    const history = this.#read<{ change: string }>("SELECT change FROM history ORDER BY number");
    const leases = this.#read<{ id: string; ttl: number }>("SELECT id, ttl FROM leases");
    return {
      revision: meta.get("revision") ?? 1,
      compacted: meta.get("compacted") ?? 1,
      entries: this.#read<EntryRow>("SELECT key, value, created, modified, lease FROM entries") as Entry[],
      changes: history.map((row) => JSON.parse(row.change) as Change),
      leases: leases.map(({ id, ttl }) => ({ id, ttlMs: ttl, deadlineMs: nowMs + ttl })),
    };
  }

  /** All that `work` writes is on disk when this returns, or none of it when it throws. */
  transaction<T>(work: () => T): T {
    return this.#database.transaction(() => {
      if (this.#dataVersion() !== this.#alone)
        throw new Error("another process writes to the same file; only one registry may have it");
      return work();
    });
  }

  write(changes: readonly Change[], revision: number): void {
    for (const change of changes) {
      if (change.kind === "put") {
        const { key, value, created, modified, lease } = change.entry;
        this.#putEntry.run(key, value, created, modified, lease);
      } else this.#deleteEntry.run(keyOf(change));
      this.#addHistory.run(revision, JSON.stringify(change));
    }
    this.#putMeta.run("revision", revision);
  }

  forget(upTo: number): void {
    this.#trimHistory.run(upTo);
    this.#putMeta.run("compacted", upTo);
  }

  putLease(id: string, ttlMs: number): void {
    this.#putLease.run(id, ttlMs);
  }

  deleteLease(id: string): void {
    this.#deleteLease.run(id);
  }

  close(): void {
    this.#database.close();
  }

  #dataVersion(): number {
    return this.#foreignWrites.get()?.data_version ?? 0;
  }

  #read<Row extends Record<string, SqlValue>>(sql: string): Row[] {
    return this.#database.prepare<Row>(sql).all();
  }
}
