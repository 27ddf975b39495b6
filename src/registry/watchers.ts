/**
 * Whoever watches a store. Each hears of every revision once and in order, also when a watcher commits, begins to watch or
 * stops while others are being told.
 */
import { keyOf } from "./change_log.ts";
import type { Change, Watching } from "./store.ts";

interface Watcher {
  readonly prefix: string;
  readonly change: Watching;
  /** Heard of everything up to this revision. */
  seen: number;
}

export class Watchers {
  readonly #watchers = new Set<Watcher>();
  #news: { readonly changes: readonly Change[]; readonly revision: number }[] = [];
  #telling = false;

  /** Begins with `missed`, which is everything under the prefix up to `seen`. */
  add(watcher: Watcher, missed: readonly Change[]): () => void {
    this.#watchers.add(watcher);
    if (missed.length > 0) this.#busy(() => watcher.change(missed, watcher.seen));
    return () => void this.#watchers.delete(watcher);
  }

  tell(changes: readonly Change[], revision: number): void {
    if (changes.length === 0) return;
    this.#news.push({ changes, revision });
    if (!this.#telling) this.#busy(() => {});
  }

  clear(): void {
    this.#watchers.clear();
    this.#news = [];
  }

  /** News that come up meanwhile wait for their turn. */
  #busy(work: () => void): void {
    const outermost = !this.#telling;
    this.#telling = true;
    try {
      work();
      if (!outermost) return;
      for (let next = this.#news.shift(); next !== undefined; next = this.#news.shift())
        for (const watcher of [...this.#watchers]) this.#tellOne(watcher, next.changes, next.revision);
    } finally {
      if (outermost) this.#telling = false;
    }
  }

  #tellOne(watcher: Watcher, changes: readonly Change[], revision: number): void {
    if (revision <= watcher.seen || !this.#watchers.has(watcher)) return;
    watcher.seen = revision;
    const mine = changes.filter((each) => keyOf(each).startsWith(watcher.prefix));
    if (mine.length > 0) watcher.change(mine, revision);
  }
}
