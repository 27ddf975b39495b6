/**
 * How many bytes a second pass to and from the instances of one service on this machine: in all, and for each caller. Bodies and
 * opaque connections count, each direction by itself. Who is over the rate is read later; nothing is cut.
 */
import type { WholeGroup } from "../../model/traffic.ts";
import { BucketTable } from "./bucket_table.ts";
import { TokenBucket } from "./token_bucket.ts";

/** `up`: towards the service. */
export type Direction = "up" | "down";

export class ByteRates {
  readonly #up: Rates;
  readonly #down: Rates;

  constructor(settings: WholeGroup<"bandwidth">, nowMs: number) {
    this.#up = new Rates(settings, nowMs);
    this.#down = new Rates(settings, nowMs);
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

  constructor({ total, identity, overrides }: WholeGroup<"bandwidth">, nowMs: number) {
    this.#total = total === null ? null : new TokenBucket(total, nowMs);
    this.#callers = identity === null ? null : new BucketTable({ perSecond: identity, burst: null }, nowMs);
    const own = Object.entries(overrides);
    this.#overrides = new Map(own.map(([caller, rate]) => [caller, new TokenBucket(rate, nowMs)]));
  }

  spend(caller: string, bytes: number, nowMs: number): number {
    const own = this.#overrides.get(caller) ?? this.#callers?.of(caller, nowMs);
    const ownMs = own?.spend(bytes, nowMs) ?? 0;
    return Math.max(ownMs, this.#total?.spend(bytes, nowMs) ?? 0);
  }
}
