/** Random ids of traces and spans, in hexadecimal digits. Random bytes are fetched many at a time: a call for each would cost more. */
import type { Random } from "../../../runtime/contract.ts";

const byteTexts: readonly string[] = Array.from({ length: 256 }, (_, at) => at.toString(16).padStart(2, "0"));
const poolBytes = 4_096;

export class TraceIds {
  #pool: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(readonly random: Random) {}

  /** 32 digits, never all zero. */
  trace(): string {
    return this.#digits(16);
  }

  /** 16 digits, never all zero. */
  span(): string {
    return this.#digits(8);
  }

  #digits(bytes: number): string {
    for (;;) {
      if (this.#at + bytes > this.#pool.length) {
        this.#pool = this.random.bytes(poolBytes);
        this.#at = 0;
      }
      let text = "";
      let seen = 0;
      for (let count = 0; count < bytes; count++) {
        const byte = this.#pool[this.#at++] as number;
        seen |= byte;
        text += byteTexts[byte] as string;
      }
      if (seen !== 0) return text;
    }
  }
}
