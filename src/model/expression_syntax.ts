/** The syntax of `expression.ts`: text to parts, or one sentence about what is not allowed and where. */
import { failure, type Result, success } from "../base/result.ts";
import { limits } from "./limits.ts";

export type Part =
  | { readonly kind: "symbol"; readonly set: PartSet }
  | { readonly kind: "start" | "end" }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Part[] }
  | { readonly kind: "repeat"; readonly part: Part; readonly min: number; readonly max: number | null };

/** Symbols 0 to 255 are code units, 256 is every other one. */
export class PartSet {
  readonly #bits = new Uint8Array(257);

  has(symbol: number): boolean {
    return this.#bits[symbol] === 1;
  }

  /** The one symbol that it contains; null when there are more, or it may be any character beyond latin1. */
  get only(): number | null {
    const first = this.#bits.indexOf(1);
    return first >= 0 && first < 256 && this.#bits.lastIndexOf(1) === first ? first : null;
  }

  add(from: number, to: number): this {
    this.#bits.fill(1, from, to + 1);
    return this;
  }

  merge(other: PartSet): this {
    for (let symbol = 0; symbol < 257; symbol++) if (other.has(symbol)) this.#bits[symbol] = 1;
    return this;
  }

  inverted(): PartSet {
    const result = new PartSet();
    for (let symbol = 0; symbol < 257; symbol++) if (!this.has(symbol)) result.add(symbol, symbol);
    return result;
  }
}

const digits = new PartSet().add(0x30, 0x39);
const words = new PartSet().add(0x30, 0x39).add(0x41, 0x5a).add(0x5f, 0x5f).add(0x61, 0x7a);
const spaces = new PartSet().add(9, 13).add(0x20, 0x20).add(0xa0, 0xa0);
const anything = new PartSet().add(10, 10).add(13, 13).inverted();
const named: Readonly<Record<string, PartSet>> = {
  d: digits,
  D: digits.inverted(),
  w: words,
  W: words.inverted(),
  s: spaces,
  S: spaces.inverted(),
};
const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, "0": 0 };

/** What every match begins with whatever follows: `/api` for `^/api.*`, "" for what is not tied to the start. */
export function literalStart(text: string): string {
  const parsed = parseExpression(text);
  if (!parsed.ok || parsed.value.kind !== "sequence" || parsed.value.parts[0]?.kind !== "start") return "";
  let literal = "";
  for (const part of parsed.value.parts.slice(1)) {
    const symbol = part.kind === "symbol" ? part.set.only : null;
    if (symbol === null) break;
    literal += String.fromCharCode(symbol);
  }
  return literal;
}

/** What it asks of a text when it asks for nothing but how the text begins: `/api` for `^/api` and `^/api.*$`; null: it asks for more. */
export function onlyStart(text: string): string | null {
  const parsed = parseExpression(text);
  if (!parsed.ok) return null;
  const parts = parsed.value.kind === "sequence" ? [...parsed.value.parts] : [parsed.value];
  const isTied = parts[0]?.kind === "start";
  if (isTied) parts.shift();
  const isAny = (part: Part | undefined): boolean =>
    part?.kind === "repeat" && part.min === 0 && part.max === null && isAnything(part.part);
  if (parts.at(-1)?.kind === "end" && isAny(parts.at(-2))) parts.pop();
  if (isAny(parts.at(-1))) parts.pop();
  if (!isTied) return parts.length === 0 ? "" : null;
  const literal = literalStart(text);
  return parts.length === literal.length ? literal : null;
}

function isAnything(part: Part): boolean {
  return part.kind === "symbol" && part.set === anything;
}

class SyntaxProblem extends Error {}

/** The problem is ready to follow "because". */
export function parseExpression(text: string): Result<Part> {
  if (text.length > limits.expressionLengthMax)
    return failure(`it has ${text.length} characters, more than ${limits.expressionLengthMax}`);
  try {
    return success(new Parser(text).whole());
  } catch (error) {
    if (error instanceof SyntaxProblem) return failure(error.message);
    throw error;
  }
}

class Parser {
  #at = 0;
  #depth = 0;

  constructor(readonly text: string) {}

