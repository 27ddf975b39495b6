/** Random ids of traces and spans, in hexadecimal digits. Digits are made many at a time: to make them for each would cost more. */
import type { Random } from "../../../runtime/contract.ts";

const poolBytes = 4_096;
const noTrace = "0".repeat(32);
const noSpan = "0".repeat(16);

export class TraceIds {
  #pool = "";
  #at = 0;

  constructor(readonly random: Random) {}

  /** 32 digits, never all zero. */
  trace(): string {
    return this.#digits(noTrace);
  }

  /** 16 digits, never all zero. */
  span(): string {
    return this.#digits(noSpan);
  }

  /** As many as `zero` has, and not that. */
  #digits(zero: string): string {
    for (;;) {
      if (this.#at + zero.length > this.#pool.length) {
        this.#pool = this.random.bytes(poolBytes).toHex();
        this.#at = 0;
      }
      const digits = this.#pool.slice(this.#at, this.#at + zero.length);
      this.#at += zero.length;
      if (digits !== zero) return digits;
    }
  }
}
