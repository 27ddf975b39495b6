/**
 * What the registry keeps: keys with values and revisions, leases that take their keys along when they end, and a log of
 * changes that watchers follow. The shape is etcd's, so that etcd can stand behind it. `memory_store` is the reference,
 * `sqlite_store` the durable one on one machine, `etcd/etcd_store` the one of several registries; all pass `test/conformance/store`.
 */

/** One key as it stands. `modified` is the revision of its last change, `created` that of its first since it was absent. */
export interface Entry {
  /** Printable ASCII without spaces, so that every store has the same order of keys. */
  readonly key: string;
  /** Well-formed Unicode. */
  readonly value: string;
  readonly created: number;
  readonly modified: number;
  /** Lease that the key lives on; null: until deleted. */
  readonly lease: string | null;
}

export type Change =
  | { readonly kind: "put"; readonly revision: number; readonly entry: Entry }
  | { readonly kind: "delete"; readonly revision: number; readonly key: string };

/** Holds when the key's last change has this revision; 0: the key is absent. */
export interface Condition {
  readonly key: string;
  readonly modified: number;
}

export type Operation =
  | { readonly do: "put"; readonly key: string; readonly value: string; readonly lease?: string }
  | { readonly do: "delete"; readonly key: string };

export type CommitResult =
  | { readonly ok: true; readonly revision: number }
  /** `conflict`: a condition failed; nothing changed. `no-lease`: the lease of a put is gone. */
  | {
      readonly ok: false;
      readonly reason: "conflict" | "no-lease";
      readonly key: string;
      readonly revision: number;
    };

export type WatchStart =
  | { readonly ok: true; readonly stop: () => void }
  /**
   * Changes after `from` are no longer all known, or `from` is a revision that this store never had: read the range again
   * and watch from its revision.
   */
  | { readonly ok: false; readonly reason: "compacted"; readonly revision: number };

/** Changes under a watched prefix, whole revisions in order. `revision`: nothing up to it is missing. */
export type Watching = (changes: readonly Change[], revision: number) => void;

/** What was asked could not be made durable. Nothing of it counts, and what stood before stands. */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
}

/** Calls take effect in the order in which they are made. Those that write reject with `StoreUnavailable`. */
export type Reached = "here" | "late" | "never";

export interface Store {
  /** Revision of the last commit; starts at 1 for an empty store and only rises, also over restarts. */
  revision(): number;
  /** Everything under the prefix in key order, with the revision it was read at. */
  range(prefix: string): { readonly entries: readonly Entry[]; readonly revision: number };
  get(key: string): Entry | null;
  /** All or nothing, in one revision; each key at most once. Resolves once durable. Without operations the revision stays. */
  commit(conditions: readonly Condition[], operations: readonly Operation[]): Promise<CommitResult>;
  /** Grants or renews; keys on it live until `ttlMs` after the last call. A lease outlives a restart of the store by one whole `ttlMs`. */
  lease(id: string, ttlMs: number): Promise<void>;
  /** Ends a lease now: its keys are deleted in one revision. */
  revoke(id: string): Promise<void>;
  /** Calls `change` for every change under the prefix after revision `from`, in order, none missed and none twice; the first ones at once. */
  watch(prefix: string, from: number, change: Watching): WatchStart;
  /** The same key, newer than any commit that was answered anywhere before this call. Rejects with `StoreUnavailable`. */
  current(key: string): Promise<Entry | null>;
  /**
   * Waits until nothing up to this revision is missing here. `late`: it took too long. `never`: what holds the store has no such revision
   * any more, since it was put back to what it was.
   */
  reached(revision: number): Promise<Reached>;
  /** Names what revisions count; null: this one store, opened this once. */
  readonly epoch: string | null;
  /** Why nobody should read here now; null: all is well. */
  problem(): string | null;
  /** Writes what waits, ends watches, refuses everything later. May be called twice. */
  close(): void;
}
