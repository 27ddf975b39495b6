/**
 * A token bucket: `perSecond` tokens come in, up to `burst` are kept, and it is filled lazily by whoever asks. It may be in
 * debt where the size of something is known only once it has passed (bytes): then it says how long to wait.
 */
import { SharedRow } from "../../base/shared_row.ts";
import { limits } from "../../model/limits.ts";

/** Places of its numbers: whether it was filled once, what there is, and when that was so. */
const [isMade, tokens, filledMs] = [0, 1, 2] as const;

/** Numbers of one. */
export const bucketNumbers = 3;

export class TokenBucket {
  /** Full at the beginning. Without a `burst` it holds what comes in one second, one token at least. */
  constructor(
    public perSecond: number,
    nowMs: number,
    public burst = burstOf(perSecond),
    readonly row = SharedRow.own(bucketNumbers),
  ) {
    const { numbers } = row;
    row.enter();
    if (numbers[isMade] === 0) {
      numbers[isMade] = 1;
      numbers[tokens] = burst;
      numbers[filledMs] = nowMs;
    }
    row.leave();
  }

  /** Whether there are so many. Takes none. */
  has(count: number, nowMs: number): boolean {
    return this.#fill(0, nowMs) >= count;
  }

  /** Takes them all, or none. */
  take(count: number, nowMs: number): boolean {
    const { row } = this;
    row.enter();
    const has = this.#filled(nowMs) >= count;
    if (has) (this.row.numbers[tokens] as number) -= count;
    row.leave();
    return has;
  }

  /** Takes them in any case. Returns for how many milliseconds nothing more should be taken. */
  spend(count: number, nowMs: number): number {
    return this.#waitMs(0, this.#fill(-count, nowMs));
  }

  /** Milliseconds until there are so many; Infinity when there never will be. */
  waitMs(count: number, nowMs: number): number {
    return this.#waitMs(count, this.#fill(0, nowMs));
  }

  #waitMs(count: number, there: number): number {
    if (there >= count) return 0;
    if (count > this.burst || this.perSecond <= 0) return Infinity;
    return ((count - there) / this.perSecond) * 1_000;
  }

  /** Another rate from now on. What is there stays, as far as it fits. */
  resize(perSecond: number, nowMs: number, burst = burstOf(perSecond)): void {
    const { row } = this;
    row.enter();
    const there = this.#filled(nowMs);
    this.perSecond = perSecond;
    this.burst = burst;
    this.row.numbers[tokens] = Math.min(there, burst);
    row.leave();
  }

  /** Holds all it can: it remembers nothing that a new one would not know. */
  full(nowMs: number): boolean {
    return this.#fill(0, nowMs) >= this.burst;
  }

  /** What there is once `more` came beside what time brought. */
  #fill(more: number, nowMs: number): number {
    const { row } = this;
    row.enter();
    const there = this.#filled(nowMs) + more;
    this.row.numbers[tokens] = there;
    row.leave();
    return there;
  }

  /** What there is now; to be called inside of the row. */
  #filled(nowMs: number): number {
    const numbers = this.row.numbers;
    const there = numbers[tokens] as number;
    const passedMs = nowMs - (numbers[filledMs] as number);
    if (passedMs <= 0) return there;
    numbers[filledMs] = nowMs;
    return (numbers[tokens] = Math.min(this.burst, there + (passedMs * this.perSecond) / 1_000));
  }
}

function burstOf(perSecond: number): number {
  return Math.max(1, (perSecond * limits.rateBurstMs) / 1_000);
}
