/**
 * Header fields as policies read them: the methods of the web's `Headers`, over the list as it came on the wire. Pure
 * TypeScript, because it runs where there is no web platform. Names are lower case and compared without case.
 */
export class HeaderList implements Iterable<readonly [name: string, value: string]> {
  readonly #flat: readonly string[];

  /** name, value, name, value …, names in lower case, in wire order. */
  constructor(flat: readonly string[]) {
    this.#flat = flat;
  }

  /** All values of the name, joined by a comma as HTTP allows; null when there is none. */
  get(name: string): string | null {
    const values = this.getAll(name);
    return values.length === 0 ? null : values.join(", ");
  }

  /** The values of the name, one per field. */
  getAll(name: string): string[] {
    const wanted = name.toLowerCase();
    const values: string[] = [];
    for (let at = 0; at < this.#flat.length; at += 2) {
      if (this.#flat[at] === wanted) values.push(this.#flat[at + 1] ?? "");
    }
    return values;
  }

  has(name: string): boolean {
    const wanted = name.toLowerCase();
    for (let at = 0; at < this.#flat.length; at += 2) if (this.#flat[at] === wanted) return true;
    return false;
  }

  *entries(): IterableIterator<readonly [name: string, value: string]> {
    for (let at = 0; at < this.#flat.length; at += 2) yield [this.#flat[at] ?? "", this.#flat[at + 1] ?? ""];
  }

  [Symbol.iterator](): IterableIterator<readonly [name: string, value: string]> {
    return this.entries();
  }
}
