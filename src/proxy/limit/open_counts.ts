/** How many of something are open, by key; what has none takes no room. */
export class OpenCounts {
  readonly #counts = new Map<string, number>();
  total = 0;

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  more(key: string): void {
    this.#counts.set(key, this.of(key) + 1);
    this.total++;
  }

  less(key: string): void {
    const left = this.of(key) - 1;
    this.total--;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}
