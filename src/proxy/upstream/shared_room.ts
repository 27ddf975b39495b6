/**
 * Room for connections that the event loops of a machine have together. Where it is full and several of them wait, who has waited
 * longest takes what gets free; a loop that does not, though there is room, is not waited for.
 */
import type { Shard } from "../../http/shard.ts";
import type { Tally } from "../../base/tally.ts";
import { limits } from "../../model/limits.ts";

export class SharedRoom {
  readonly #open: Tally;
  /** When each loop began to wait; 0: it does not. */
  readonly #sinceMs: Tally;
  readonly #isShared: boolean;
  /** There has been room since then that another loop might take; 0: there is none. */
  #leftSinceMs = 0;

  constructor(
    readonly shard: Shard,
    name: string,
  ) {
    const [open, sinceMs] = shard.numbers.tallies(name, 2) as [Tally, Tally];
    this.#open = open;
    this.#sinceMs = sinceMs;
    this.#isShared = shard.numbers.loops > 1;
  }

  /** Connections that stand or are being made, of all loops. */
  get open(): number {
    return this.#open.total;
  }

  /** There is none for this loop now. */
  isFull(max: number): boolean {
    if (this.#open.total < max) return this.#isShared && this.#isAnothersTurn();
    this.#leftSinceMs = 0;
    return true;
  }

  /** A place, to be given back by `leave`. False: there is none. */
  take(max: number): boolean {
    if (this.isFull(max)) return false;
    if (this.#open.added(1) > max) {
      // Another loop took the last one at the same time.
      this.#open.add(-1);
      return false;
    }
    this.content();
    return true;
  }

  leave(): void {
    this.#open.add(-1);
  }

  /** Somebody in this loop waits for it. */
  wait(): void {
    if (this.#isShared && this.#sinceMs.mine === 0) this.#sinceMs.add(this.#nowMs());
  }

  /** Nobody in this loop waits. */
  content(): void {
    if (!this.#isShared) return;
    this.#sinceMs.add(-this.#sinceMs.mine);
    this.#leftSinceMs = 0;
  }

  /** Another loop waits for what is used here. */
  get isWantedElsewhere(): boolean {
    return this.#isShared && this.#sinceMs.leastElsewhere !== Infinity;
  }

  /** It has waited for so long that what is used here should be its for a while. */
  get isOverdueElsewhere(): boolean {
    return this.#isShared && this.#sinceMs.leastElsewhere + limits.sharedBusyMs < this.#nowMs();
  }

  /** It is shared no more: what is open counts here alone. */
  release(): void {
    this.content();
    this.#open.release();
    this.#sinceMs.release();
  }

  #isAnothersTurn(): boolean {
    const nowMs = this.#nowMs();
    const mineMs = this.#sinceMs.mine === 0 ? nowMs : this.#sinceMs.mine;
    if (this.#sinceMs.leastElsewhere >= mineMs) return false;
    if (this.#leftSinceMs === 0) this.#leftSinceMs = nowMs;
    return nowMs - this.#leftSinceMs < limits.sharedTurnMs;
  }

  /** Never 0. */
  #nowMs(): number {
    return this.shard.clock.now() + 1;
  }
}
