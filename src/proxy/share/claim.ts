/** What one client holds of what a gate gives out, and who waits on its behalf; those of one caller make a group. */
import type { Held } from "../../base/name_tallies.ts";

/** So many places are held. */
class Holding {
  /** In this loop. */
  taken = 0;
  inLine = false;

  constructor(
    /** The same in all loops; null: nobody else could hold any. */
    private readonly everywhere: Held | null = null,
  ) {}

  get held(): number {
    return this.everywhere === null ? this.taken : this.everywhere.total;
  }

  hold(change: number): void {
    this.taken += change;
    this.everywhere?.add(change);
  }
}

export class ClaimGroup<W> extends Holding {
  waiting = 0;
  /** Claims on whose behalf somebody waits, in the order of their turns. */
  readonly line: Claim<W>[] = [];
}

export class Claim<W> extends Holding {
  /** In the order in which they came. */
  readonly waiters = new Set<W>();

  constructor(
    readonly group: ClaimGroup<W>,
    everywhere: Held | null = null,
  ) {
    super(everywhere);
  }

  get idle(): boolean {
    return this.taken === 0 && this.waiters.size === 0;
  }
}
