/**
 * A bucket for each key that comes, of which there may be any number: the table is bounded. A key whose bucket is full again is
 * forgotten, since a new bucket would say the same; when none is, keys that come new share one bucket.
 */
import { ownNumbers, type SharedNumbers } from "../../base/shared_numbers.ts";
import type { Rate } from "../../model/traffic.ts";
import { limits } from "../../model/limits.ts";
import { bucketNumbers, TokenBucket } from "./token_bucket.ts";

export class BucketTable {
  readonly #buckets = new Map<string, TokenBucket>();
  /** Of keys that there is no room for. */
  readonly #others: TokenBucket;

  constructor(
    readonly rate: Rate,
    nowMs: number,
    readonly keysMax: number = limits.rateCallersMax,
    private readonly numbers: SharedNumbers = ownNumbers,
    /** Begins the names of its buckets. */
    private readonly name = "",
  ) {
    this.#others = bucketOf(rate, nowMs, numbers, `${name} others`);
  }

  /** Keys that have buckets of their own now. */
  get size(): number {
    return this.#buckets.size;
  }

  of(key: string, nowMs: number): TokenBucket {
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    if (this.#buckets.size >= this.keysMax && !this.#forgetOne(nowMs)) return this.#others;
    const bucket = bucketOf(this.rate, nowMs, this.numbers, `${this.name} of ${key}`);
    this.#buckets.set(key, bucket);
    return bucket;
  }

  *[Symbol.iterator](): Generator<TokenBucket> {
    yield this.#others;
    yield* this.#buckets.values();
  }

  #forgetOne(nowMs: number): boolean {
    let looks = 0;
    for (const [key, bucket] of this.#buckets) {
      this.#buckets.delete(key);
      if (bucket.full(nowMs)) {
        bucket.row.release();
        return true;
      }
      // To the end: another look begins with others.
      this.#buckets.set(key, bucket);
      if (++looks === limits.rateLooksMax) return false;
    }
    return false;
  }
}

export function bucketOf(
  { perSecond, burst }: Rate,
  nowMs: number,
  numbers: SharedNumbers = ownNumbers,
  name = "",
): TokenBucket {
  return new TokenBucket(perSecond, nowMs, burst ?? undefined, numbers.row(name, bucketNumbers));
}
