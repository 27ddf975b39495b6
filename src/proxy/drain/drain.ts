/**
 * The end of a data plane. Where its successor accepts at the same ports already, it takes nothing new, and what is open goes on in peace.
 * Else, as long as something of it goes on, it goes on taking what is new, because its successor may have to wait
 * for it: only when all that was open is over do its listeners close, and if what came last lasts, they open again.
 */
import type { Clock, Timer } from "../../../runtime/contract.ts";
import { limits } from "../../model/limits.ts";
import type { Listeners } from "../listen/listeners.ts";
import type { Drained } from "./drained.ts";

export interface DrainOptions {
  readonly open: Drained;
  readonly listeners: Pick<Listeners, "close" | "reopen">;
  readonly clock: Clock;
  /** Asked when nothing is open any more: resolves when nobody is refused though nothing listens here. Absent: at once. */
  readonly mayLeave?: () => Promise<void>;
}

export class Drain {
  #looking: Timer | null = null;

  constructor(readonly options: DrainOptions) {}

  /** Until nothing is open any more, or the time is over. The listeners are closed then. */
  async run(deadlineMs: number): Promise<void> {
    const { open, listeners, clock } = this.options;
    const untilMs = clock.now() + deadlineMs;
    this.#look(false);
    for (;;) {
      await this.#gone(untilMs);
      await this.#mayLeave(untilMs);
      listeners.close();
      const closedMs = clock.now();
      if (closedMs >= untilMs) break;
      await this.#pause(Math.min(limits.drainArriveMs, untilMs - closedMs));
      await this.#gone(Math.min(closedMs + limits.drainLateMs, untilMs));
      if (open.size === 0 || clock.now() >= untilMs) break;
      listeners.reopen();
    }
    this.#looking?.cancel();
  }

  /** The same, beside a successor. */
  async cede(deadlineMs: number): Promise<void> {
    const { open, listeners, clock } = this.options;
    const untilMs = clock.now() + deadlineMs;
    listeners.close();
    this.#look(true);
    // By then what they took last is known.
    await this.#pause(Math.min(limits.drainArriveMs, deadlineMs));
    do await this.#gone(untilMs);
    while (open.size > 0 && clock.now() < untilMs);
    this.#looking?.cancel();
  }

  /** All that is open now is over, or it is so late. */
  #gone(untilMs: number): Promise<void> {
    const { open, clock } = this.options;
    const leftMs = untilMs - clock.now();
    if (leftMs <= 0) return Promise.resolve();
    return new Promise((done) => {
      const timer = clock.after(leftMs, done);
      open.whenGone(() => {
        timer.cancel();
        done();
      });
    });
  }

  async #mayLeave(untilMs: number): Promise<void> {
    const { mayLeave, clock } = this.options;
    const leftMs = untilMs - clock.now();
    if (mayLeave !== undefined && leftMs > 0) await Promise.race([mayLeave(), this.#pause(leftMs)]);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((done) => void this.options.clock.after(ms, done));
  }

  /** Now and then: what came meanwhile is told to go elsewhere too. */
  #look(softly: boolean): void {
    this.options.open.retire(softly);
    this.#looking = this.options.clock.after(limits.drainLookMs, () => this.#look(softly));
  }
}
