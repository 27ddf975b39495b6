/**
 * How many of something are held for each of very many names by several event loops together, in memory that is bounded whatever names
 * come: each name counts on two tallies of a few, by its hash, and the smaller one of them says how many it has. That is never too
 * small; it is too much only where another name shares the first with it, and another the second.
 */
import { hashText } from "./hash.ts";
import type { Tally } from "./tally.ts";

/** What is held for one thing, by all loops. */
export interface Held {
  readonly total: number;
  add(change: number): void;
}

export class NameTallies {
  constructor(private readonly tallies: readonly Tally[]) {}

  of(name: string): Held {
    const first = this.#at(name, 0);
    const second = this.#at(name, 1);
    return first === second ? first : new LesserOf(first, second);
  }

  release(): void {
    for (const each of this.tallies) each.release();
  }

  #at(name: string, seed: number): Tally {
    return this.tallies[hashText(name, seed) % this.tallies.length] as Tally;
  }
}

class LesserOf implements Held {
  constructor(
    private readonly one: Tally,
    private readonly other: Tally,
  ) {}

  get total(): number {
    return Math.min(this.one.total, this.other.total);
  }

  add(change: number): void {
    this.one.add(change);
    this.other.add(change);
  }
}
