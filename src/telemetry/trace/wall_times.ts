/**
 * When something was by the wall clock, told from when it was by the clock that never jumps. Spans of one proxy so stand to one another
 * as they were, to the fraction of a millisecond; the wall clock, which costs more, is read now and then, and a jump of it is followed
 * that late.
 */
import type { Clock } from "../../../runtime/contract.ts";
import { limits } from "../../model/limits.ts";

export class WallTimes {
  #offsetMs = 0;
  /** When the wall clock was read, by the other one. */
  #readMs = -Infinity;

  constructor(readonly clock: Pick<Clock, "now" | "wallMs">) {}

  /** Milliseconds since 1970, with their fraction, of a time of `Clock.now()`. */
  at(monotonicMs: number): number {
    if (monotonicMs - this.#readMs >= limits.wallClockReadMs) {
      this.#readMs = this.clock.now();
      this.#offsetMs = this.clock.wallMs() - this.#readMs;
    }
    return this.#offsetMs + monotonicMs;
  }
}
