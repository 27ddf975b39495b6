/**
 * Counters of one policy under one set of options, kept in its own realm: token buckets, running sums and reservations by the
 * virtual clock. Bundled with every policy. What is kept is bounded: the key that was not touched for longest goes first.
 */
import type { Counter, Duration } from "./sdk.ts";
import type { Reserved, Taken } from "./sdk_calls.ts";

/** What was added in this stretch of time and in the one before. */
interface Sum {
  stretch: number;
  now: number;
  before: number;
}

interface Reservation {
  readonly key: string;
  readonly amount: number;
  readonly limit: number;
  readonly perMs: number;
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

export function msOf(per: Duration): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(per) ?? [];
  const ms = Number(count) * (unitMs[unit ?? ""] ?? Number.NaN);
  if (ms > 0) return ms;
  throw new RangeError(`"${per}" is no duration such as 10s`);
}

function positive(value: number, what: string): number {
  if (value > 0 && value < Infinity) return value;
  throw new RangeError(`The ${what} of a counter is ${value}, not a number above 0`);
}

export class LocalCounter implements Counter {
  /** When each bucket is full again: all arithmetic is in milliseconds, so that nothing adds up that was never taken. */
  readonly #fullMs = new Map<string, number>();
  readonly #sums = new Map<string, Sum>();
  readonly #reservations = new Map<string, Reservation>();
  #reserved = 0;

  constructor(
    private readonly now: () => number,
    private readonly keysMax: number,
  ) {}

  take(key: string, amount: number, limit: number, per: Duration): Taken {
    const perMs = msOf(per);
    const eachMs = perMs / positive(limit, "limit");
    const nowMs = this.now();
    const name = nameOf(key, limit, perMs);
    const fullMs = Math.max(nowMs, this.#fullMs.get(name) ?? nowMs);
    const afterMs = fullMs + positive(amount, "amount") * eachMs;
    const waitMs = afterMs - perMs - nowMs;
    const ok = waitMs <= tinyMs;
    touch(this.#fullMs, name, ok ? afterMs : fullMs, this.keysMax);
    const left = Math.floor((perMs - (ok ? afterMs : fullMs) + nowMs + tinyMs) / eachMs);
    return { ok, left: Math.max(0, left), resetMs: ok ? 0 : amount > limit ? Infinity : Math.ceil(waitMs) };
  }

  add(key: string, amount: number, per: Duration): number {
    const perMs = msOf(per);
    const nowMs = this.now();
    const stretch = Math.floor(nowMs / perMs);
    const name = `${per} ${key}`;
    const kept = this.#sums.get(name) ?? { stretch, now: 0, before: 0 };
    if (kept.stretch !== stretch) {
      kept.before = kept.stretch === stretch - 1 ? kept.now : 0;
      kept.now = 0;
      kept.stretch = stretch;
    }
    kept.now += amount;
    touch(this.#sums, name, kept, this.keysMax);
    return kept.now + kept.before * (1 - (nowMs % perMs) / perMs);
  }

  reserve(key: string, amount: number, limit: number, per: Duration): Reserved {
    if (!this.take(key, amount, limit, per).ok) return { ok: false, id: "" };
    const id = String(++this.#reserved);
    touch(this.#reservations, id, { key, amount, limit, perMs: msOf(per) }, this.keysMax);
    return { ok: true, id };
  }

  settle(id: string, used: number): void {
    const reservation = this.#reservations.get(id);
    if (reservation === undefined || !(used >= 0)) return;
    this.#reservations.delete(id);
    const { key, amount, limit, perMs } = reservation;
    const name = nameOf(key, limit, perMs);
    const fullMs = this.#fullMs.get(name) ?? this.now();
    touch(this.#fullMs, name, fullMs + ((used - amount) * perMs) / limit, this.keysMax);
  }
}

function nameOf(key: string, limit: number, perMs: number): string {
  return `${limit}/${perMs} ${key}`;
}

/** What is lost when milliseconds are divided. */
const tinyMs = 1e-6;

/** Keeps it as the newest. */
function touch<Value>(all: Map<string, Value>, key: string, value: Value, keysMax: number): void {
  all.delete(key);
  all.set(key, value);
  if (all.size <= keysMax) return;
  const [oldest] = all.keys();
  if (oldest !== undefined) all.delete(oldest);
}
