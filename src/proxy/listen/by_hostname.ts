/**
 * Which of several at one port a host name means: a name before a wildcard, a longer wildcard before a shorter one, whatever is for any
 * name last (Gateway API, Listener.hostname).
 */
interface Named {
  /** Lower case; `*.example` for everything below. Absent: any. */
  readonly hostname?: string;
}

export class ByHostname<Each extends Named> {
  readonly #exact = new Map<string, Each>();
  /** With what names end in, the longest first. */
  readonly #below: readonly (readonly [suffix: string, each: Each])[];
  readonly #rest: Each | null;

  /** Of two for the same name the first has it. */
  constructor(all: readonly Each[]) {
    const below: [string, Each][] = [];
    let rest: Each | null = null;
    for (const each of all) {
      const { hostname } = each;
      if (hostname === undefined) rest ??= each;
      else if (hostname.startsWith("*.")) below.push([hostname.slice(1), each]);
      else if (!this.#exact.has(hostname)) this.#exact.set(hostname, each);
    }
    this.#below = below.sort(([a], [b]) => b.length - a.length);
    this.#rest = rest;
  }

  /** `name`: lower case; "" for none. null: it is for nobody here. */
  find(name: string): Each | null {
    const exact = this.#exact.get(name);
    if (exact !== undefined) return exact;
    for (const [suffix, each] of this.#below)
      if (name.length > suffix.length && name.endsWith(suffix)) return each;
    return this.#rest;
  }
}
