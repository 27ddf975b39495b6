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
  /** Whether the answer was no: asking again soon brings nothing. Default: never. */
  readonly refused?: (error: unknown) => boolean;
  /** Told after each attempt: null when it worked. */
  readonly attempted: (problem: string | null) => void;
}

export class Renewal {
  readonly #backoff: Backoff;
  readonly #endedBackoff: Backoff;
  #timer: Timer | null = null;
  /** The life that the due time was drawn for. */
  #drawn: { readonly life: Life; readonly dueMs: number } | null = null;
  #renewing = false;
  #wanted = false;
  #failed = false;
  #refused = false;
  #closed = false;

  constructor(readonly options: RenewalOptions) {
    const backoff = (maxMs: number): Backoff =>
      new Backoff({ firstMs: limits.renewRetryMs, maxMs, unit: () => options.random.unit() });
    this.#backoff = backoff(limits.renewRetryMaxMs);
    this.#endedBackoff = backoff(limits.renewEndedRetryMaxMs);
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
    const delayMs = this.#failed ? this.#pauseMs() : Math.min(this.#leftMs(), limits.renewLookMs);
    this.#timer = this.options.clock.after(
      delayMs,
      () => {
        if (this.#failed || this.#leftMs() === 0) void this.#attempt();
        else this.#plan();
      },
      true,
    );
  }

  /** After a failure. Without a certificate that is alive there is no traffic: whoever waits for the control plane does not wait long after it. */
  #pauseMs(): number {
    const { life, clock } = this.options;
    const ended = (life()?.notAfterMs ?? 0) <= clock.wallMs();
    return (ended && !this.#refused ? this.#endedBackoff : this.#backoff).nextMs();
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
    this.#refused = false;
    let problem: string | null = null;
    try {
      await this.options.renew();
    } catch (error) {
      problem = problemOf(error);
      this.#refused = this.options.refused?.(error) ?? false;
    }
    // One that brought nothing newer is no success either: the next comes after a pause.
    this.#failed = problem !== null || this.#leftMs() === 0;
    if (!this.#failed) for (const each of [this.#backoff, this.#endedBackoff]) each.reset();
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
