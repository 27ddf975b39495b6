/** Looks at something again and again: often while it is busy, now and then while it is quiet, and not when it is over. */
import { limits } from "../model/limits.ts";
import type { Clock, Timer } from "../../runtime/contract.ts";

export interface WatchOptions {
  readonly clock: Pick<Clock, "after">;
  readonly busy: () => boolean;
  /** Returns whether there is anything left to look at. */
  readonly look: () => boolean;
}

export class Watch {
  #timer: Timer | null = null;
  #closely = false;
  #closed = false;

  constructor(private readonly options: WatchOptions) {}

  /** There is something to look at, now or again. */
  begin(): void {
    if (this.#closed || (this.#timer !== null && this.#closely)) return;
    const { clock, busy } = this.options;
    const closely = busy();
    if (this.#timer !== null && !closely) return;
    this.#timer?.cancel();
    this.#closely = closely;
    const waitMs = closely ? limits.policyHostWatchMs : limits.policyHostIdleWatchMs;
    this.#timer = clock.after(waitMs, () => this.#look(), true);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #look(): void {
    this.#timer = null;
    if (!this.#closed && this.options.look()) this.begin();
  }
}
