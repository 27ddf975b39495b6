/**
 * A bounded set of names, each asked for by one local service: the latest ones. When it is full, the oldest name of the
 * service that has most of them leaves, so no service pushes out what others ask for.
 */
export class FairNames<Entry> {
  /** By service, then name, the oldest first. */
  readonly #services = new Map<string, Map<string, Entry>>();
  #count = 0;

  constructor(
    readonly max: number,
    /** Its place was taken by a newer one. */
    readonly left: (entry: Entry, service: string) => void,
  ) {}

  /** What is known by this name; it is the newest from now on. */
  touch(service: string, name: string): Entry | undefined {
    const names = this.#services.get(service);
    const entry = names?.get(name);
    if (names === undefined || entry === undefined) return undefined;
    names.delete(name);
    names.set(name, entry);
    return entry;
  }

  /** Adds a name that is not there yet. */
  add(service: string, name: string, entry: Entry): void {
    const names = this.#services.get(service) ?? new Map<string, Entry>();
    this.#services.set(service, names.set(name, entry));
    if (++this.#count > this.max) this.#leave();
  }

  delete(service: string, name: string): void {
    const names = this.#services.get(service);
    if (names?.delete(name) !== true) return;
    this.#count--;
    if (names.size === 0) this.#services.delete(service);
  }

  /** Everything under this name, whoever asks for it. */
  under(name: string): Entry[] {
    return [...this.#services.values()].flatMap((names) => names.get(name) ?? []);
  }

  /** As they stand; may be changed while they are gone through. */
  all(): Entry[] {
    return [...this.#services.values()].flatMap((names) => [...names.values()]);
  }

  names(): string[] {
    return [...new Set([...this.#services.values()].flatMap((names) => [...names.keys()]))];
  }

  #leave(): void {
    let [most, greedy] = [0, ""];
    for (const [service, names] of this.#services)
      if (names.size > most) [most, greedy] = [names.size, service];
    for (const [name, entry] of this.#services.get(greedy) ?? []) {
      this.delete(greedy, name);
      return this.left(entry, greedy);
    }
  }
}
