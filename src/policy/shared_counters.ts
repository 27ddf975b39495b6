/**
 * Counters of policies that all proxies of the mesh share: a bucket for each key, of the size of this proxy's slice of it, which the
 * controller deals out by what each proxy wants (`src/model/rate_slice.ts`). A key that is new begins with the even share that was
 * heard last. When the controller is away, a bucket goes on with no more than its even share.
 */
import { createHash } from "node:crypto";
import { limits } from "../model/limits.ts";
import type { RateSlice, SliceAsk } from "../model/rate_slice.ts";
import { sharedCounterName, sharedCounterRate } from "../model/shared_counter.ts";

export interface SharedTake {
  readonly key: string;
  readonly amount: number;
  readonly limit: number;
  readonly perMs: number;
}

export interface SharedTaken {
  readonly ok: boolean;
  readonly left: number;
  /** null: there will never be as much. */
  readonly resetMs: number | null;
}

export class SharedCounters {
  readonly #buckets = new Map<string, Bucket>();
  /** Which part of a counter is this proxy's, as far as it was heard. */
  #evenShare = 1;

  constructor(
    private readonly nowMs: () => number,
    /** Event loops of this proxy, each of which is given a part of its slices. */
    private readonly parts = 1,
  ) {}

  /** `of`: whose counter it is. */
  take(of: string, { key, amount, limit, perMs }: SharedTake): SharedTaken {
    const digest = createHash("sha256").update(`${of}\n${key}`).digest("hex").slice(0, 24);
    const name = sharedCounterName(limit, perMs, digest);
    const nowMs = this.nowMs();
    const known = this.#buckets.get(name) ?? new Bucket(limit, perMs, this.#evenShare, nowMs);
    this.#buckets.delete(name);
    this.#buckets.set(name, known);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > limits.policySharedKeysMax && oldest !== undefined) this.#buckets.delete(oldest);
    return known.take(amount, nowMs);
  }

  /** What to ask the controller for, by name: counters that nobody wanted since are given back. */
  asks(): Record<string, SliceAsk> {
    const nowMs = this.nowMs();
    const asks: Record<string, SliceAsk> = {};
    for (const [name, bucket] of this.#buckets) {
      const ask = bucket.ask(nowMs);
      if (ask !== null) asks[name] = ask;
    }
    return asks;
  }

  /** The controller's answer to what was asked at `askedMs`. */
  given(slices: Readonly<Record<string, RateSlice>>, askedMs: number): void {
    for (const [name, slice] of Object.entries(slices)) {
      const perSecond = sharedCounterRate(name);
      if (perSecond === null) continue;
      const share = (part: number): number => Math.min(1, part / perSecond);
      // Whichever event loop a new key comes to first.
      this.#evenShare = share(slice.evenPerSecond * this.parts);
      this.#buckets.get(name)?.given(slice, share, askedMs, this.nowMs());
    }
  }
}

class Bucket {
  /** What may be taken now. */
  #level: number;
  #filledMs: number;
  #wanted = 0;
  #wantedMs: number;
  #askedMs: number;
  #sequence = 0;
  /** What it goes on with from then. */
  #evenShare: number;
  #endsMs = Infinity;

  constructor(
    readonly limit: number,
    readonly perMs: number,
    private share: number,
    nowMs: number,
  ) {
    this.#evenShare = share;
    this.#level = this.#most;
    this.#filledMs = this.#askedMs = this.#wantedMs = nowMs;
  }

  /** One at least: a slice may be less, and something has to pass. */
  get #most(): number {
    return Math.max(1, this.limit * this.share);
  }

  take(amount: number, nowMs: number): SharedTaken {
    this.#fill(nowMs);
    this.#wanted += amount;
    this.#wantedMs = nowMs;
    const ok = amount <= this.#level + tiny;
    if (ok) this.#level -= amount;
    const missing = ok ? 0 : amount - this.#level;
    // While others hold all of it, it has nothing, and its even share soon.
    const share = this.share > 0 ? this.share : this.#evenShare;
    const resetMs = amount > this.limit ? null : Math.ceil((missing * this.perMs) / (this.limit * share));
    return { ok, left: Math.max(0, Math.floor(this.#level + tiny)), resetMs };
  }

  #fill(nowMs: number): void {
    if (nowMs >= this.#endsMs) this.#become(Math.min(this.share, this.#evenShare));
    const came = ((nowMs - this.#filledMs) * this.limit * this.share) / this.perMs;
    this.#level = Math.min(this.#most, this.#level + Math.max(0, came));
    this.#filledMs = nowMs;
  }

  /** What is in it is its part of what it may be. */
  #become(share: number): void {
    const before = this.#most;
    this.share = share;
    this.#level = (this.#level * this.#most) / before;
    this.#endsMs = Infinity;
  }

  /** null: nobody wanted anything of it for long. */
  ask(nowMs: number): SliceAsk | null {
    if (nowMs - this.#wantedMs > limits.rateSliceMs) return null;
    this.#fill(nowMs);
    const wantedPerSecond = (this.#wanted * 1_000) / Math.max(1, nowMs - this.#askedMs);
    this.#wanted = 0;
    this.#askedMs = nowMs;
    const heldPerSecond = (this.limit * this.share * 1_000) / this.perMs;
    return { wantedPerSecond, sequence: this.#sequence, heldPerSecond };
  }

  given(slice: RateSlice, shareOf: (perSecond: number) => number, askedMs: number, nowMs: number): void {
    if (slice.sequence <= this.#sequence) return;
    this.#fill(nowMs);
    this.#sequence = slice.sequence;
    this.#evenShare = shareOf(slice.evenPerSecond);
    this.#become(shareOf(slice.perSecond));
    this.#endsMs = askedMs + slice.forMs;
  }
}

/** What is lost when numbers are divided. */
const tiny = 1e-6;