  whole(): Part {
    const part = this.#choice();
    if (this.#at < this.text.length) this.#fail("this ) closes nothing");
    return part;
  }

  #choice(): Part {
    if (++this.#depth > limits.expressionDepthMax)
      this.#fail(`groups are nested more than ${limits.expressionDepthMax} deep`);
    const parts = [this.#sequence()];
    while (this.#take("|")) parts.push(this.#sequence());
    this.#depth--;
    return parts.length === 1 ? (parts[0] as Part) : { kind: "choice", parts };
  }

  #sequence(): Part {
    const parts: Part[] = [];
    while (this.#at < this.text.length && !"|)".includes(this.#peek())) parts.push(this.#repeated());
    return { kind: "sequence", parts };
  }

  #repeated(): Part {
    const part = this.#atom();
    const bounds = this.#bounds();
    if (bounds === null) return part;
    if (part.kind === "start" || part.kind === "end") this.#fail("an anchor cannot be repeated");
    // Lazy or greedy makes no difference to whether there is a match.
    this.#take("?");
    if (this.#bounds() !== null) this.#fail("one repetition follows another");
    return { kind: "repeat", part, ...bounds };
  }

  #bounds(): { readonly min: number; readonly max: number | null } | null {
    if (this.#take("*")) return { min: 0, max: null };
    if (this.#take("+")) return { min: 1, max: null };
    if (this.#take("?")) return { min: 0, max: 1 };
    const found = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(this.text.slice(this.#at, this.#at + 12));
    if (found === null) return null;
    this.#at += found[0].length;
    const min = Number(found[1]);
    const max = found[2] === undefined ? min : found[3] === "" ? null : Number(found[3]);
    if (max !== null && max < min) this.#fail(`${found[0]} counts down`);
    return { min, max };
  }

  #atom(): Part {
    const char = this.#next();
    switch (char) {
      case "^":
        return { kind: "start" };
      case "$":
        return { kind: "end" };
      case ".":
        return { kind: "symbol", set: anything };
      case "(":
        return this.#group();
      case "[":
        return { kind: "symbol", set: this.#set() };
      case "\\":
        return { kind: "symbol", set: this.#escape() };
      case "*":
      case "+":
      case "?":
      case "{":
        return this.#fail(`nothing stands before ${char} that could be repeated`);
      case "]":
      case "}":
        return this.#fail(`${char} must be written \\${char}`);
      default:
        return { kind: "symbol", set: this.#one(char.charCodeAt(0)) };
    }
  }

  #group(): Part {
    if (this.#take("?")) {
      if (!this.#take(":")) this.#fail("look-around and named groups are not allowed");
    }
    const part = this.#choice();
    if (!this.#take(")")) this.#fail("a ( is not closed");
    return part;
  }

  #set(): PartSet {
    const negated = this.#take("^");
    const set = new PartSet();
    while (!this.#take("]")) {
      if (this.#at >= this.text.length) this.#fail("a [ is not closed");
      const low = this.#member();
      if (this.#peek() !== "-" || this.text[this.#at + 1] === "]" || typeof low !== "number") {
        set.merge(typeof low === "number" ? this.#one(low) : low);
        continue;
      }
      this.#at++;
      const high = this.#member();
      if (typeof high !== "number" || high < low) this.#fail("a range of characters counts down");
      else set.add(low, high);
    }
    return negated ? set.inverted() : set;
  }

  #member(): number | PartSet {
    const char = this.#next();
    if (char === "\\") {
      if (this.#peek() === "b") this.#fail("\\b is not allowed");
      const set = named[this.#peek()];
      if (set === undefined) return this.#escaped();
      this.#at++;
      return set;
    }
    return this.#symbol(char.charCodeAt(0));
  }

  #escape(): PartSet {
    const set = named[this.#peek()];
    if (set === undefined) return this.#one(this.#escaped());
    this.#at++;
    return set;
  }

  #escaped(): number {
    const char = this.#next();
    const control = controls[char];
    if (control !== undefined) return control;
    if (char === "x") {
      const hex = /^[0-9A-Fa-f]{2}/.exec(this.text.slice(this.#at, this.#at + 2))?.[0];
      if (hex === undefined) return this.#fail("\\x needs two hexadecimal digits");
      this.#at += 2;
      return Number.parseInt(hex, 16);
    }
    if (/[1-9k]/.test(char)) this.#fail("back-references are not allowed");
    if (/[A-Za-z]/.test(char)) this.#fail(`\\${char} is not allowed`);
    return this.#symbol(char.charCodeAt(0));
  }

  #one(symbol: number): PartSet {
    return new PartSet().add(this.#symbol(symbol), symbol);
  }

  #symbol(code: number): number {
    if (code > 255) this.#fail(`the character ${String.fromCharCode(code)} never occurs in a request`);
    return code;
  }

  #peek(): string {
    return this.text[this.#at] ?? "";
  }

  #next(): string {
    const char = this.text[this.#at++];
    return char ?? this.#fail("it ends in the middle");
  }

  #take(char: string): boolean {
    if (this.text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #fail(problem: string): never {
    throw new SyntaxProblem(`${problem} (at character ${Math.min(this.#at + 1, this.text.length)})`);
  }
}
