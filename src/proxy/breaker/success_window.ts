/**
 * How many of the answers of the last seconds were successes: a ring of buckets, so that the share is exact up to the width
 * of one bucket and what is old goes by itself. Adding costs a few assignments; nothing is allocated after creation.
 */
import { SharedRow } from "../../base/shared_row.ts";

const buckets = 10;
/** Places of its numbers: the bucket under way, then answers and successes by bucket. */
const answersAt = 1;
const successesAt = answersAt + buckets;

/** Numbers of one. */
export const windowNumbers = successesAt + buckets;

export class SuccessWindow {
  readonly #bucketMs: number;

  /** Its numbers are those of the row from `first` on, its own alone and zero in the beginning. */
  constructor(
    windowMs: number,
    private readonly row = SharedRow.own(windowNumbers),
    private readonly first = 0,
  ) {
    this.#bucketMs = windowMs / buckets;
  }

  /** Within the window, as of the last call that was told the time; so are `successes`. */
  get answers(): number {
    return this.#sum(answersAt);
  }

  get successes(): number {
    return this.#sum(successesAt);
  }

  add(success: boolean, nowMs: number): void {
    this.turn(nowMs);
    const { first } = this;
    const { numbers } = this.row;
    const at = first + ((numbers[first] as number) % buckets);
    (numbers[at + answersAt] as number)++;
    if (success) (numbers[at + successesAt] as number)++;
  }

  /** Lets go of what is older than the window. */
  turn(nowMs: number): void {
    const { first } = this;
    const { numbers } = this.row;
    const now = Math.floor(nowMs / this.#bucketMs);
    const passed = Math.min(buckets, now - (numbers[first] as number));
    for (let step = 0; step < passed; step++) this.#forget((now - step) % buckets);
    if (passed > 0) numbers[first] = now;
  }

  clear(): void {
    for (let at = 0; at < buckets; at++) this.#forget(at);
  }

  #forget(at: number): void {
    const { numbers } = this.row;
    numbers[this.first + answersAt + at] = 0;
    numbers[this.first + successesAt + at] = 0;
  }

  #sum(place: number): number {
    const { numbers } = this.row;
    const from = this.first + place;
    let sum = 0;
    for (let at = from; at < from + buckets; at++) sum += numbers[at] as number;
    return sum;
  }
}
