/**
 * The state both stores share: keys at revisions, leases with their keys, the log of changes and who watches them.
 * Synchronous and without I/O: a store decides when changes count, and takes back those that never did.
 */
import { ChangeLog } from "./change_log.ts";
import { SortedKeys } from "./sorted_keys.ts";
import type { Change, Condition, Entry, Operation, Watching, WatchStart } from "./store.ts";
import { Watchers } from "./watchers.ts";

export type Applied =
  | { readonly ok: true; readonly revision: number; readonly changes: readonly Change[] }
  | {
      readonly ok: false;
      readonly reason: "conflict" | "no-lease";
      readonly key: string;
      readonly revision: number;
    };

export interface Lease {
  readonly ttlMs: number;
  readonly keys: Set<string>;
  deadlineMs: number;
}

/** What a store knew when it was closed. */
export interface KeySpaceState {
  readonly revision: number;
  readonly entries: readonly Entry[];
  readonly leases: readonly { readonly id: string; readonly ttlMs: number; readonly deadlineMs: number }[];
  readonly compacted: number;
  readonly changes: readonly Change[];
}

const nothing: KeySpaceState = { revision: 1, entries: [], leases: [], compacted: 1, changes: [] };

export class KeySpace {
  readonly leases = new Map<string, Lease>();
  readonly log: ChangeLog;
  readonly #entries = new Map<string, Entry>();
  readonly #keys = new SortedKeys(this.#entries);
  readonly #watchers = new Watchers();
  #revision: number;
  /** What takes back the changes of the attempt under way, in the order they were made; null outside of one. */
  #undo: (() => void)[] | null = null;

  constructor(state: KeySpaceState = nothing) {
    this.#revision = state.revision;
    this.log = new ChangeLog(state.compacted, state.changes);
    for (const { id, ttlMs, deadlineMs } of state.leases)
      this.leases.set(id, { ttlMs, keys: new Set(), deadlineMs });
    for (const entry of state.entries) this.#set(entry.key, entry);
  }

  get revision(): number {
    return this.#revision;
  }

  get(key: string): Entry | null {
    return this.#entries.get(key) ?? null;
  }

  range(prefix: string): { readonly entries: readonly Entry[]; readonly revision: number } {
    const entries = this.#keys.under(prefix).map((key) => this.#entries.get(key) as Entry);
    return { entries, revision: this.#revision };
  }

  /** Runs changes that count together or not at all: when `work` throws, everything is as it was. */
  attempt<T>(work: () => T): T {
    const undo: (() => void)[] = [];
    this.#undo = undo;
    try {
      return work();
    } catch (error) {
      for (const takeBack of undo.reverse()) takeBack();
      throw error;
    } finally {
      this.#undo = null;
    }
  }

  /** Checks and applies; nothing changes when it fails. Operations without effect keep the revision. */
  apply(conditions: readonly Condition[], operations: readonly Operation[]): Applied {
    const refused = this.#refusal(conditions, operations);
    if (refused !== null) return refused;
    const before = this.#revision;
    const next = before + 1;
    const changes: Change[] = [];
    for (const each of operations) {
      const change = each.do === "put" ? this.#put(each, next) : this.#delete(each.key, next);
      if (change !== null) changes.push(change);
    }
    if (changes.length === 0) return { ok: true, revision: before, changes };
    const { length } = this.log;
    this.#revision = next;
    this.log.append(changes);
    this.#undo?.push(() => {
      this.#revision = before;
      this.log.truncate(length);
    });
    return { ok: true, revision: next, changes };
  }

  /** Grants a lease, or renews it from now on with this time. */
  grant(id: string, ttlMs: number, nowMs: number): void {
    const before = this.leases.get(id);
    const lease = { ttlMs, keys: before?.keys ?? new Set<string>(), deadlineMs: nowMs + ttlMs };
    this.leases.set(id, lease);
    this.#undo?.push(() => this.#restoreLease(id, before));
  }

  /** Ends a lease, with its keys. null: there is none of this id. */
  end(id: string): Applied | null {
    const lease = this.leases.get(id);
    if (lease === undefined) return null;
    const operations = [...lease.keys].sort().map((key) => ({ do: "delete", key }) as const);
    const applied = this.apply([], operations);
    this.leases.delete(id);
    this.#undo?.push(() => this.#restoreLease(id, lease));
    return applied;
  }

  /** Tells the watchers of changes that count from now on. */
  tell(applied: Applied): void {
    if (applied.ok) this.#watchers.tell(applied.changes, applied.revision);
  }

  watch(prefix: string, from: number, change: Watching): WatchStart {
    const revision = this.#revision;
    if (from < this.log.compacted || from > revision) return { ok: false, reason: "compacted", revision };
    const missed = this.log.after(from, prefix);
    return { ok: true, stop: this.#watchers.add({ prefix, change, seen: revision }, missed) };
  }

  endWatches(): void {
    this.#watchers.clear();
  }

  #refusal(conditions: readonly Condition[], operations: readonly Operation[]): Applied | null {
    const revision = this.#revision;
    for (const { key, modified } of conditions) {
      if ((this.#entries.get(key)?.modified ?? 0) !== modified)
        return { ok: false, reason: "conflict", key, revision };
    }
    for (const each of operations) {
      if (each.do === "put" && each.lease !== undefined && !this.leases.has(each.lease))
        return { ok: false, reason: "no-lease", key: each.key, revision };
    }
    return null;
  }

  #put(put: Extract<Operation, { do: "put" }>, revision: number): Change {
    const { key, value, lease = null } = put;
    const created = this.#entries.get(key)?.created ?? revision;
    const entry: Entry = { key, value, created, modified: revision, lease };
    this.#change(key, entry);
    return { kind: "put", revision, entry };
  }

  #delete(key: string, revision: number): Change | null {
    if (!this.#entries.has(key)) return null;
    this.#change(key, undefined);
    return { kind: "delete", revision, key };
  }

  #change(key: string, entry: Entry | undefined): void {
    const before = this.#entries.get(key);
    this.#set(key, entry);
    this.#undo?.push(() => this.#set(key, before));
  }

  /** Every change of an entry goes through here, so that leases know their keys. */
  #set(key: string, entry: Entry | undefined): void {
    const before = this.#entries.get(key);
    if (before !== undefined && before.lease !== null) this.leases.get(before.lease)?.keys.delete(key);
    if (entry === undefined) this.#entries.delete(key);
    else this.#entries.set(key, entry);
    if (entry !== undefined && entry.lease !== null) this.leases.get(entry.lease)?.keys.add(key);
    if ((before === undefined) !== (entry === undefined)) this.#keys.changed();
  }

  #restoreLease(id: string, lease: Lease | undefined): void {
    if (lease === undefined) this.leases.delete(id);
    else this.leases.set(id, lease);
  }
}
