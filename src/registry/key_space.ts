/**
 * The state both stores share: keys at revisions, the history that watchers resume from, and leases with their keys.
 * Synchronous and without I/O; a store decides when a change counts.
 */
import { limits } from "../model/limits.ts";
import type { Change, Condition, Entry, Operation, WatchStart } from "./store.ts";

export type Applied =
  | { readonly ok: true; readonly revision: number; readonly changes: readonly Change[] }
  | {
      readonly ok: false;
      readonly reason: "conflict" | "no-lease";
      readonly key: string;
      readonly revision: number;
    };

interface Watcher {
  readonly prefix: string;
  readonly change: (changes: readonly Change[], revision: number) => void;
}

export interface Lease {
  readonly ttlMs: number;
  readonly keys: Set<string>;
  deadlineMs: number;
}

export class KeySpace {
  readonly entries = new Map<string, Entry>();
  readonly leases = new Map<string, Lease>();
  revision = 1;
  /** Changes of the latest revisions, oldest first. */
  #history: Change[] = [];
  /** Changes up to this revision are forgotten. */
  #compacted = 1;
  readonly #watchers = new Set<Watcher>();

  range(prefix: string): Entry[] {
    const found: Entry[] = [];
    for (const entry of this.entries.values()) if (entry.key.startsWith(prefix)) found.push(entry);
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Checks and applies; nothing changes when it fails. An empty list of operations keeps the revision. */
  apply(conditions: readonly Condition[], operations: readonly Operation[]): Applied {
    const { revision } = this;
    for (const { key, modified } of conditions) {
      if ((this.entries.get(key)?.modified ?? 0) !== modified)
        return { ok: false, reason: "conflict", key, revision };
    }
    for (const each of operations) {
      if (each.do === "put" && each.lease !== undefined && !this.leases.has(each.lease)) {
        return { ok: false, reason: "no-lease", key: each.key, revision };
      }
    }
    const next = revision + 1;
    const changes: Change[] = [];
    for (const each of operations) {
      const change =
        each.do === "put"
          ? this.#put(each.key, each.value, each.lease ?? null, next)
          : this.#delete(each.key, next);
      if (change !== null) changes.push(change);
    }
    if (changes.length === 0) return { ok: true, revision, changes };
    this.revision = next;
    this.#remember(changes);
    return { ok: true, revision: next, changes };
  }

  /** Takes an entry over as it was stored. */
  restore(entry: Entry): void {
    this.entries.set(entry.key, entry);
    if (entry.lease !== null) this.leases.get(entry.lease)?.keys.add(entry.key);
  }

  /** Starts the history at what is known of it. */
  restoreHistory(changes: readonly Change[], compacted: number): void {
    this.#history = [...changes];
    this.#compacted = compacted;
  }

  /** Revision up to which the history is forgotten. */
  get compacted(): number {
    return this.#compacted;
  }

  /** Tells the watchers. Called once the changes count. */
  tell(changes: readonly Change[], revision: number): void {
    if (changes.length === 0) return;
    for (const watcher of [...this.#watchers]) {
      if (!this.#watchers.has(watcher)) continue;
      const mine = changes.filter((each) => keyOf(each).startsWith(watcher.prefix));
      if (mine.length > 0) watcher.change(mine, revision);
    }
  }

  watch(prefix: string, from: number, change: Watcher["change"]): WatchStart {
    if (from < this.#compacted) return { ok: false, reason: "compacted", revision: this.revision };
    const watcher: Watcher = { prefix, change };
    const missed = this.#history.filter((each) => each.revision > from && keyOf(each).startsWith(prefix));
    this.#watchers.add(watcher);
    if (missed.length > 0) change(missed, this.revision);
    return { ok: true, stop: () => void this.#watchers.delete(watcher) };
  }

  #put(key: string, value: string, lease: string | null, revision: number): Change {
    const before = this.entries.get(key);
    if (before?.lease != null && before.lease !== lease) this.leases.get(before.lease)?.keys.delete(key);
    if (lease !== null) this.leases.get(lease)?.keys.add(key);
    const entry: Entry = { key, value, created: before?.created ?? revision, modified: revision, lease };
    this.entries.set(key, entry);
    return { kind: "put", revision, entry };
  }

  #delete(key: string, revision: number): Change | null {
    const before = this.entries.get(key);
    if (before === undefined) return null;
    if (before.lease !== null) this.leases.get(before.lease)?.keys.delete(key);
    this.entries.delete(key);
    return { kind: "delete", revision, key };
  }

  #remember(changes: readonly Change[]): void {
    this.#history.push(...changes);
    const excess = this.#history.length - limits.registryHistoryMax;
    if (excess <= 0) return;
    // Whole revisions leave, so that a resumed watcher never sees half of one.
    this.#compacted = (this.#history[excess - 1] as Change).revision;
    this.#history = this.#history.filter((each) => each.revision > this.#compacted);
  }
}

export function keyOf(change: Change): string {
  return change.kind === "put" ? change.entry.key : change.key;
}
