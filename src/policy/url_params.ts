/**
 * `URLSearchParams` as the URL Standard has it (section 6.2), in pure TypeScript, for realms, which have no web platform. Part of
 * `heddle/policy`.
 */
import { decodePercent, encodePercent } from "./percent.ts";

/** What is encoded of a pair beside controls: everything but letters, digits and `*-._` (section 5.2); a space becomes `+`. */
const formSet = "!\"#$%&'()+,/:;<=>?@[\\]^`{|}~";

function formText(text: string): string {
  return encodePercent(text, formSet).replaceAll(" ", "+");
}

function pairsIn(text: string): [name: string, value: string][] {
  return text
    .split("&")
    .filter((part) => part !== "")
    .map((part) => {
      const equals = part.indexOf("=");
      const [name, value] = equals < 0 ? [part, ""] : [part.slice(0, equals), part.slice(equals + 1)];
      return [decodePercent(name.replaceAll("+", " ")), decodePercent(value.replaceAll("+", " "))];
    });
}

/** Lone halves of pairs are no characters. */
const wellFormed = (text: unknown): string => String(text).toWellFormed();

export class URLSearchParams implements Iterable<[name: string, value: string]> {
  #pairs: [name: string, value: string][];
  readonly #changed: (text: string) => void;

  /** `init`: a query with or without its question mark, pairs, or a record. */
  constructor(
    init: string | Iterable<readonly [string, string]> | Readonly<Record<string, string>> = "",
    changed: (text: string) => void = () => {},
  ) {
    this.#changed = changed;
    if (typeof init === "string") this.#pairs = pairsIn(wellFormed(init.replace(/^\?/, "")));
    else {
      const pairs =
        Symbol.iterator in init ? [...(init as Iterable<readonly [string, string]>)] : Object.entries(init);
      this.#pairs = pairs.map(([name, value]) => [wellFormed(name), wellFormed(value)]);
    }
  }

  get size(): number {
    return this.#pairs.length;
  }

  append(name: string, value: string): void {
    this.#pairs.push([wellFormed(name), wellFormed(value)]);
    this.#tell();
  }

  /** Those of the name, or of name and value. */
  delete(name: string, value?: string): void {
    this.#pairs = this.#pairs.filter((pair) => !isPair(pair, name, value));
    this.#tell();
  }

  get(name: string): string | null {
    return this.#pairs.find((pair) => isPair(pair, name))?.[1] ?? null;
  }

  getAll(name: string): string[] {
    return this.#pairs.filter((pair) => isPair(pair, name)).map(([, value]) => value);
  }

  has(name: string, value?: string): boolean {
    return this.#pairs.some((pair) => isPair(pair, name, value));
  }

  /** Where the first of the name stands; those after it go. */
  set(name: string, value: string): void {
    const at = this.#pairs.findIndex((pair) => isPair(pair, name));
    if (at < 0) return this.append(name, value);
    this.#pairs = this.#pairs.filter((pair, index) => index <= at || !isPair(pair, name));
    this.#pairs[at] = [wellFormed(name), wellFormed(value)];
    this.#tell();
  }

  /** By name, in units of UTF-16; those of one name stay in order. */
  sort(): void {
    this.#pairs = this.#pairs.toSorted(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));
    this.#tell();
  }

  forEach(see: (value: string, name: string, params: URLSearchParams) => void): void {
    for (const [name, value] of this.#pairs) see(value, name, this);
  }

  *entries(): IterableIterator<[name: string, value: string]> {
    for (const [name, value] of this.#pairs) yield [name, value];
  }

  *keys(): IterableIterator<string> {
    for (const [name] of this.#pairs) yield name;
  }

  *values(): IterableIterator<string> {
    for (const [, value] of this.#pairs) yield value;
  }

  [Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    return this.entries();
  }

  toString(): string {
    return this.#pairs.map(([name, value]) => `${formText(name)}=${formText(value)}`).join("&");
  }

  #tell(): void {
    this.#changed(this.toString());
  }
}

function isPair([each, its]: readonly [string, string], name: string, value?: string): boolean {
  return each === wellFormed(name) && (value === undefined || its === wellFormed(value));
}
