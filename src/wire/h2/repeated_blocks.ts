/**
 * Header blocks of a connection that begin like one before them. As long as no table changes, equal bytes mean equal fields, and
 * clients and apps mostly repeat themselves: what has come twice is compared instead of decoded, and only the rest is read.
 */
import { copyBytes, sameBytes } from "../../base/bytes.ts";
import type { BlockKind, BlockState } from "./head_block.ts";

interface Beginning {
  readonly coded: Uint8Array;
  readonly state: BlockState;
  /** The changes of the table when it was learned. */
  readonly changes: number;
}

/** Kinds of requests that a client sends in turn. */
const beginningsMax = 4;
const codedBytesMax = 512;
/** Less is quicker read than compared. */
const codedBytesMin = 4;
/** After so many blocks that were known in part, one is read whole: it may have more in common with the one before by now. */
const lookAgainAfter = 32;
const pauseMax = 1_024;

export class RepeatedBlocks {
  #known: Beginning[] = [];
  #next = 0;
  /** The last block that was read to learn from. */
  #last: Uint8Array | null = null;
  #lastLength = 0;
  /** Blocks to pass before the next one is learned from; grows while learning does not pay. */
  #pause = 0;
  #pauseLength = 1;
  #useful = 0;
  #partly = 0;

  /** How the block begins, if that is known. */
  find(source: Uint8Array, start: number, end: number, kind: BlockKind, changes: number): Beginning | null {
    const length = end - start;
    const known = this.#known;
    for (let at = 0; at < known.length; at++) {
      const each = known[at] as Beginning;
      const { coded } = each;
      if (each.changes !== changes || coded.length > length || each.state.kind !== kind) continue;
      if (!isSame(coded, source, start)) continue;
      if (coded.length < length && ++this.#partly >= lookAgainAfter) {
        this.#partly = 0;
        return null;
      }
      this.#useful++;
      return each;
    }
    return null;
  }

  /** Whether the block that is to be read now should be learned from. */
  wantsToLearn(length: number): boolean {
    if (length > codedBytesMax) return false;
    if (this.#pause === 0) return true;
    this.#pause--;
    return false;
  }

  /** How many bytes of the block stand at the beginning of the last one that was learned from. Keeps it as the last one. */
  compare(source: Uint8Array, start: number, end: number): number {
    const length = end - start;
    const last = (this.#last ??= new Uint8Array(codedBytesMax));
    const most = Math.min(length, this.#lastLength);
    let same = 0;
    while (same < most && last[same] === source[start + same]) same++;
    copyBytes(last, 0, source, start, end);
    this.#lastLength = length;
    return same;
  }

  /** Nothing was to be learned from the last block, or it cannot be believed. */
  forgetLast(): void {
    this.#lastLength = 0;
  }

  /** From now on blocks that begin with these bytes begin like this. */
  learn(source: Uint8Array, start: number, end: number, state: BlockState, changes: number): void {
    if (end - start < codedBytesMin) return;
    const coded = source.slice(start, end);
    // What was learned before was of little use: look less often.
    this.#pauseLength = this.#useful < 2 * beginningsMax ? Math.min(pauseMax, this.#pauseLength * 2) : 1;
    this.#pause = this.#known.length < beginningsMax ? 0 : this.#pauseLength;
    this.#useful = 0;
    this.#known[this.#next] = { coded, state, changes };
    this.#next = (this.#next + 1) % beginningsMax;
  }
}

/** A call costs more than a short comparison. */
const shortBytes = 24;

function isSame(coded: Uint8Array, source: Uint8Array, start: number): boolean {
  const { length } = coded;
  if (length > shortBytes) return sameBytes(coded, source, start, length);
  for (let at = 0; at < length; at++) if (coded[at] !== source[start + at]) return false;
  return true;
}
