/**
 * The open streams of a connection, by id. Ids of one side grow by two, so most find their place by counting; those that live
 * while many others come and go stand aside.
 */

interface Numbered {
  readonly id: number;
}

const placesMin = 32;
const placesMax = 4_096;

export class StreamTable<T extends Numbered> {
  /** A power of two in number. */
  #places: (T | null)[] = new Array<T | null>(placesMin).fill(null);
  #aside: Map<number, T> | null = null;
  size = 0;

  get(id: number): T | undefined {
    const there = this.#places[placeOf(id, this.#places)];
    if (there !== null && there !== undefined && there.id === id) return there;
    return this.#aside === null ? undefined : this.#aside.get(id);
  }

  has(id: number): boolean {
    return this.get(id) !== undefined;
  }

  /** No stream of this id is in it. */
  add(stream: T): void {
    this.size++;
    if (this.#put(stream)) return;
    if (this.size * 2 > this.#places.length && this.#places.length < placesMax) this.#grow(stream);
    else (this.#aside ??= new Map()).set(stream.id, stream);
  }

  delete(stream: T): void {
    const place = placeOf(stream.id, this.#places);
    if (this.#places[place] === stream) this.#places[place] = null;
    else if (this.#aside?.delete(stream.id) !== true) return;
    this.size--;
    if (this.size === 0 && this.#places.length > placesMin)
      this.#places = new Array<T | null>(placesMin).fill(null);
  }

  /** All of them as they are now, in the order of their ids. */
  all(): T[] {
    const all = this.#places.filter((each) => each !== null);
    if (this.#aside !== null) all.push(...this.#aside.values());
    return all.sort((one, other) => one.id - other.id);
  }

  #put(stream: T): boolean {
    const place = placeOf(stream.id, this.#places);
    if (this.#places[place] !== null) return false;
    this.#places[place] = stream;
    return true;
  }

  #grow(more: T): void {
    const all = this.all();
    this.#places = new Array<T | null>(this.#places.length * 2).fill(null);
    this.#aside = null;
    for (const each of [...all, more]) if (!this.#put(each)) (this.#aside ??= new Map()).set(each.id, each);
  }
}

function placeOf(id: number, places: readonly unknown[]): number {
  return (id >>> 1) & (places.length - 1);
}
