/** Writes messages of Protocol Buffers (protobuf.dev, "Encoding") one after the other into one buffer that grows. */
import { assert } from "../../base/assert.ts";
import { copyBytes, nibbleOf, writeText } from "../../base/bytes.ts";

const encoder = new TextEncoder();
/** A copy of fewer bytes is quicker one by one. */
const shortBytes = 64;
/** What is before a message of 128 to 16,383 bytes in a field below 16: what `enclose` is quickest with. */
export const openingBytes = 3;
const wireVarint = 0;
const wireFixed64 = 1;
const wireBytes = 2;
const wireFixed32 = 5;

export class ProtoWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;
  #second = -1;
  #secondLow = 0;
  #secondHigh = 0;

  constructor(size = 1_024) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** All of what it writes into, until that must grow. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get length(): number {
    return this.#at;
  }

  /** What was written so far, good until more is. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  /** Forgets what was written, but the first so many bytes. */
  reset(length = 0): void {
    this.#at = length;
  }

  /** Of at most 53 bits. */
  uint(field: number, value: number): void {
    this.#room(16);
    this.#tag(field, wireVarint);
    this.#varint(value);
  }

  /** 32 bits. */
  fixed32(field: number, value: number): void {
    this.#room(16);
    this.#tag(field, wireFixed32);
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  double(field: number, value: number): void {
    this.#room(16);
    this.#tag(field, wireFixed64);
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  /** Milliseconds since 1970, as nanoseconds in 64 bits: more than a number holds, so it is put together of two halves. */
  time(field: number, ms: number): void {
    this.#room(16);
    this.#tag(field, wireFixed64);
    this.timeAt(this.#at, ms);
    this.#at += 8;
  }

  /** Most times of a writer are of the second of the one before. */
  #begin(second: number): void {
    const nanoseconds = BigInt(second) * 1_000_000_000n;
    this.#second = second;
    this.#secondLow = Number(nanoseconds & 0xffff_ffffn);
    this.#secondHigh = Number(nanoseconds >> 32n);
  }

  /** Characters of ASCII as they are. False: others are among them, and nothing was written. */
  ascii(text: string): boolean {
    this.#room(3 * text.length);
    const written = writeText(this.#bytes, this.#at, text, 3 * text.length);
    // Room for three bytes of each: what is not of ASCII takes more than one, and shows.
    if (written !== text.length) return false;
    this.#at += written;
    return true;
  }

  text(field: number, value: string): void {
    const size = byteLength(value);
    this.#room(size + 16);
    this.#tag(field, wireBytes);
    this.#varint(size);
    this.#characters(value, size);
  }

  /**
   * A message of two: field 1 is `name`, field 2 a message whose field 1 is `value`. Attributes are such, and most of what is written:
   * their lengths are known before, so that nothing is written twice.
   */
  pair(field: number, name: string, value: string): void {
    const valueSize = byteLength(value);
    this.#pairHead(field, name, 1 + varintSize(valueSize) + valueSize);
    this.#tag(1, wireBytes);
    this.#varint(valueSize);
    this.#characters(value, valueSize);
  }

  /** The same where field 2 is a message with a whole number of at most 53 bits in its field `kind`. */
  uintPair(field: number, name: string, kind: number, value: number): void {
    const inner = 1 + varintSize(value);
    this.#pairHead(field, name, inner);
    this.#tag(kind, wireVarint);
    this.#varint(value);
  }

  /** The same with a number as it is in memory. */
  doublePair(field: number, name: string, kind: number, value: number): void {
    this.#pairHead(field, name, 9);
    this.double(kind, value);
  }

  /** Pairs of hexadecimal digits. */
  hex(field: number, digits: string): void {
    const size = digits.length >> 1;
    this.#room(size + 16);
    this.#tag(field, wireBytes);
    this.#varint(size);
    this.hexAt(this.#at, digits);
    this.#at += size;
  }

  /** What another writer has, as a message. */
  message(field: number, other: ProtoWriter): void {
    this.opening(field, other.#at);
    this.raw(other.#bytes, 0, other.#at);
  }

  /** What is before a message of so many bytes. */
  opening(field: number, size: number): void {
    this.#room(16);
    this.#tag(field, wireBytes);
    this.#varint(size);
  }

  /** What was written elsewhere, as it is. */
  raw(from: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.#room(size);
    const to = this.#bytes;
    if (size > shortBytes) copyBytes(to, this.#at, from, start, end);
    else for (let at = 0; at < size; at++) to[this.#at + at] = from[start + at] as number;
    this.#at += size;
  }

  /**
   * Makes what was written since `start` a message: what is before it is put there. Whoever calls this left `openingBytes` of room
   * before `start`, where the message begins; what takes more or less of it moves.
   */
  enclose(field: number, start: number): void {
    const size = this.#at - start;
    const opening = varintSize(field * 8) + varintSize(size);
    const from = start - openingBytes;
    if (opening !== openingBytes) {
      this.#room(opening);
      this.#bytes.copyWithin(from + opening, start, this.#at);
    }
    this.#at = from;
    this.opening(field, size);
    this.#at = from + opening + size;
  }

  /** Over what was written there: what `hex` would write of a field's value. */
  hexAt(at: number, digits: string): void {
    const bytes = this.#bytes;
    let to = at;
    for (let from = 0; from < digits.length; from += 2)
      bytes[to++] = (nibbleOf(digits.charCodeAt(from)) << 4) | nibbleOf(digits.charCodeAt(from + 1));
  }

  /** The same of `time`. */
  timeAt(at: number, ms: number): void {
    const second = Math.floor(ms / 1_000);
    if (second !== this.#second) this.#begin(second);
    const low = this.#secondLow + Math.round((ms - second * 1_000) * 1e6);
    const carried = low >= 0x1_0000_0000;
    this.#view.setUint32(at, carried ? low - 0x1_0000_0000 : low, true);
    this.#view.setUint32(at + 4, this.#secondHigh + (carried ? 1 : 0), true);
  }

  /** The same of characters of ASCII. False: others are among them. */
  asciiAt(at: number, text: string): boolean {
    const bytes = this.#bytes;
    let all = 0;
    for (let from = 0; from < text.length; from++) {
      const code = text.charCodeAt(from);
      all |= code;
      bytes[at + from] = code;
    }
    return all <= 0x7f;
  }

  /** Leaves so many bytes out. */
  skip(bytes: number): void {
    this.#room(bytes);
    this.#at += bytes;
  }

  /** `size`: of its bytes. */
  #characters(value: string, size: number): void {
    const bytes = this.#bytes;
    const start = this.#at;
    this.#at += size;
    if (size !== value.length) return void encoder.encodeInto(value, bytes.subarray(start, this.#at));
    for (let at = 0; at < size; at++) bytes[start + at] = value.charCodeAt(at);
  }

  /** Up to the value in field 2, which has `inner` bytes. */
  #pairHead(field: number, name: string, inner: number): void {
    const nameSize = byteLength(name);
    this.#room(nameSize + inner + 32);
    this.#tag(field, wireBytes);
    this.#varint(1 + varintSize(nameSize) + nameSize + 1 + varintSize(inner) + inner);
    this.#tag(1, wireBytes);
    this.#varint(nameSize);
    this.#characters(name, nameSize);
    this.#tag(2, wireBytes);
    this.#varint(inner);
  }

  #tag(field: number, wire: number): void {
    this.#varint(field * 8 + wire);
  }

  #varint(value: number): void {
    assert(
      value >= 0 && Number.isSafeInteger(value),
      "a varint of this writer is a whole number of at most 53 bits",
    );
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#at++] = rest;
  }

  #room(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + size));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** In UTF-8, where a half of a character alone becomes U+FFFD, of three bytes. */
function byteLength(text: string): number {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return encoder.encode(text).length;
  return text.length;
}

export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++;
  return size;
}
