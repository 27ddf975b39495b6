/**
 * Whether a policy is asked: so many failures within a window are an accident, one more is a fault and puts it aside. After a
 * wait that grows it is tried with one call: done well, it is back; failed, it is put aside for longer.
 */
import { limits } from "../model/limits.ts";

export class Quarantine {
  #timesMs: number[] = [];
  /** When it may be tried; null while it is not aside. */
  #untilMs: number | null = null;
  #waitMs = 0;
  #backMs = Number.NEGATIVE_INFINITY;
  #trying = false;
  #lastReason = "";

  /** Put aside and not on trial. */
  get closed(): boolean {
    return this.#untilMs !== null && !this.#trying;
  }

  get onTrial(): boolean {
    return this.#trying;
  }

  /** It is aside, and its wait is not over. */
  isAside(nowMs: number): boolean {
    return this.closed && nowMs < (this.#untilMs ?? 0);
  }

  /** How long the present wait is. */
  get waitMs(): number {
    return this.#waitMs;
  }

  /** Failures within the window that did not put it aside. */
  recent(nowMs: number): number {
    this.#timesMs = this.#timesMs.filter((timeMs) => nowMs - timeMs < limits.policyTripWindowMs);
    return this.#timesMs.length;
  }

  /** Why it failed last; "" while it did not. */
  get lastReason(): string {
    return this.#lastReason;
  }

  /** Notes a failure; true when that puts it aside. */
  fail(nowMs: number, reason: string): boolean {
    this.#lastReason = reason;
    if (this.closed) return false;
    if (this.#trying) return this.putAside(nowMs);
    this.recent(nowMs);
    this.#timesMs.push(nowMs);
    return this.#timesMs.length >= limits.policyTripsMax && this.putAside(nowMs);
  }

  /** It cannot be asked at all. True. */
  putAside(nowMs: number): true {
    const again = this.#trying || nowMs - this.#backMs < this.#waitMs;
    this.#waitMs = again
      ? Math.min(this.#waitMs * 2, limits.policyQuarantineMaxMs)
      : limits.policyQuarantineMs;
    this.#untilMs = nowMs + this.#waitMs;
    this.#trying = false;
    this.#timesMs = [];
    return true;
  }

  /** Whether it is time to try it; begins the trial when it is. */
  try(nowMs: number): boolean {
    if (this.#untilMs === null || this.#trying || nowMs < this.#untilMs) return false;
    this.#trying = true;
    return true;
  }

  /** The trial went well. */
  release(nowMs: number): void {
    this.#untilMs = null;
    this.#trying = false;
    this.#backMs = nowMs;
  }
}
