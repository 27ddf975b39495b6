/**
 * The query of a request as policies read it: the reading methods of the web's `URLSearchParams`, in pure TypeScript,
 * parsed when first asked. `+` is a space; a percent sign that starts no valid sequence stands for itself.
 */
export class QueryList implements Iterable<readonly [name: string, value: string]> {
  readonly #text: string;
  #pairs: (readonly [name: string, value: string])[] | null = null;

  /** Without the question mark. */
  constructor(text: string) {
    this.#text = text;
  }

  get(name: string): string | null {
    return this.#parsed().find(([each]) => each === name)?.[1] ?? null;
  }

  getAll(name: string): string[] {
    return this.#parsed()
      .filter(([each]) => each === name)
      .map(([, value]) => value);
  }

  has(name: string): boolean {
    return this.#parsed().some(([each]) => each === name);
  }

  entries(): IterableIterator<readonly [name: string, value: string]> {
    return this.#parsed().values();
  }

  [Symbol.iterator](): IterableIterator<readonly [name: string, value: string]> {
    return this.entries();
  }

  toString(): string {
    return this.#text;
  }

  #parsed(): (readonly [name: string, value: string])[] {
    this.#pairs ??= this.#text
      .split("&")
      .filter((part) => part !== "")
      .map((part) => {
        const equals = part.indexOf("=");
        if (equals < 0) return [decode(part), ""] as const;
        return [decode(part.slice(0, equals)), decode(part.slice(equals + 1))] as const;
      });
    return this.#pairs;
  }
}

function decode(text: string): string {
  const spaced = text.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  return spaced.replace(/(?:%[0-9a-fA-F]{2})+/g, (escaped) => {
    try {
      return decodeURIComponent(escaped);
    } catch {
      return escaped;
    }
  });
}
