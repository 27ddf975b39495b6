/**
 * The connections of a port that have shown no certificate: bounded for each source and in all. Where there are too many the oldest of
 * whoever has most of them gives way, so whoever can show a certificate comes in meanwhile, and counts no more once it has. Those that
 * came a moment ago are left to finish, however many they are: then it is the newcomer that goes, and may come again.
 */
import type { Clock } from "../../runtime/contract.ts";
import { sourceOf } from "../base/source_of.ts";
import { limits } from "../model/limits.ts";

/** Of the control plane's ports, and of the one between proxies, where one machine may open many connections at once. */
export const strangerBounds = {
  control: { perSource: "strangersPerSourceMax", inAll: "strangersMax" },
  mesh: { perSource: "meshStrangersPerSourceMax", inAll: "meshStrangersMax" },
} as const;

type Bounds = (typeof strangerBounds)[keyof typeof strangerBounds];
type StrangerBound = Bounds[keyof Bounds];

export interface StrangersOptions {
  readonly clock: Clock;
  readonly bounds: Bounds;
  readonly onLimit?: (limit: string) => void;
  /** So many event loops have the port, each an even part of the bounds; default: this one alone. */
  readonly loops?: number;
}

export class Strangers {
  readonly #bySource = new Map<string, Set<Stranger>>();
  #count = 0;

  constructor(readonly options: StrangersOptions) {}

  /** A connection of that address. `end` is what closes it when it has to give way. null: there is no room for it. */
  admit(address: string, end: () => void): Stranger | null {
    const source = sourceOf(address);
    const { perSource, inAll } = this.options.bounds;
    const own = this.#bySource.get(source);
    if (own !== undefined && own.size >= this.#part(perSource)) {
      if (!this.#makeRoom(own, perSource)) return null;
    } else if (this.#count >= this.#part(inAll) && !this.#makeRoom(this.#most(), inAll)) return null;
    const stranger = new Stranger(this.options.clock.now(), end, (gone) => this.#forget(source, gone));
    // It may have been the last one of its source that gave way.
    const among = this.#bySource.get(source) ?? new Set();
    this.#bySource.set(source, among.add(stranger));
    this.#count++;
    return stranger;
  }

  #part(bound: StrangerBound): number {
    return limits[bound] / (this.options.loops ?? 1);
  }

  #makeRoom(among: ReadonlySet<Stranger>, limit: string): boolean {
    const { clock, onLimit } = this.options;
    onLimit?.(limit);
    const [oldest] = among;
    if (oldest === undefined || clock.now() - oldest.sinceMs < limits.strangerGraceMs) return false;
    oldest.leave();
    oldest.end();
    return true;
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
    readonly sinceMs: number,
    /** Closes it; whoever takes the connection over replaces it. */
    public end: () => void,
    private readonly left: (stranger: Stranger) => void,
  ) {}

  /** It is known now, or gone. May be called again. */
  leave(): void {
    this.left(this);
  }
}
