/**
 * Which beginnings of prompts an endpoint has probably in its cache: those of the prompts that were sent there, as long as they fit.
 * What was not used for longest is forgotten first, of one prompt its end before its beginning, as engines do with their blocks.
 */
import type { PrefixPart } from "./prefix_chain.ts";

export class PrefixIndex {
  /** Bytes of the block that each hash ends, the one that was used last at the end. */
  readonly #blocks = new Map<number, number>();
  #bytes = 0;

  constructor(readonly bytesMax: number) {}

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of the beginnings of these parts that are known. */
  match(parts: readonly PrefixPart[]): number {
    let bytes = 0;
    for (const { hashes, ends } of parts) {
      let known = 0;
      while (known < hashes.length && this.#blocks.has(hashes[known] as number)) known++;
      if (known > 0) bytes += ends[known - 1] as number;
    }
    return bytes;
  }

  /** They were sent there. */
  add(parts: readonly PrefixPart[]): void {
    for (const { hashes, ends } of parts)
      for (let at = hashes.length - 1; at >= 0; at--) {
        const hash = hashes[at] as number;
        const size = (ends[at] as number) - (at === 0 ? 0 : (ends[at - 1] as number));
        if (this.#blocks.delete(hash)) this.#bytes -= size;
        this.#blocks.set(hash, size);
        this.#bytes += size;
      }
    for (const [hash, size] of this.#blocks) {
      if (this.#bytes <= this.bytesMax) return;
      this.#blocks.delete(hash);
      this.#bytes -= size;
    }
  }
}
