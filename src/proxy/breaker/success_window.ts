/**
 * How many of the answers of the last seconds were successes: a ring of buckets, so that the share is exact up to the width
 * of one bucket and what is old goes by itself. Adding costs a few assignments; nothing is allocated after creation.
 */

const buckets = 10;
/** Places of its numbers: the bucket under way, then answers and successes by bucket. */
const answersAt = 1;
const successesAt = answersAt + buckets;

/** Numbers of one. */
export const windowNumbers = successesAt + buckets;

export class SuccessWindow {
  readonly #bucketMs: number;

  /** `numbers`: its own alone, zero in the beginning. */
  constructor(
    windowMs: number,
    private readonly numbers: Float64Array = new Float64Array(windowNumbers),
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
    const { numbers } = this;
    const at = (numbers[0] as number) % buckets;
    (numbers[answersAt + at] as number)++;
    if (success) (numbers[successesAt + at] as number)++;
  }

  /** Lets go of what is older than the window. */
  turn(nowMs: number): void {
    const { numbers } = this;
    const now = Math.floor(nowMs / this.#bucketMs);
    const passed = Math.min(buckets, now - (numbers[0] as number));
    for (let step = 0; step < passed; step++) this.#forget((now - step) % buckets);
    if (passed > 0) numbers[0] = now;
  }

  clear(): void {
    for (let at = 0; at < buckets; at++) this.#forget(at);
  }

  #forget(at: number): void {
    this.numbers[answersAt + at] = 0;
    this.numbers[successesAt + at] = 0;
  }

  #sum(first: number): number {
    let sum = 0;
    for (let at = first; at < first + buckets; at++) sum += this.numbers[at] as number;
    return sum;
  }
}
