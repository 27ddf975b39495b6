/**
 * How many requests a second a service takes: in all, and from each caller, where some callers may have rates of their own.
 * A caller is the identity that was verified, never a header. The table of callers is bounded: one whose bucket is full again
 * is forgotten, since a new bucket would say the same; when none is, callers that come new share one bucket.
 */
import { limits } from "../../model/limits.ts";
import { TokenBucket } from "./token_bucket.ts";

export interface Rate {
  readonly perSecond: number;
  /** Requests that may come at once; null: those of one second. */
  readonly burst: number | null;
}

export interface RateRules {
  /** Of all callers together. */
  readonly total: Rate | null;
  /** Of each caller without a rate of its own. */
  readonly eachCaller: Rate | null;
  /** By caller. */
  readonly overrides: ReadonlyMap<string, Rate>;
}

/** Which rule refused: `total`, or `caller`. */
export type RateRule = "total" | "caller";

export class RateLimit {
  /** Of the last refusal: the rule, what it grants in a second, and whole seconds until there is room (`Retry-After`). */
  refusedBy: RateRule = "total";
  refusedPerSecond = 0;
  retryAfterSeconds = 1;
  readonly #total: TokenBucket | null;
  readonly #callers = new Map<string, TokenBucket>();
  readonly #others: TokenBucket | null;

  constructor(
    readonly rules: RateRules,
    nowMs: number,
    readonly callersMax: number = limits.rateCallersMax,
  ) {
    this.#total = rules.total === null ? null : bucketOf(rules.total, nowMs);
    this.#others = rules.eachCaller === null ? null : bucketOf(rules.eachCaller, nowMs);
  }

  /** Lets one request of the caller in, or says why not in the fields above. A request that is refused costs nothing. */
  admit(caller: string, nowMs: number): boolean {
    const own = this.#bucketOf(caller, nowMs);
    if (own !== null && !own.has(1, nowMs)) return this.#refuse("caller", own, nowMs);
    const total = this.#total;
    if (total !== null && !total.take(1, nowMs)) return this.#refuse("total", total, nowMs);
    own?.take(1, nowMs);
    return true;
  }

  /** Callers that have buckets of their own now. */
  get callers(): number {
    return this.#callers.size;
  }

  #refuse(rule: RateRule, bucket: TokenBucket, nowMs: number): false {
    this.refusedBy = rule;
    this.refusedPerSecond = bucket.perSecond;
    const waitMs = bucket.waitMs(1, nowMs);
    this.retryAfterSeconds = Number.isFinite(waitMs)
      ? Math.max(1, Math.ceil(waitMs / 1_000))
      : limits.retryPushbackMaxMs / 1_000;
    return false;
  }

  #bucketOf(caller: string, nowMs: number): TokenBucket | null {
    const known = this.#callers.get(caller);
    if (known !== undefined) return known;
    const own = this.rules.overrides.get(caller);
    const rate = own ?? this.rules.eachCaller;
    if (rate === null) return null;
    // Callers with rates of their own are as many as the rules name.
    if (own === undefined && this.#callers.size >= this.callersMax && !this.#forgetOne(nowMs))
      return this.#others;
    const bucket = bucketOf(rate, nowMs);
    this.#callers.set(caller, bucket);
    return bucket;
  }

  #forgetOne(nowMs: number): boolean {
    let looks = 0;
    for (const [caller, bucket] of this.#callers) {
      this.#callers.delete(caller);
      if (bucket.full(nowMs)) return true;
      // To the end: another look begins with others.
      this.#callers.set(caller, bucket);
      if (++looks === limits.rateLooksMax) return false;
    }
    return false;
  }
}

function bucketOf({ perSecond, burst }: Rate, nowMs: number): TokenBucket {
  return burst === null ? new TokenBucket(perSecond, nowMs) : new TokenBucket(perSecond, nowMs, burst);
}
