/**
 * Some numbers that several event loops of one machine may have in common: in memory of one loop, or in memory that they share. What
 * is made of them is the same in each loop, because each reads and writes the numbers themselves. They are zero in the beginning.
 *
 * Whoever changes several numbers together, or one by what it was, stands between `enter` and `leave`. That takes nanoseconds and
 * never waits for anything; so a loop that does not get in after `spinsMax` looks goes on without: the one inside ended or was put to
 * sleep by the system, and what is lost at worst is one count.
 */
export class SharedRow {
  constructor(
    readonly numbers: Float64Array,
    /** One number that is 1 while somebody is inside; null: nobody else has this row. */
    private readonly lock: Int32Array | null,
    private readonly spinsMax: number,
    /** This loop uses it no more. */
    readonly release: () => void = () => {},
  ) {}

  /** Of this loop alone. */
  static own(count: number): SharedRow {
    return new SharedRow(new Float64Array(count), null, 0);
  }

  enter(): void {
    const { lock, spinsMax } = this;
    if (lock === null) return;
    for (let spins = 0; spins < spinsMax; spins++) if (Atomics.compareExchange(lock, 0, 0, 1) === 0) return;
  }

  leave(): void {
    if (this.lock !== null) Atomics.store(this.lock, 0, 0);
  }
}
