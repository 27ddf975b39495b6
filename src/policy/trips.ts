/** Counts failures within a sliding window: so many are an accident, one more is a fault. */
export class Trips {
  #timesMs: number[] = [];

  constructor(
    private readonly max: number,
    private readonly windowMs: number,
  ) {}

  /** Notes one; true when the window holds as many as are too many. */
  add(nowMs: number): boolean {
    this.#timesMs = this.#timesMs.filter((timeMs) => nowMs - timeMs < this.windowMs);
    this.#timesMs.push(nowMs);
    return this.#timesMs.length >= this.max;
  }
}
