/** A timer wheel that the host's clock turns, as long as something stands in it. */
import type { Clock, Timer } from "../../runtime/contract.ts";
import { TimerWheel } from "../base/timer_wheel.ts";
import { limits } from "../model/limits.ts";

/** Whose turns are around what expires. */
export interface Turns {
  /** It stands still during a turn. */
  readonly clock: Clock;
  enter(): void;
  leave(): void;
}

export class TurningWheel {
  readonly wheel: TimerWheel;
  #ticking: Timer | null = null;
  #tickDueMs = 0;
  #putOff = false;

  constructor(
    readonly turns: Turns,
    readonly host: Pick<Clock, "now">,
    readonly tickMs: number,
  ) {
    this.wheel = new TimerWheel(tickMs, () => turns.clock.now());
  }

  tick(): void {
    if (this.#ticking !== null || !this.wheel.busy) return;
    this.#tickDueMs = this.host.now() + this.tickMs;
    this.#ticking = this.turns.clock.after(this.tickMs, this.#turn, true);
  }

  readonly #turn = (): void => {
    this.#ticking = null;
    // After a stall the tick comes before what the sockets have to say: they are heard first, and once.
    const late = this.host.now() - this.#tickDueMs >= limits.timerStallMs;
    this.#putOff = late && !this.#putOff;
    if (!this.#putOff) {
      this.turns.enter();
      this.wheel.advance();
      this.turns.leave();
    }
    this.tick();
  };
}
