/**
 * Reads what matters of a JSON request of a model's API while it passes, split anywhere: the fields of its outermost object by which it
 * is routed and counted, and the parts of its prompt as chains of hashes. It keeps nothing else, and never looks back.
 * What is no JSON object is `broken`: the engine will say so.
 */
import { hashText } from "../base/hash.ts";
import { PrefixHasher, type PrefixPart } from "./prefix_chain.ts";

/** Fields that make the prompt. */
const promptFields: ReadonlySet<string> = new Set([
  ...["tools", "functions", "system", "instructions", "messages", "prompt", "input", "template"],
  ...["query", "documents", "text_1", "text_2"],
]);
/** Fields whose values are read; none is longer than this in earnest. */
const readFields: ReadonlySet<string> = new Set([
  ...["model", "stream", "max_tokens", "max_completion_tokens", "max_output_tokens", "stream_options"],
  ...["cache_salt"],
]);
const readBytesMax = 1_024;
const keyBytesMax = 256;
/** A byte order mark is part of a name, as it is to engines. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const quote = 0x22;
const backslash = 0x5c;
const open = 0x7b;
const close = 0x7d;
const openList = 0x5b;
const closeList = 0x5d;
const colon = 0x3a;
const comma = 0x2c;

/** `before`: the object has not begun. `key`: a name is to come. `colon`: it came. `value`: what follows it. `over`: the object ended. */
type Place = "before" | "key" | "colon" | "value" | "over";

export class RequestScan {
  /** null: it has not come. */
  model: string | null = null;
  /** Where the value of `model` begins and ends, in bytes from the beginning, quotes included. */
  modelStart = -1;
  modelEnd = -1;
  stream = false;
  /** Tokens that the answer may have; null: it does not say. */
  outputTokensMax: number | null = null;
  /** The stream is to end with its usage. */
  includesUsage = false;
  /** There is `stream_options`. */
  hasStreamOptions = false;
  /** `model` stands there twice, or in other letters (which Go reads as well): who reads the first and who reads the last would not agree. */
  twice = false;
  /** Its value is longer than any name is: an engine would read what is not read here. */
  modelIsLong = false;
  broken = false;
  /** Bytes so far. */
  bytes = 0;
  readonly parts: PrefixHasher[] = [];
  #named = false;
  #place: Place = "before";
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Name of the field that is being read. */
  #key = "";
  #salt = 0;
  /** Of a name or of a value that is read; null: nobody wants it. */
  #kept: Uint8Array | null = null;
  #keptLength = 0;
  #part: PrefixHasher | null = null;

  /** The object is complete. */
  get over(): boolean {
    return this.#place === "over";
  }

  /** Of the prompt so far. */
  get promptBytes(): number {
    let bytes = 0;
    for (const part of this.parts) bytes += part.bytes;
    return bytes;
  }

  get prefixes(): readonly PrefixPart[] {
    return this.parts;
  }

  push(bytes: Uint8Array, start: number, end: number): void {
    if (this.broken) {
      this.bytes += end - start;
      return;
    }
    // Searches end where it does.
    const piece = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
    const { length } = piece;
    let at = 0;
    while (at < length && !this.broken) at = this.#inString ? this.#string(piece, at) : this.#next(piece, at);
    this.bytes += length;
  }

  /** Inside of a string, where only its end matters. Returns where to go on. */
  #string(piece: Uint8Array, at: number): number {
    const { length } = piece;
    let from = at;
    if (this.#escaped) {
      this.#escaped = false;
      from++;
    }
    for (;;) {
      const found = from < length ? piece.indexOf(quote, from) : -1;
      const until = found < 0 ? length : found;
      let slashes = 0;
      while (until - 1 - slashes >= from && piece[until - 1 - slashes] === backslash) slashes++;
      if (found < 0) {
        this.#escaped = slashes % 2 === 1;
        this.#pass(piece, at, length);
        return length;
      }
      from = found + 1;
      if (slashes % 2 === 0) break;
    }
    this.#inString = false;
    this.#pass(piece, at, from);
    if (this.#depth === 1 && this.#place === "key") this.#endKey();
    else if (this.#depth === 1) this.#endOfString(this.bytes + from);
    return from;
  }

  #next(piece: Uint8Array, at: number): number {
    const byte = piece[at] as number;
    switch (this.#place) {
      case "before":
        if (byte === open) {
          this.#depth = 1;
          this.#place = "key";
        } else this.broken = !isSpace(byte);
        return at + 1;
      case "key":
        if (byte === quote) {
          this.#inString = true;
          this.#keep(keyBytesMax);
        } else if (byte === close) this.#place = "over";
        else this.broken = !isSpace(byte) && byte !== comma;
        return at + 1;
      case "colon":
        if (byte === colon) this.#beginValue();
        else this.broken = !isSpace(byte);
        return at + 1;
      case "value":
        return this.#value(piece, at);
      case "over":
        this.broken = !isSpace(byte);
        return at + 1;
    }
  }

