/** Callers of a service that the snapshot does not have yet wait here, for a moment, while the controller is asked for it. */
import type { Clock } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";

type Found = (known: boolean) => void;

export class Discovery {
  readonly #waiting = new Map<string, Set<Found>>();

  constructor(
    readonly clock: Clock,
    readonly wanted: (key: string) => void,
  ) {}

  wait(key: string, found: Found): void {
    const waiting = this.#waiting.get(key) ?? new Set<Found>();
    if (waiting.size >= limits.pendingMax) return found(false);
    if (waiting.size === 0) this.wanted(key);
    this.#waiting.set(key, waiting);
    const once: Found = (known) => {
      timer.cancel();
      waiting.delete(once);
      found(known);
    };
    const timer = this.clock.after(limits.discoverMs, () => once(false), true);
    waiting.add(once);
  }

  /** A snapshot came. */
  arrived(has: (key: string) => boolean): void {
    for (const [key, waiting] of this.#waiting) {
      if (!has(key)) continue;
      this.#waiting.delete(key);
      for (const found of [...waiting]) found(true);
    }
  }
}
