/**
 * Literals that peers send again and again although they have them indexed (nginx does): known by their coded bytes, so that
 * they are decoded once. What a literal means depends on its bytes alone, as long as its name is no entry of a dynamic table.
 */
import { copyBytes } from "../../base/bytes.ts";
import type { FieldLine } from "./field_line.ts";

const slots = 512;
const codedBytesMax = 160;

interface Known {
  readonly coded: Uint8Array;
  readonly line: FieldLine;
}

/** Bounded: one literal per slot, and only what came twice in a row there. */
export class LiteralCache {
  readonly #known: (Known | null)[] = new Array<Known | null>(slots).fill(null);
  /** Hash of the last literal of each slot. */
  readonly #seen = new Int32Array(slots);
  #hash = 0;

  /** The line of the literal `source[start, end)`; null when it is not known. */
  find(source: Uint8Array, start: number, end: number): FieldLine | null {
    const length = end - start;
    if (length > codedBytesMax) return null;
    let hash = length;
    for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (source[at] as number)) | 0;
    this.#hash = hash;
    const known = this.#known[slotOf(hash)];
    return known !== null && known !== undefined && isSame(known.coded, source, start, length)
      ? known.line
      : null;
  }

  /** Right after a `find` in vain: what it was. */
  keep(source: Uint8Array, start: number, end: number, line: FieldLine): void {
    if (end - start > codedBytesMax) return;
    const slot = slotOf(this.#hash);
    if (this.#seen[slot] !== this.#hash) {
      this.#seen[slot] = this.#hash;
      return;
    }
    const coded = new Uint8Array(end - start);
    copyBytes(coded, 0, source, start, end);
    this.#known[slot] = { coded, line };
  }
}

function slotOf(hash: number): number {
  return (hash ^ (hash >>> 9) ^ (hash >>> 18)) & (slots - 1);
}

function isSame(coded: Uint8Array, source: Uint8Array, start: number, length: number): boolean {
  if (coded.length !== length) return false;
  for (let at = 0; at < length; at++) if (coded[at] !== source[start + at]) return false;
  return true;
}
