/**
 * The connections of a port that have shown no certificate: bounded for each source and in all. None is turned away: the oldest of
 * whoever has too many gives way, so whoever can show a certificate comes in meanwhile, and counts no more once it has.
 */
import { limits } from "../model/limits.ts";

export class Strangers {
  readonly #bySource = new Map<string, Set<Stranger>>();
  #count = 0;

  constructor(readonly onLimit: (limit: string) => void = () => {}) {}

  /** A connection of that address. `end` is what closes it when it has to give way. */
  admit(source: string, end: () => void): Stranger {
    const { strangersMax, strangersPerSourceMax } = limits;
    const own = this.#bySource.get(source);
    if (own !== undefined && own.size >= strangersPerSourceMax) this.#giveWay(own, "strangersPerSourceMax");
    else if (this.#count >= strangersMax) this.#giveWay(this.#most(), "strangersMax");
    const stranger = new Stranger(end, (gone) => this.#forget(source, gone));
    // It may have been the last one of its source that gave way.
    const among = this.#bySource.get(source) ?? new Set();
    this.#bySource.set(source, among.add(stranger));
    this.#count++;
    return stranger;
  }

  #giveWay(among: ReadonlySet<Stranger>, limit: string): void {
    const [oldest] = among;
    this.onLimit(limit);
    oldest?.leave();
    oldest?.end();
  }

  #most(): ReadonlySet<Stranger> {
    let most: ReadonlySet<Stranger> = new Set();
    for (const each of this.#bySource.values()) if (each.size > most.size) most = each;
    return most;
  }

  #forget(source: string, stranger: Stranger): void {
    const own = this.#bySource.get(source);
    if (own?.delete(stranger) !== true) return;
    this.#count--;
    if (own.size === 0) this.#bySource.delete(source);
  }
}

/** One of them. */
export class Stranger {
  constructor(
    /** Closes it; whoever takes the connection over replaces it. */
    public end: () => void,
    private readonly left: (stranger: Stranger) => void,
  ) {}

  /** It is known now, or gone. May be called again. */
  leave(): void {
    this.left(this);
  }
}
