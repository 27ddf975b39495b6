/** The keys of a map in order, sorted again only after a key came or went: values change far more often. */
export class SortedKeys {
  #sorted: string[] | null = null;

  constructor(readonly map: ReadonlyMap<string, unknown>) {}

  /** A key came or went. */
  changed(): void {
    this.#sorted = null;
  }

  under(prefix: string): readonly string[] {
    this.#sorted ??= [...this.map.keys()].sort();
    const first = this.#firstNotBelow(this.#sorted, prefix);
    let end = first;
    while (this.#sorted[end]?.startsWith(prefix) === true) end++;
    return this.#sorted.slice(first, end);
  }

  #firstNotBelow(sorted: readonly string[], key: string): number {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
