/**
 * When to renew: at half of the shortest life, with jitter; after a failure soon, with growing and jittered pauses, for
 * ever (identity rules R1, R2, R6). Renewing itself is the caller's.
 */
import type { Clock, Random, Timer } from "../../runtime/contract.ts";
import { Backoff } from "../base/backoff.ts";
import { limits } from "../model/limits.ts";

export interface RenewalOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Start and end of the credential that ends first; null when there is none: renew at once. */
  readonly life: () => { readonly issuedMs: number; readonly notAfterMs: number } | null;
  readonly renew: () => Promise<void>;
  /** Told after each attempt: null when it worked. */
  readonly attempted: (problem: string | null) => void;
}

export class Renewal {
  #timer: Timer | null = null;
  readonly #backoff: Backoff;
  #failed = false;
  #closed = false;

  constructor(readonly options: RenewalOptions) {
    this.#backoff = new Backoff({
      firstMs: limits.renewRetryMs,
      maxMs: limits.renewRetryMaxMs,
      unit: () => options.random.unit(),
    });
    this.#plan();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  /** Renews as soon as possible: the roots changed, or a service was added. */
  soon(): void {
    this.#timer?.cancel();
    void this.#attempt();
  }

  #plan(): void {
    if (this.#closed) return;
    this.#timer = this.options.clock.after(this.#delayMs(), () => void this.#attempt(), true);
  }

  #delayMs(): number {
    const { clock, random, life } = this.options;
    if (this.#failed) return this.#backoff.nextMs();
    const times = life();
    if (times === null) return 0;
    const lengthMs = times.notAfterMs - times.issuedMs;
    const dueMs = times.issuedMs + lengthMs * (0.5 + (random.unit() - 0.5) * 0.1);
    // Long waits are cut so that a clock that jumps is noticed.
    return Math.min(Math.max(0, dueMs - clock.wallMs()), 3_600_000);
  }

  async #attempt(): Promise<void> {
    const { clock, life } = this.options;
    const times = life();
    const due =
      times === null ||
      this.#failed ||
      clock.wallMs() >= times.issuedMs + (times.notAfterMs - times.issuedMs) * 0.44;
    if (due && !this.#closed) {
      try {
        await this.options.renew();
        this.#failed = false;
        this.#backoff.reset();
        this.options.attempted(null);
      } catch (error) {
        this.#failed = true;
        this.options.attempted(error instanceof Error ? error.message : String(error));
      }
    }
    this.#plan();
  }
}
