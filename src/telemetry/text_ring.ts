/**
 * Text of entries, one behind the other in a ring of bytes: a new one takes the place of the oldest. A character takes one byte, or two where
 * an entry's text needs them. Whoever reads an entry whose place was taken gets nothing.
 */
import { nibbleOf } from "../base/bytes.ts";
import { limits } from "../model/limits.ts";

/** In the length of a text: its characters take two bytes. */
const wide = 0x8000;
const textMax = limits.evidenceTextLengthMax;

export class TextRing {
  readonly #bytes: Uint8Array;
  readonly #entryMax: number;
  /** How often it was filled. */
  #turns = 0;
  #at = 0;

  /** `entryMax`: no entry takes more. */
  constructor(size: number, entryMax: number) {
    this.#bytes = new Uint8Array(size);
    this.#entryMax = entryMax;
  }

  /** Begins an entry; what it returns finds it again. */
  begin(): number {
    const { length } = this.#bytes;
    if (this.#at + this.#entryMax > length) {
      this.#turns++;
      this.#at = 0;
    }
    return this.#turns * length + this.#at;
  }

  short(value: number): void {
    const at = this.#at;
    this.#bytes[at] = value & 0xff;
    this.#bytes[at + 1] = value >>> 8;
    this.#at = at + 2;
  }

  /** Rounded; at most what 32 bits hold. */
  long(value: number): void {
    const whole = Math.min(0xffff_ffff, Math.round(value));
    this.short(whole & 0xffff);
    this.short(whole >>> 16);
  }

  /** Cut to `evidenceTextLengthMax` bytes. */
  text(value: string): void {
    const bytes = this.#bytes;
    const length = value.length < textMax ? value.length : textMax;
    let to = this.#at;
    bytes[to++] = length & 0xff;
    bytes[to++] = length >>> 8;
    for (let at = 0; at < length; at++) {
      const code = value.charCodeAt(at);
      if (code > 0xff) return this.#wideText(value);
      bytes[to++] = code;
    }
    this.#at = to;
  }

  /** Pairs of hexadecimal digits, whose number the reader knows. */
  hex(digits: string): void {
    let to = this.#at;
    for (let at = 0; at < digits.length; at += 2)
      this.#bytes[to++] = (nibbleOf(digits.charCodeAt(at)) << 4) | nibbleOf(digits.charCodeAt(at + 1));
    this.#at = to;
  }

  /** null: newer entries have taken its place. */
  read(entry: number): TextReader | null {
    const { length } = this.#bytes;
    if (this.#turns * length + this.#at - entry > length) return null;
    return new TextReader(this.#bytes, entry % length);
  }

  #wideText(value: string): void {
    const length = Math.min(value.length, textMax / 2);
    this.short(length | wide);
    for (let at = 0; at < length; at++) this.short(value.charCodeAt(at));
  }
}

export class TextReader {
  #at: number;

  constructor(
    readonly bytes: Uint8Array,
    at: number,
  ) {
    this.#at = at;
  }

  /** Whether the text that is next is this one. */
  startsWith(value: string): boolean {
    const { bytes } = this;
    const from = this.#at;
    if ((bytes[from] as number) + (bytes[from + 1] as number) * 256 !== value.length) return false;
    for (let at = 0; at < value.length; at++) if (bytes[from + 2 + at] !== value.charCodeAt(at)) return false;
    return true;
  }

  short(): number {
    const value = (this.bytes[this.#at] as number) + (this.bytes[this.#at + 1] as number) * 256;
    this.#at += 2;
    return value;
  }

  long(): number {
    return this.short() + this.short() * 0x1_0000;
  }

  /** So many digits. */
  hex(length: number): string {
    const start = this.#at;
    this.#at += length / 2;
    return this.bytes.slice(start, this.#at).toHex();
  }

  text(): string {
    const length = this.short();
    const codes = Array.from({ length: length & ~wide }, () =>
      length >= wide ? this.short() : this.#byte(),
    );
    return codes.map((code) => String.fromCharCode(code)).join("");
  }

  #byte(): number {
    return this.bytes[this.#at++] as number;
  }
}
