/**
 * How many requests a second a service takes: in all, from each caller, where some callers may have rates of their own, and of
 * requests that are alike. A caller is the identity that was verified, never a header.
 */
import { ownNumbers, type SharedNumbers } from "../../base/shared_numbers.ts";
import { hashText } from "../../base/hash.ts";
import { limits } from "../../model/limits.ts";
import type { KeyedRate, Rate, RateLimits } from "../../model/traffic.ts";
import type { Fields } from "../../wire/fields.ts";
import { matchesPath } from "../fields/path_pattern.ts";
import { BucketTable, bucketOf } from "./bucket_table.ts";
import type { LeasedRate } from "./leased_rate.ts";
import type { TokenBucket } from "./token_bucket.ts";

/** What limits look at. An opaque connection has no fields, and the path "". */
export interface Asked {
  /** Key of the service that calls. */
  readonly caller: string;
  readonly path: string;
  readonly fields: Fields | null;
}

/** Why a request has to wait. */
export interface RateRefusal {
  /** The rule, as documents write it: `rateLimit.total`. */
  readonly rule: string;
  /** Whom the rate is for, in words. */
  readonly whose: string;
  readonly perSecond: number;
  readonly waitMs: number;
}

/** One rule that a request meets, with the bucket that it takes from. */
interface Met {
  readonly rule: string;
  readonly bucket: TokenBucket;
}

export class RateLimit {
  readonly #total: TokenBucket | null;
  readonly #callers: BucketTable | null;
  readonly #overrides: ReadonlyMap<string, TokenBucket>;
  readonly #keys: readonly { readonly rule: KeyedRate; readonly table: BucketTable }[];

  constructor(
    readonly rules: Required<RateLimits>,
    nowMs: number,
    /** This machine's part of what the whole mesh shares. */
    readonly mesh: LeasedRate | null = null,
    keysMax: number = limits.rateCallersMax,
    numbers: SharedNumbers = ownNumbers,
    /** Begins the names of its buckets. */
    name = "",
  ) {
    const { total, identity, overrides, keys } = rules;
    const bucket = (rate: Rate, of: string): TokenBucket => bucketOf(rate, nowMs, numbers, `${name} ${of}`);
    const table = (rate: Rate, of: string): BucketTable =>
      new BucketTable(rate, nowMs, keysMax, numbers, `${name} ${of}`);
    this.#total = total === null ? null : bucket(total, "total");
    this.#callers = identity === null ? null : table(identity, "identity");
    const own = Object.entries(overrides).map(
      ([caller, rate]) => [caller, bucket(rate, `overrides ${caller}`)] as const,
    );
    this.#overrides = new Map(own);
    this.#keys = keys.map((rule, at) => ({ rule, table: table(rule, `keys ${at}`) }));
  }

  /** All that it has now, but the mesh's. */
  *buckets(): Generator<TokenBucket> {
    if (this.#total !== null) yield this.#total;
    yield* this.#callers ?? [];
    yield* this.#overrides.values();
    for (const { table } of this.#keys) yield* table;
  }

  /** Callers that have buckets of their own now. */
  get callers(): number {
    return this.#callers?.size ?? 0;
  }

  /** Lets one request in (null), or says why not. A request that is refused costs nothing. */
  admit(asked: Asked, nowMs: number): RateRefusal | null {
    const met = this.#rulesFor(asked, nowMs);
    for (const each of met) if (!each.bucket.has(1, nowMs)) return refusal(each, asked, nowMs);
    const { mesh } = this;
    if (mesh !== null && !mesh.take(nowMs)) return this.#meshRefusal(mesh.bucket, nowMs);
    // Where another loop took the last one at the same time it is owed.
    for (const { bucket } of met) bucket.spend(1, nowMs);
    return null;
  }

  #meshRefusal(part: TokenBucket, nowMs: number): RateRefusal {
    const share = Number(part.perSecond.toFixed(1));
    const whose = `all callers, to the instances of this machine ${share} of them,`;
    // There may be another slice by then.
    const waitMs = Math.min(part.waitMs(1, nowMs), limits.rateSliceAskMs);
    return { rule: "rateLimit.mesh", whose, perSecond: this.rules.mesh?.perSecond ?? 0, waitMs };
  }

  #rulesFor({ caller, path, fields }: Asked, nowMs: number): Met[] {
    const met: Met[] = [];
    const override = this.#overrides.get(caller);
    if (override !== undefined) met.push({ rule: "rateLimit.overrides", bucket: override });
    else if (this.#callers !== null)
      met.push({ rule: "rateLimit.identity", bucket: this.#callers.of(caller, nowMs) });
    for (const { rule, table } of this.#keys) {
      const key = keyOf(rule, path, fields);
      if (key !== null) met.push({ rule: "rateLimit.keys", bucket: table.of(key, nowMs) });
    }
    if (this.#total !== null) met.push({ rule: "rateLimit.total", bucket: this.#total });
    return met;
  }
}

function refusal({ rule, bucket }: Met, { caller }: Asked, nowMs: number): RateRefusal {
  const { perSecond } = bucket;
  return { rule, whose: whoseRate(rule, caller), perSecond, waitMs: bucket.waitMs(1, nowMs) };
}

function whoseRate(rule: string, caller: string): string {
  if (rule === "rateLimit.total") return "all callers";
  return rule === "rateLimit.keys" ? "requests like this one" : caller;
}

/** What tells the request apart by this rule; null when the rule is not about it. */
function keyOf({ header, eachPath, paths }: KeyedRate, path: string, fields: Fields | null): string | null {
  if (fields === null) return null;
  if (paths.length > 0 && !paths.some((pattern) => matchesPath(pattern, path))) return null;
  const value = header === null ? "" : fields.get(header);
  if (value === null) return null;
  return eachPath ? `${short(value)} ${short(path)}` : short(value);
}

function short(text: string): string {
  if (text.length <= limits.rateKeyLengthMax) return text;
  return `${text.slice(0, limits.rateKeyLengthMax)}#${hashText(text)}`;
}
