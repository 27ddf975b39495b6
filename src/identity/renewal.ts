/**
 * When to renew: at half of the shortest life, with jitter; after a failure soon, with growing and jittered pauses, for
 * ever (identity rules R1, R2, R6). Renewing itself is the caller's.
 */
import { problemOf } from "../base/result.ts";
import type { Clock, Random, Timer } from "../../runtime/contract.ts";
import { Backoff } from "../base/backoff.ts";
import { limits } from "../model/limits.ts";

export interface Life {
  readonly issuedMs: number;
  readonly notAfterMs: number;
}

export interface RenewalOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Of the credential that ends first; null when there is none: renew at once. */
  readonly life: () => Life | null;
  readonly renew: () => Promise<void>;
  /** Told after each attempt: null when it worked. */
  readonly attempted: (problem: string | null) => void;
}

export class Renewal {
  readonly #backoff: Backoff;
  #timer: Timer | null = null;
  /** The life that the due time was drawn for. */
  #drawn: { readonly life: Life; readonly dueMs: number } | null = null;
  #renewing = false;
  #wanted = false;
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

  /** Renews now, due or not: the roots changed, or a service was added. During a renewal: right after it. */
  soon(): void {
    this.#wanted = true;
    if (this.#renewing || this.#closed) return;
    this.#timer?.cancel();
    void this.#attempt();
  }

  #plan(): void {
    if (this.#closed) return;
    // Long waits are cut into pieces, so that a clock that jumps is noticed.
    const delayMs = this.#failed ? this.#backoff.nextMs() : Math.min(this.#leftMs(), limits.renewLookMs);
    this.#timer = this.options.clock.after(
      delayMs,
      () => {
        if (this.#failed || this.#leftMs() === 0) void this.#attempt();
        else this.#plan();
      },
      true,
    );
  }

  /** Until the renewal is due; 0 when it is. */
  #leftMs(): number {
    const { clock, random, life } = this.options;
    const now = life();
    if (now === null) return 0;
    if (this.#drawn?.life.issuedMs !== now.issuedMs || this.#drawn.life.notAfterMs !== now.notAfterMs)
      this.#drawn = { life: now, dueMs: dueMs(now, random.unit()) };
    return Math.max(0, this.#drawn.dueMs - clock.wallMs());
  }

  async #attempt(): Promise<void> {
    this.#renewing = true;
    this.#wanted = false;
    let problem: string | null = null;
    try {
      await this.options.renew();
    } catch (error) {
      problem = problemOf(error);
    }
    // One that brought nothing newer is no success either: the next comes after a pause.
    this.#failed = problem !== null || this.#leftMs() === 0;
    if (!this.#failed) this.#backoff.reset();
    this.#renewing = false;
    if (this.#closed) return;
    this.options.attempted(problem);
    if (this.#wanted && !this.#failed) return void this.#attempt();
    this.#plan();
  }
}

/** Half of the life, give or take a tenth of that. */
function dueMs(life: Life, unit: number): number {
  const lengthMs = life.notAfterMs - life.issuedMs;
  const jitter = 1 + (2 * unit - 1) * limits.renewJitterRatio;
  return life.issuedMs + lengthMs * limits.renewAtRatio * jitter;
}
