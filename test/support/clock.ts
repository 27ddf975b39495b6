/** A clock that goes only where a test moves it. Timers fire in order; what they cause is awaited in between. */
import type { Clock, Timer } from "../../runtime/contract.ts";

interface Pending {
  readonly atMs: number;
  readonly call: () => void;
}

export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #pending: Pending[] = [];

  #wallStartMs: number;

  constructor(wallStartMs = Date.UTC(2030, 0, 1)) {
    this.#wallStartMs = wallStartMs;
  }

  now(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallStartMs + this.#nowMs;
  }

  /** Sets the wall clock forward; no timer hears of it. */
  jump(ms: number): void {
    this.#wallStartMs += ms;
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.#pending.length;
  }

  after(delayMs: number, call: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, call };
    this.#pending.push(timer);
    return { cancel: () => this.#drop(timer) };
  }

  soon(call: () => void): void {
    this.after(0, call);
  }

  microtask(call: () => void): void {
    queueMicrotask(call);
  }

  /** Time passes in which nothing runs: timers that became due are late. */
  stall(ms: number): void {
    this.#nowMs += ms;
  }

  async advance(ms: number): Promise<void> {
    const until = this.#nowMs + ms;
    await settled();
    while (this.#fire(until)) await settled();
    this.#nowMs = until;
  }

  /** The same where nothing is awaited. */
  step(ms: number): void {
    const until = this.#nowMs + ms;
    while (this.#fire(until));
    this.#nowMs = until;
  }

  /** Fires the next timer up to then, if there is one. */
  #fire(until: number): boolean {
    let next: Pending | undefined;
    // Of those that are due together, the one that was set first.
    for (const each of this.#pending) if (next === undefined || each.atMs < next.atMs) next = each;
    if (next === undefined || next.atMs > until) return false;
    this.#drop(next);
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.call();
    return true;
  }

  #drop(timer: Pending): void {
    const at = this.#pending.indexOf(timer);
    if (at >= 0) this.#pending.splice(at, 1);
  }
}

/** The event loop turns by itself, and no time passes in it: a machine may be as slow as it likes. */
export class HeldClock extends ManualClock {
  override soon(call: () => void): void {
    setImmediate(call);
  }
}

/** Lets promises that are settled already run their course. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
