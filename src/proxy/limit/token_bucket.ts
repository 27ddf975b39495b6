/**
 * A token bucket: `perSecond` tokens come in, up to `burst` are kept, and it is filled lazily by whoever asks. It may be in
 * debt where the size of something is known only once it has passed (bytes): then it says how long to wait.
 */
import { limits } from "../../model/limits.ts";

export class TokenBucket {
  tokens: number;
  #filledMs: number;

  /** Full at the beginning. Without a `burst` it holds what comes in one second, one token at least. */
  constructor(
    public perSecond: number,
    nowMs: number,
    public burst = burstOf(perSecond),
  ) {
    this.tokens = burst;
    this.#filledMs = nowMs;
  }

  /** Whether there are so many. Takes none. */
  has(count: number, nowMs: number): boolean {
    this.#fill(nowMs);
    return this.tokens >= count;
  }

  /** Takes them all, or none. */
  take(count: number, nowMs: number): boolean {
    if (!this.has(count, nowMs)) return false;
    this.tokens -= count;
    return true;
  }

  /** Takes them in any case. Returns for how many milliseconds nothing more should be taken. */
  spend(count: number, nowMs: number): number {
    this.#fill(nowMs);
    this.tokens -= count;
    return this.waitMs(0, nowMs);
  }

  /** Milliseconds until there are so many; Infinity when there never will be. */
  waitMs(count: number, nowMs: number): number {
    this.#fill(nowMs);
    if (this.tokens >= count) return 0;
    if (count > this.burst || this.perSecond <= 0) return Infinity;
    return ((count - this.tokens) / this.perSecond) * 1_000;
  }

  /** Another rate from now on. What is there stays, as far as it fits. */
  resize(perSecond: number, nowMs: number, burst = burstOf(perSecond)): void {
    this.#fill(nowMs);
    this.perSecond = perSecond;
    this.burst = burst;
    this.tokens = Math.min(this.tokens, burst);
  }

  /** Holds all it can: it remembers nothing that a new one would not know. */
  full(nowMs: number): boolean {
    this.#fill(nowMs);
    return this.tokens >= this.burst;
  }

  #fill(nowMs: number): void {
    const passedMs = nowMs - this.#filledMs;
    if (passedMs <= 0) return;
    this.tokens = Math.min(this.burst, this.tokens + (passedMs * this.perSecond) / 1_000);
    this.#filledMs = nowMs;
  }
}

function burstOf(perSecond: number): number {
  return Math.max(1, (perSecond * limits.rateBurstMs) / 1_000);
}
