/**
 * How many of the answers of the last seconds were successes: a ring of buckets, so that the share is exact up to the width
 * of one bucket and what is old goes by itself. Adding costs a few assignments; nothing is allocated after creation.
 */

const buckets = 10;

export class SuccessWindow {
  readonly #answers = new Float64Array(buckets);
  readonly #successes = new Float64Array(buckets);
  readonly #bucketMs: number;
  #bucket = 0;
  /** Answers and successes within the window, as of the last call that was told the time. */
  answers = 0;
  successes = 0;

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / buckets;
  }

  add(success: boolean, nowMs: number): void {
    this.turn(nowMs);
    const at = this.#bucket % buckets;
    this.#answers[at] = (this.#answers[at] as number) + 1;
    this.answers++;
    if (!success) return;
    this.#successes[at] = (this.#successes[at] as number) + 1;
    this.successes++;
  }

  /** Lets go of what is older than the window. */
  turn(nowMs: number): void {
    const now = Math.floor(nowMs / this.#bucketMs);
    const passed = Math.min(buckets, now - this.#bucket);
    for (let step = 0; step < passed; step++) this.#forget((now - step) % buckets);
    if (passed > 0) this.#bucket = now;
  }

  clear(): void {
    for (let at = 0; at < buckets; at++) this.#forget(at);
  }

  #forget(at: number): void {
    this.answers -= this.#answers[at] as number;
    this.successes -= this.#successes[at] as number;
    this.#answers[at] = 0;
    this.#successes[at] = 0;
  }
}
