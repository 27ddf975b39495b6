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
  /**
   * `take`: only where there is so much. `add`: it was used already, and is counted whether there is so much or not. `reserve`: as `take`,
   * and what was really used is settled later. Absent: `take`.
   */
  readonly how?: "take" | "add" | "reserve";
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
  /** Of a reservation, for `settle`. Absent: nothing was reserved. */
  readonly id?: string;
}

/** What was used of a reservation. */
export interface SharedSettle {
  readonly id: string;
  readonly used: number;
}

interface Hold {
  /** Of its counter. */
  readonly name: string;
  readonly amount: number;
  /** When what it took has filled again, whatever was used of it. */
  readonly untilMs: number;
}

const settled: SharedTaken = { ok: true, left: 0, resetMs: 0 };

export class SharedCounters {
  readonly #buckets = new Map<string, Bucket>();
  /** Reservations that nobody settled, the oldest first, by whose they are and their id. */
  readonly #holds = new Map<string, Hold>();
  #reserved = 0;
  /** Which part of a counter is this proxy's, as far as it was heard. */
  #evenShare = 1;

  constructor(
    private readonly nowMs: () => number,
    /** Event loops of this proxy, each of which is given a part of its slices. */
    private readonly parts = 1,
  ) {}

  /** `of`: whose counter it is. */
  take(of: string, { how, key, amount, limit, perMs }: SharedTake): SharedTaken {
    const digest = createHash("sha256").update(`${of}\n${key}`).digest("hex").slice(0, 24);
    const name = sharedCounterName(limit, perMs, digest);
    const nowMs = this.nowMs();
    const known = this.#buckets.get(name) ?? new Bucket(limit, perMs, this.#evenShare, nowMs);
    this.#buckets.delete(name);
    this.#buckets.set(name, known);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > limits.policySharedKeysMax && oldest !== undefined) this.#buckets.delete(oldest);
    if (how === "add") return known.add(amount, nowMs);
    const taken = known.take(amount, nowMs);
    if (how !== "reserve" || !taken.ok) return taken;
    return { ...taken, id: this.#hold(of, { name, amount, untilMs: nowMs + perMs }) };
  }

  #hold(of: string, hold: Hold): string {
    const id = String(++this.#reserved);
    this.#holds.set(`${of} ${id}`, hold);
    this.#forget();
    return id;
  }

  /** What is over, or too much, counts as used. */
  #forget(): void {
    const nowMs = this.nowMs();
    for (const [each, { untilMs }] of this.#holds) {
      if (untilMs > nowMs && this.#holds.size <= limits.policySharedHoldsMax) return;
      this.#holds.delete(each);
    }
  }

  /** Reservations that nobody settled yet. */
  get held(): number {
    this.#forget();
    return this.#holds.size;
  }

  /** Of this owner's reservation; one that is not known, or whose time is over, changes nothing. */
  settle(of: string, { id, used }: SharedSettle): SharedTaken {
    const hold = this.#holds.get(`${of} ${id}`);
    if (hold === undefined) return settled;
    this.#holds.delete(`${of} ${id}`);
    const nowMs = this.nowMs();
    // What it took has filled again: to give it back would be to give it twice.
    if (nowMs < hold.untilMs) this.#buckets.get(hold.name)?.settle(hold.amount, used, nowMs);
    return settled;
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
    const resetMs = amount > this.limit ? null : this.#untilMs(ok ? 0 : amount - this.#level);
    return { ok, left: Math.max(0, Math.floor(this.#level + tiny)), resetMs };
  }

  /** It was used: where there was not so much, that much is missing, as much as fills within the time at most. */
  add(amount: number, nowMs: number): SharedTaken {
    const taken = this.take(amount, nowMs);
    if (taken.ok) return taken;
    this.#level = Math.max(-this.#most, this.#level - amount);
    return { ok: false, left: 0, resetMs: this.#untilMs(-this.#level) };
  }

  /** Until so much has filled. While others hold all of it, it has nothing, and its even share soon. */
  #untilMs(missing: number): number {
    const share = this.share > 0 ? this.share : this.#evenShare;
    return Math.ceil((missing * this.perMs) / (this.limit * share));
  }

  /** Of what was taken so much was used. */
  settle(amount: number, used: number, nowMs: number): void {
    this.#fill(nowMs);
    this.#wanted = Math.max(0, this.#wanted + used - amount);
    this.#level = Math.max(-this.#most, Math.min(this.#most, this.#level + amount - used));
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
