/** How many of something are open in all event loops of this machine, by key; what has none in this one takes no room in it. */
import { ownNumbers, type SharedNumbers } from "../../base/shared_numbers.ts";
import type { Tally } from "../../base/tally.ts";

export class OpenCounts {
  readonly #counts = new Map<string, Tally>();
  readonly #all: Tally;

  /** `name`: what is counted. */
  constructor(
    private readonly numbers: SharedNumbers = ownNumbers,
    private readonly name = "",
  ) {
    this.#all = numbers.tally(name);
  }

  /** In all loops. */
  get total(): number {
    return this.#all.total;
  }

  /** One more, and how many of its key that makes. Pair with `less`. */
  more(key: string): number {
    const known = this.#counts.get(key);
    const tally = known ?? this.numbers.tally(`${this.name} ${key}`);
    if (known === undefined) this.#counts.set(key, tally);
    this.#all.add(1);
    return tally.added(1);
  }

  less(key: string): void {
    this.#all.add(-1);
    const tally = this.#counts.get(key) as Tally;
    tally.add(-1);
    if (tally.mine > 0) return;
    this.#counts.delete(key);
    tally.release();
  }

  /** What it counts with. */
  *shared(): Generator<Tally> {
    yield* this.#counts.values();
    yield this.#all;
  }
}
