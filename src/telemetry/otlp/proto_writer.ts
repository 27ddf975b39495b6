/** Writes messages of Protocol Buffers (protobuf.dev, "Encoding") one after the other into one buffer that grows. */
import { assert } from "../../base/assert.ts";

const encoder = new TextEncoder();
/** A copy of fewer bytes is quicker one by one. */
const shortBytes = 64;
const wireVarint = 0;
const wireFixed64 = 1;
const wireBytes = 2;
const wireFixed32 = 5;

export class ProtoWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(size = 1_024) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#at;
  }

  /** What was written so far, good until more is. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  reset(): void {
    this.#at = 0;
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
    const whole = Math.floor(ms);
    const high = Math.floor(whole / 0x20_0000) * 1e6;
    const rest = (whole % 0x20_0000) * 1e6 + Math.round((ms - whole) * 1e6);
    const low = (high % 0x800) * 0x20_0000 + (rest % 0x1_0000_0000);
    const carried = low >= 0x1_0000_0000 ? 1 : 0;
    this.#view.setUint32(this.#at, low % 0x1_0000_0000, true);
    this.#view.setUint32(
      this.#at + 4,
      Math.floor(high / 0x800) + Math.floor(rest / 0x1_0000_0000) + carried,
      true,
    );
    this.#at += 8;
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
    const [nameSize, valueSize] = [byteLength(name), byteLength(value)];
    const inner = 1 + varintSize(valueSize) + valueSize;
    this.#room(nameSize + valueSize + 32);
    this.#tag(field, wireBytes);
    this.#varint(1 + varintSize(nameSize) + nameSize + 1 + varintSize(inner) + inner);
    this.#tag(1, wireBytes);
    this.#varint(nameSize);
    this.#characters(name, nameSize);
    this.#tag(2, wireBytes);
    this.#varint(inner);
    this.#tag(1, wireBytes);
    this.#varint(valueSize);
    this.#characters(value, valueSize);
  }

  /** Pairs of hexadecimal digits. */
  hex(field: number, digits: string): void {
    const size = digits.length >> 1;
    this.#room(size + 16);
    this.#tag(field, wireBytes);
    this.#varint(size);
    for (let at = 0; at < digits.length; at += 2)
      this.#bytes[this.#at++] = (digit(digits.charCodeAt(at)) << 4) | digit(digits.charCodeAt(at + 1));
  }

  /** What another writer has, as a message. */
  message(field: number, other: ProtoWriter): void {
    const size = other.#at;
    this.#room(size + 16);
    this.#tag(field, wireBytes);
    this.#varint(size);
    const [from, to] = [other.#bytes, this.#bytes];
    if (size > shortBytes) to.set(from.subarray(0, size), this.#at);
    else for (let at = 0; at < size; at++) to[this.#at + at] = from[at] as number;
    this.#at += size;
  }

  /** `size`: of its bytes. */
  #characters(value: string, size: number): void {
    const bytes = this.#bytes;
    const start = this.#at;
    this.#at += size;
    if (size !== value.length) return void encoder.encodeInto(value, bytes.subarray(start, this.#at));
    for (let at = 0; at < size; at++) bytes[start + at] = value.charCodeAt(at);
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

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++;
  return size;
}

function digit(code: number): number {
  return code <= 0x39 ? code - 0x30 : (code | 0x20) - 0x57;
}
