/** Processor time of other threads of this process, also of one that never returns: what the watchdog goes by. */
import type { Native } from "../../runtime/contract.ts";

/** CPUCLOCK_PERTHREAD_MASK and CPUCLOCK_SCHED of linux/posix-timers.h: the low bits of a clock that belongs to one thread. */
const threadScheduled = 4 | 2;
const clockBits = 3;

export class ThreadClock {
  readonly #time = new Uint8Array(16);
  readonly #view = new DataView(this.#time.buffer);
  readonly #read: ((clock: number, time: Uint8Array) => number) | null;

  /** To be made before the seal is closed: the C library has to be found. */
  constructor(native: Native) {
    this.#read = native.available
      ? native.library("libc.so.6", { clock_gettime: { args: ["i32", "buffer"], returns: "i32" } })
          .clock_gettime
      : null;
  }

  /** Milliseconds that the thread with this number of the kernel has run; null when nobody can tell. */
  msOf(thread: number): number | null {
    const clock = (~thread << clockBits) | threadScheduled;
    if (this.#read === null || thread <= 0 || this.#read(clock, this.#time) !== 0) return null;
    const seconds = this.#view.getBigInt64(0, true);
    const nanoseconds = this.#view.getBigInt64(8, true);
    return Number(seconds) * 1_000 + Number(nanoseconds) / 1e6;
  }
}
