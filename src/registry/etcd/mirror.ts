/**
 * What etcd holds for this mesh, in memory: reads and watches are answered from here. It takes whole revisions in order, and
 * while a large commit is under way (`gateKey` stands) it takes none: all of it is told as one.
 */
import { ChangeLog, keyOf } from "../change_log.ts";
import { SortedKeys } from "../sorted_keys.ts";
import type { Change, Entry, Watching, WatchStart } from "../store.ts";
import { Watchers } from "../watchers.ts";

/** One change as etcd tells it. */
export type MirrorEvent =
  | { readonly kind: "put"; readonly entry: Entry }
  | { readonly kind: "delete"; readonly key: string; readonly revision: number };

interface Waiting {
  readonly holds: () => boolean;
  readonly resolve: () => void;
}

export class Mirror {
  readonly #entries = new Map<string, Entry>();
  readonly #keys = new SortedKeys(this.#entries);
  readonly #leases = new Map<string, Set<string>>();
  readonly #watchers = new Watchers();
  readonly #log: ChangeLog;
  #revision: number;
  /** Everything up to here was heard of. Above `revision` while a large commit is under way. */
  #heard: number;
  #held: Change[] | null = null;
  #waiting: Waiting[] = [];

  constructor(entries: readonly Entry[], revision: number) {
    this.#revision = revision;
    this.#heard = revision;
    this.#log = new ChangeLog(revision);
    for (const entry of entries) this.#set(entry.key, entry);
  }

  get revision(): number {
    return this.#revision;
  }

  get heard(): number {
    return this.#heard;
  }

  get size(): number {
    return this.#entries.size;
  }

  get isHeld(): boolean {
    return this.#held !== null;
  }

  get(key: string): Entry | null {
    return this.#entries.get(key) ?? null;
  }

  range(prefix: string): { readonly entries: readonly Entry[]; readonly revision: number } {
    const entries = this.#keys.under(prefix).map((key) => this.#entries.get(key) as Entry);
    return { entries, revision: this.#revision };
  }

  /** How many keys live on a lease. */
  keysOn(lease: string): number {
    return this.#leases.get(lease)?.size ?? 0;
  }

  watch(prefix: string, from: number, change: Watching): WatchStart {
    const revision = this.#revision;
    if (from < this.#log.compacted || from > revision) return { ok: false, reason: "compacted", revision };
    const missed = this.#log.after(from, prefix);
    return { ok: true, stop: this.#watchers.add({ prefix, change, seen: revision }, missed) };
  }

  endWatches(): void {
    this.#watchers.clear();
  }

  /** From now on until `release` nothing that comes counts yet. */
  hold(): void {
    this.#held ??= [];
  }

  /** What was held counts now, as one. */
  release(revision: number): void {
    const held = this.#held ?? [];
    this.#held = null;
    this.#heard = revision;
    this.#count(latestOf(held), revision);
  }

  /** All changes of one revision. Those that were heard of already are left out. */
  take(events: readonly MirrorEvent[], revision: number): void {
    if (revision <= this.#heard) return;
    this.#heard = revision;
    const changes = events.map((event): Change =>
      event.kind === "put" ? { ...event, revision } : { ...event, revision },
    );
    if (this.#held === null) this.#count(changes, revision);
    else this.#held.push(...changes);
  }

  /** What stands now, where changes in between are not known: what differs is told as one change. */
  replace(entries: readonly Entry[], revision: number): void {
    const now = new Map(entries.map((entry) => [entry.key, entry]));
    const gone = [...this.#entries.keys()].filter((key) => !now.has(key));
    const changed = entries.filter(({ key, modified }) => this.#entries.get(key)?.modified !== modified);
    this.#held = null;
    this.#heard = revision;
    this.#count(
      [
        ...gone.map((key) => ({ kind: "delete", key, revision }) as const),
        ...changed.map((entry) => ({ kind: "put", entry, revision }) as const),
      ],
      revision,
    );
  }

  /** Resolves once it holds; looked at after every change. */
  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ holds, resolve }));
  }

  #count(changes: readonly Change[], revision: number): void {
    for (const change of changes) this.#set(keyOf(change), change.kind === "put" ? change.entry : undefined);
    this.#revision = revision;
    this.#log.append(changes);
    const excess = this.#log.excess();
    if (excess !== null) this.#log.forget(excess);
    this.#watchers.tell(changes, revision);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) {
      if (each.holds()) each.resolve();
      else this.#waiting.push(each);
    }
  }

  #set(key: string, entry: Entry | undefined): void {
    const before = this.#entries.get(key);
    if (before?.lease != null) this.#unlease(before.lease, key);
    if (entry === undefined) this.#entries.delete(key);
    else this.#entries.set(key, entry);
    if (entry?.lease != null)
      this.#leases.set(entry.lease, (this.#leases.get(entry.lease) ?? new Set()).add(key));
    if ((before === undefined) !== (entry === undefined)) this.#keys.changed();
  }

  #unlease(lease: string, key: string): void {
    const keys = this.#leases.get(lease);
    keys?.delete(key);
    if (keys?.size === 0) this.#leases.delete(lease);
  }
}

/** Of several changes of one key the last. */
function latestOf(changes: readonly Change[]): Change[] {
  const latest = new Map<string, Change>();
  for (const change of changes) {
    latest.delete(keyOf(change));
    latest.set(keyOf(change), change);
  }
  return [...latest.values()];
}
