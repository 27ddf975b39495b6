/**
 * How many bytes a second pass to and from the instances of one service on this machine: in all, and for each caller. Bodies and
 * opaque connections count, each direction by itself. Who is over the rate is read later; nothing is cut.
 */
import { ownNumbers, type SharedNumbers } from "../../base/shared_numbers.ts";
import type { Rate, WholeGroup } from "../../model/traffic.ts";
import { BucketTable, bucketOf } from "./bucket_table.ts";
import { limits } from "../../model/limits.ts";
import type { TokenBucket } from "./token_bucket.ts";

/** `up`: towards the service. */
export type Direction = "up" | "down";

export class ByteRates {
  readonly #up: Rates;
  readonly #down: Rates;

  /** `name` begins those of its buckets. */
  constructor(settings: WholeGroup<"bandwidth">, nowMs: number, numbers = ownNumbers, name = "") {
    this.#up = new Rates(settings, nowMs, numbers, `${name} up`);
    this.#down = new Rates(settings, nowMs, numbers, `${name} down`);
  }

  /** All that it has now. */
  *buckets(): Generator<TokenBucket> {
    yield* this.#up.buckets();
    yield* this.#down.buckets();
  }

  /** So many bytes of a caller passed. Returns for how many milliseconds no more of them should be read. */
  spend(caller: string, direction: Direction, bytes: number, nowMs: number): number {
    return (direction === "up" ? this.#up : this.#down).spend(caller, bytes, nowMs);
  }
}

class Rates {
  readonly #total: TokenBucket | null;
  readonly #callers: BucketTable | null;
  readonly #overrides: ReadonlyMap<string, TokenBucket>;

  constructor(
    { total, identity, overrides }: WholeGroup<"bandwidth">,
    nowMs: number,
    numbers: SharedNumbers,
    name: string,
  ) {
    const rate = (perSecond: number): Rate => ({ perSecond, burst: null });
    const bucket = (perSecond: number, of: string): TokenBucket =>
      bucketOf(rate(perSecond), nowMs, numbers, `${name} ${of}`);
    this.#total = total === null ? null : bucket(total, "total");
    this.#callers =
      identity === null
        ? null
        : new BucketTable(rate(identity), nowMs, limits.rateCallersMax, numbers, `${name} identity`);
    const own = Object.entries(overrides);
    this.#overrides = new Map(own.map(([caller, each]) => [caller, bucket(each, `overrides ${caller}`)]));
  }

  *buckets(): Generator<TokenBucket> {
    if (this.#total !== null) yield this.#total;
    yield* this.#callers ?? [];
    yield* this.#overrides.values();
  }

  spend(caller: string, bytes: number, nowMs: number): number {
    const own = this.#overrides.get(caller) ?? this.#callers?.of(caller, nowMs);
    const ownMs = own?.spend(bytes, nowMs) ?? 0;
    return Math.max(ownMs, this.#total?.spend(bytes, nowMs) ?? 0);
  }
}
