/**
 * A proxy's part of a rate that the mesh shares: a bucket of the size of the slice that the controller gave. When the controller
 * is away it goes on, from the end of the slice's time with no more than its even share.
 */
import type { RateSlice, SliceAsk } from "../../model/rate_slice.ts";
import { SharedRow } from "../../base/shared_row.ts";
import { bucketNumbers, TokenBucket } from "./token_bucket.ts";

export class LeasedRate {
  readonly bucket: TokenBucket;
  #slice: RateSlice | null = null;
  #endsMs = Infinity;
  #wanted = 0;
  #askedMs: number;

  /** `firstPerSecond`: until it has its first slice. */
  constructor(firstPerSecond: number, nowMs: number, row = SharedRow.own(bucketNumbers)) {
    this.bucket = new TokenBucket(firstPerSecond, nowMs, undefined, row);
    this.#askedMs = nowMs;
  }

  take(nowMs: number): boolean {
    this.#wanted++;
    if (nowMs >= this.#endsMs) this.#fallBack(nowMs);
    return this.bucket.take(1, nowMs);
  }

  /** What to ask the controller for now. */
  ask(nowMs: number): SliceAsk {
    if (nowMs >= this.#endsMs) this.#fallBack(nowMs);
    const passedMs = Math.max(1, nowMs - this.#askedMs);
    const wantedPerSecond = (this.#wanted * 1_000) / passedMs;
    this.#wanted = 0;
    this.#askedMs = nowMs;
    const heldPerSecond = this.bucket.perSecond;
    return { wantedPerSecond, sequence: this.#slice?.sequence ?? 0, heldPerSecond };
  }

  /** The answer to what was asked at `askedMs`. Answers that overtook one another count once. */
  given(slice: RateSlice, askedMs: number, nowMs: number): void {
    if (slice.sequence <= (this.#slice?.sequence ?? 0)) return;
    this.#slice = slice;
    this.#endsMs = askedMs + slice.forMs;
    this.bucket.resize(slice.perSecond, nowMs);
    if (nowMs >= this.#endsMs) this.#fallBack(nowMs);
  }

  #fallBack(nowMs: number): void {
    const slice = this.#slice as RateSlice;
    // What came in until then came at the old rate, also when nobody asked since.
    this.bucket.resize(Math.min(slice.perSecond, slice.evenPerSecond), nowMs);
    this.#endsMs = Infinity;
  }
}
