/** How the version of a policy that is in force does while nothing is tried beside it: what a new one is compared with is known before. */
import type { Tally } from "../base/sequential_test.ts";
import { limits } from "../model/limits.ts";

/** How long something takes, by powers of two. */
export class Spread {
  count = 0;
  readonly #below = new Uint32Array(33);

  add(us: number): void {
    const place = 32 - Math.clz32(Math.max(0, Math.round(us)));
    this.#below[place] = (this.#below[place] ?? 0) + 1;
    this.count++;
  }

  /** Microseconds, a power of two: so much or less takes this share of them. */
  edge(share: number): number {
    let left = share * this.count;
    for (const [place, count] of this.#below.entries()) {
      left -= count;
      if (left <= 0) return 2 ** place;
    }
    return 2 ** this.#below.length;
  }
}

export class Usual {
  readonly waits = new Spread();
  readonly costs = new Spread();
  #calls = 0;
  #failed = 0;

  get tally(): Tally {
    return { calls: this.#calls, failed: this.#failed };
  }

  /** What was long ago counts for less and less. */
  count(fails: boolean, us: number): void {
    if (this.#calls >= limits.trialEarlierCallsMax) {
      this.#calls /= 2;
      this.#failed /= 2;
    }
    this.#calls++;
    this.#failed += fails ? 1 : 0;
    this.waits.add(us);
  }
}

/** How often calls of two versions take far longer than those of the version in force usually do. */
export class Slowness {
  now: Tally = { calls: 0, failed: 0 };
  before: Tally = { calls: 0, failed: 0 };
  /** What is taken for long; null: it is not known yet what is usual. */
  us: number | null = null;
  #warming: number = limits.trialWarmCalls;

  constructor(
    private readonly usual: Spread,
    private readonly leastUs: number,
  ) {}

  count(tried: boolean, us: number): void {
    if (this.us === null && this.usual.count >= limits.trialUsualCallsMin)
      this.us = Math.max(this.leastUs, 2 * this.usual.edge(0.95));
    // The code of a version runs slowly until the engine knows it.
    if (tried && this.#warming > 0) this.#warming--;
    else if (this.us !== null && this.#warming === 0) this.#counted(tried, us >= this.us);
    if (!tried) this.usual.add(us);
  }

  #counted(tried: boolean, long: boolean): void {
    const { calls, failed } = tried ? this.now : this.before;
    const more = { calls: calls + 1, failed: failed + (long ? 1 : 0) };
    if (tried) this.now = more;
    else this.before = more;
  }
}