  #value(piece: Uint8Array, from: number): number {
    const { length } = piece;
    let at = from;
    for (; at < length; at++) {
      const byte = piece[at] as number;
      if (byte === quote) {
        if (this.#depth === 1 && this.#key === "model") this.modelStart = this.bytes + at;
        this.#inString = true;
        this.#pass(piece, from, at + 1);
        return at + 1;
      }
      if (byte === open || byte === openList) this.#depth++;
      else if (byte === close || byte === closeList) {
        if (this.#depth === 1) break;
        this.#depth--;
      } else if (byte === comma && this.#depth === 1) break;
    }
    this.#pass(piece, from, at);
    if (at === length) return length;
    this.#endValue();
    const last = piece[at] === close;
    this.broken = piece[at] === closeList;
    this.#place = last ? "over" : "key";
    return at + 1;
  }

  #beginValue(): void {
    this.#place = "value";
    const key = this.#key;
    if (promptFields.has(key)) {
      // A part that comes twice goes on: nobody knows which of them counts. Without bound nobody may repeat it.
      const last = this.parts.at(-1);
      if (last !== undefined && this.parts.length >= promptFields.size) this.#part = last;
      else this.parts.push((this.#part = new PrefixHasher(hashText(key, this.#salt))));
    } else if (readFields.has(key)) this.#keep(readBytesMax);
  }

  #keep(bytesMax: number): void {
    this.#kept = new Uint8Array(bytesMax);
    this.#keptLength = 0;
  }

  /** These belong to what is being read. */
  #pass(piece: Uint8Array, start: number, end: number): void {
    if (this.#part !== null) return this.#part.push(piece, start, end);
    const kept = this.#kept;
    if (kept === null) return;
    const fits = Math.min(end, start + kept.length - this.#keptLength);
    for (let at = start; at < fits; at++) kept[this.#keptLength++] = piece[at] as number;
    if (fits < end) this.#kept = null;
  }

  #taken(): string | null {
    const kept = this.#kept;
    this.#kept = null;
    return kept === null ? null : decoder.decode(kept.subarray(0, this.#keptLength));
  }

  #endKey(): void {
    this.#place = "colon";
    // Its closing quote was kept, its opening one was not. A name may be written with escapes, and engines read those.
    const text = this.#taken();
    const key = text === null ? "" : parsed(`"${text}`);
    this.#key = typeof key === "string" ? key : "";
    if (this.#key.toLowerCase() !== "model") return;
    this.twice ||= this.#named || this.#key !== "model";
    this.#named = true;
    this.modelStart = -1;
  }

  /** The value of a field of the outermost object was a string, or ended with one. */
  #endOfString(end: number): void {
    if (this.#key === "model") this.modelEnd = end;
  }

  #endValue(): void {
    this.#part = null;
    const text = this.#taken();
    if (text !== null) this.#read(this.#key, parsed(text));
    else if (this.#key === "model") this.modelIsLong = true;
  }

  #read(key: string, value: unknown): void {
    if (key === "model" && typeof value === "string") this.model = value;
    else if (key === "stream") this.stream = value === true;
    else if (key === "cache_salt") this.#salt = hashText(String(value));
    else if (key === "stream_options") {
      this.hasStreamOptions = true;
      this.includesUsage = (value as { include_usage?: unknown } | null)?.include_usage === true;
    } else if (key.startsWith("max_") && typeof value === "number" && value >= 0)
      this.outputTokensMax = value;
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** undefined: it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
