/** How late the event loop was of late, without the worst time: one that comes alone (a collection of garbage) is no overload. */

const kept = 10;

export class RecentDelays {
  readonly #last = new Float64Array(kept);
  #at = 0;

  add(ms: number): void {
    this.#last[this.#at++ % kept] = ms;
  }

  /** The second highest of the last ten, in milliseconds. */
  get high(): number {
    let highest = 0;
    let second = 0;
    for (const ms of this.#last) {
      if (ms > highest) [highest, second] = [ms, highest];
      else if (ms > second) second = ms;
    }
    return second;
  }
}
