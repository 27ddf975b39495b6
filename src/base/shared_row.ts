/**
 * Some numbers that several event loops of one machine may have in common: in memory of one loop, or in memory that they share. What
 * is made of them is the same in each loop, because each reads and writes the numbers themselves. They are zero in the beginning.
 *
 * Whoever changes several numbers together, or one by what it was, stands between `enter` and `leave`. That takes nanoseconds and
 * never waits for anything; so a loop that does not get in after `spinsMax` looks goes on without: the one inside ended or was put to
 * sleep by the system, and what is lost at worst is one count.
 */
export class SharedRow {
  #numbers: Float64Array;
  #lock: Int32Array | null;

  constructor(
    numbers: Float64Array,
    /** One number that is 1 while somebody is inside; null: nobody else has this row. */
    lock: Int32Array | null,
    private readonly spinsMax: number,
    private readonly released: () => void = () => {},
  ) {
    this.#numbers = numbers;
    this.#lock = lock;
  }

  /** To be asked for anew in each turn: once it is released they are others. */
  get numbers(): Float64Array {
    return this.#numbers;
  }

  /** Of this loop alone. */
  static own(count: number): SharedRow {
    return new SharedRow(new Float64Array(count), null, 0);
  }

  enter(): void {
    const lock = this.#lock;
    if (lock === null) return;
    for (let spins = 0; spins < this.spinsMax; spins++)
      if (Atomics.compareExchange(lock, 0, 0, 1) === 0) return;
  }

  leave(): void {
    if (this.#lock !== null) Atomics.store(this.#lock, 0, 0);
  }

  /**
   * This loop shares it no more. What still goes by it here, such as an answer that is under way, has the numbers as they are now, and
   * writes none that another name may have by then.
   */
  release(): void {
    if (this.#lock === null) return;
    this.#lock = null;
    this.#numbers = this.#numbers.slice();
    this.released();
  }
}
