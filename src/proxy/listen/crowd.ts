/**
 * Connections of one port from outside, by who has them. Where there is no room for one more, idle ones of whoever has most give way, the
 * oldest first: nobody keeps others out by holding connections.
 */
import { sourceOf } from "../../base/source_of.ts";
import { limits } from "../../model/limits.ts";

interface Held {
  /** Ends once nothing is under way on it. */
  retire(): void;
}

export class Crowd {
  readonly #bySource = new Map<string, Set<Held>>();
  #thinnedMs = -Infinity;

  /** Returns what forgets it. */
  add(address: string, held: Held): () => void {
    const source = sourceOf(address);
    const own = this.#bySource.get(source) ?? new Set();
    this.#bySource.set(source, own.add(held));
    return () => {
      if (own.delete(held) && own.size === 0) this.#bySource.delete(source);
    };
  }

  /** There was no room for a connection of that address; there may be soon. */
  thin(address: string, nowMs: number): void {
    if (nowMs - this.#thinnedMs < limits.crowdThinMs) return;
    this.#thinnedMs = nowMs;
    const most = [...this.#bySource.values()].reduce((a, b) => (b.size > a.size ? b : a), new Set<Held>());
    if ((this.#bySource.get(sourceOf(address))?.size ?? 0) >= most.size) return;
    for (const held of [...most].slice(0, limits.crowdThinnedMax)) {
      // The next time it is the turn of others.
      most.delete(held);
      most.add(held);
      held.retire();
    }
  }
}
