/** What one client holds of what a gate gives out, and who waits on its behalf; those of one caller make a group. */

export class ClaimGroup<W> {
  taken = 0;
  waiting = 0;
  inLine = false;
  /** Claims on whose behalf somebody waits, in the order of their turns. */
  readonly line: Claim<W>[] = [];
}

export class Claim<W> {
  taken = 0;
  inLine = false;
  /** In the order in which they came. */
  readonly waiters = new Set<W>();

  constructor(readonly group: ClaimGroup<W>) {}

  get idle(): boolean {
    return this.taken === 0 && this.waiters.size === 0;
  }
}
