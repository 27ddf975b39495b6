/**
 * Where in a ring of records those of one trace are: found without a look at the others, however many there are. A failed request
 * asks for the rest of its trace, so in a storm of failures each of them does.
 */
import { last32Bits } from "../base/bytes.ts";

/** None. */
const nowhere = -1;

export class TraceIndex {
  /** The newest record of each bucket, and the one before it of each record, by their count since the start. */
  readonly #newest: Float64Array;
  readonly #before: Float64Array;
  /** Of the trace of each its last 32 bits: what tells most of a bucket apart without a look at the text. */
  readonly #tails: Uint32Array;
  readonly #mask: number;

  /** `size`: of the ring. */
  constructor(readonly size: number) {
    const buckets = 2 ** Math.ceil(Math.log2(Math.max(2, size)));
    this.#mask = buckets - 1;
    this.#newest = new Float64Array(buckets).fill(nowhere);
    this.#before = new Float64Array(size);
    this.#tails = new Uint32Array(size);
  }

  /** The record that is the `count`th since the start, from 0. */
  add(count: number, traceId: string): void {
    const tail = last32Bits(traceId);
    const slot = count % this.size;
    const bucket = tail & this.#mask;
    this.#tails[slot] = tail;
    this.#before[slot] = this.#newest[bucket] as number;
    this.#newest[bucket] = count;
  }

  /** Counts of the records that may be of the trace, the oldest first; `oldest`: what is before it is forgotten. */
  find(traceId: string, oldest: number): number[] {
    const tail = last32Bits(traceId);
    const found: number[] = [];
    for (
      let count = this.#newest[tail & this.#mask] as number;
      count >= oldest;
      count = this.#before[count % this.size] as number
    )
      if (this.#tails[count % this.size] === tail) found.push(count);
    return found.reverse();
  }
}
