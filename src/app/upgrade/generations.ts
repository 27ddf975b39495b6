/** Processes of this mode from which others took over, and that still let what they have open finish: so many and no more. */
import type { Runtime } from "../../../runtime/contract.ts";
import { UserError } from "../../base/user_error.ts";
import { limits } from "../../model/limits.ts";

// From the Linux headers: SIGTERM.
const terminate = 15;

export class Generations {
  /** The oldest first. */
  #draining: readonly number[];

  constructor(
    readonly runtime: Pick<Runtime, "process" | "native" | "clock">,
    draining: readonly number[],
  ) {
    this.#draining = draining;
  }

  /** Those that drain, and this one, which will. */
  with(pid: number): readonly number[] {
    return [...this.#living(), pid];
  }

  /** One more may drain. Where too many do, the oldest has so long, milliseconds, and is ended then; null: this throws at once. */
  async makeRoom(cutAfterMs: number | null): Promise<void> {
    const { clock } = this.runtime;
    const untilMs = clock.now() + (cutAfterMs ?? 0);
    for (;;) {
      const living = this.#living();
      if (living.length < limits.drainingGenerationsMax) return;
      const leftMs = untilMs - clock.now();
      if (cutAfterMs === null)
        throw new UserError(
          `${living.length} processes from which others took over still let what they have open finish; wait until one has ended (the oldest is ${living[0]}), or say --cut-after 1m, which gives it a minute more`,
        );
      if (leftMs <= 0) this.#end(living[0] as number);
      await new Promise<void>((done) => {
        clock.after(Math.min(limits.upgradeLookMs, Math.max(leftMs, limits.managerFullMs)), done);
      });
    }
  }

  #living(): readonly number[] {
    this.#draining = this.#draining.filter((pid) => this.runtime.process.residentBytesOf(pid) !== null);
    return this.#draining;
  }

  #end(pid: number): void {
    const { kill } = this.runtime.native.library("libc.so.6", {
      kill: { args: ["i32", "i32"], returns: "i32" },
    });
    kill(pid, terminate);
  }
}
