/**
 * How many of something are held now by several event loops of one machine together. Each writes its own number alone, and reads all:
 * so what a loop held that ended can be taken off again.
 */
export class Tally {
  /** What was added here. */
  #held = 0;
  #numbers: Float64Array;
  #own: number;

  constructor(
    /** One for each loop. */
    numbers: Float64Array,
    own: number,
    private readonly released: () => void = () => {},
  ) {
    this.#numbers = numbers;
    this.#own = own;
  }

  /** Of this loop alone. */
  static own(): Tally {
    return new Tally(new Float64Array(1), 0);
  }

  /** Whether other loops have it too. */
  get isShared(): boolean {
    return this.#numbers.length > 1;
  }

  /** Held by this loop. */
  get mine(): number {
    return this.#numbers[this.#own] as number;
  }

  /** Held by all. */
  get total(): number {
    const numbers = this.#numbers;
    let sum = numbers[0] as number;
    for (let loop = 1; loop < numbers.length; loop++) sum += numbers[loop] as number;
    return sum;
  }

  /** The least that another loop has, of those that have any; Infinity: none has. */
  get leastElsewhere(): number {
    let least = Infinity;
    for (let loop = 0; loop < this.#numbers.length; loop++) {
      const number = this.#numbers[loop] as number;
      if (loop !== this.#own && number !== 0 && number < least) least = number;
    }
    return least;
  }

  add(change: number): void {
    (this.#numbers[this.#own] as number) += change;
    this.#held += change;
  }

  /** Adds, and says what all hold with it. Of loops that do so at the same time one at least sees what the others added. */
  added(change: number): number {
    this.add(change);
    if (this.isShared) Atomics.add(fence, 0, 0);
    return this.total;
  }

  /** This loop shares it no more: what it holds counts here alone from now on. */
  release(): void {
    if (!this.isShared) return;
    (this.#numbers[this.#own] as number) -= this.#held;
    this.#numbers = Float64Array.of(this.#held);
    this.#own = 0;
    this.released();
  }
}

/** What is written before an atomic operation is there for others before anything is read behind it: else processors may turn the two round. */
const fence = new Int32Array(1);
