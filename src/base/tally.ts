/**
 * How many of something are held now by several event loops of one machine together. Each writes its own number alone, and reads all:
 * so what a loop held that ended can be taken off again.
 */
export class Tally {
  constructor(
    /** One for each loop. */
    private readonly numbers: Float64Array,
    private readonly own: number,
    /** This loop uses it no more. */
    readonly release: () => void = () => {},
  ) {}

  /** Of this loop alone. */
  static own(): Tally {
    return new Tally(new Float64Array(1), 0);
  }

  /** Whether other loops have it too. */
  get isShared(): boolean {
    return this.numbers.length > 1;
  }

  /** Held by this loop. */
  get mine(): number {
    return this.numbers[this.own] as number;
  }

  /** Held by all. */
  get total(): number {
    const { numbers } = this;
    let sum = numbers[0] as number;
    for (let loop = 1; loop < numbers.length; loop++) sum += numbers[loop] as number;
    return sum;
  }

  add(change: number): void {
    (this.numbers[this.own] as number) += change;
  }
}
