/**
 * Bytes moved and read without making a view first: a view costs more than the few bytes it is made for. These methods
 * work on every Uint8Array, whoever made it.
 */
const { compare, copy, latin1Slice, utf8Write } = Buffer.prototype as Buffer & {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  utf8Write(this: Uint8Array, text: string, at: number, bytesMax: number): number;
};

/** Copies `source[start, end)` to `target` at `at`. */
export function copyBytes(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number,
): void {
  copy.call(source, target, at, start, end);
}

/** Below it the collector's work costs less than giving back. */
const largeBytes = 16 * 1024;

/**
 * Nobody reads this array or any other view of its memory any more. What is large goes back to the allocator now and not when the
 * collector finds it, which lets tens of megabytes gather of arrays that come and go with every piece of a long body.
 */
export function letGo(bytes: Uint8Array): void {
  if (bytes.length < largeBytes) return;
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** Both, one after the other, in an array of their own. */
export function joined(before: Uint8Array, after: Uint8Array): Uint8Array {
  const all = new Uint8Array(before.length + after.length);
  all.set(before);
  all.set(after, before.length);
  return all;
}

/** Whether the first `length` bytes of `one` stand in `other` at `start`. */
export function sameBytes(one: Uint8Array, other: Uint8Array, start: number, length: number): boolean {
  // Where they differ, they mostly differ in their last bytes or at once.
  const late = length < 5 ? 0 : length - 5;
  if (length > 0 && (one[0] !== other[start] || one[late] !== other[start + late])) return false;
  return compare.call(one, other, start, start + length, 0, length) === 0;
}

/** ISO 8859-1, byte by byte (RFC 9112 section 2.2). */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return latin1Slice.call(bytes, start, end);
}

/** Writes text in UTF-8, whole characters of it alone and no more than so many bytes. Returns how many. */
export function writeText(target: Uint8Array, at: number, text: string, bytesMax: number): number {
  return utf8Write.call(target, text, at, bytesMax);
}

const nibbles = Uint8Array.from({ length: 256 }, (_, code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(value) ? 0 : value;
});

/** What a hexadecimal digit stands for, by its character. */
export function nibbleOf(code: number): number {
  return nibbles[code] as number;
}

/** What the last eight hexadecimal digits of a text stand for: quicker than to cut them off and parse them. */
export function last32Bits(digits: string): number {
  let bits = 0;
  for (let at = Math.max(0, digits.length - 8); at < digits.length; at++)
    bits = (bits << 4) | nibbleOf(digits.charCodeAt(at));
  return bits >>> 0;
}

/** Text of characters below 256, a byte each. */
export function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

const slots = 512;

/**
 * Remembers short strings by their bytes, so that what comes again and again (targets, hosts, methods) is made once.
 * Bounded: one string per slot, the newest stays.
 */
export class Interner {
  readonly #strings: (string | undefined)[] = new Array<string | undefined>(slots).fill(undefined);

  latin1(bytes: Uint8Array, start: number, end: number): string {
    const length = end - start;
    if (length > 64 || length === 0) return latin1(bytes, start, end);
    let hash = length;
    for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0;
    const slot = (hash ^ (hash >>> 9)) & (slots - 1);
    const known = this.#strings[slot];
    if (known !== undefined && known.length === length && same(known, bytes, start)) return known;
    const made = latin1(bytes, start, end);
    this.#strings[slot] = made;
    return made;
  }
}

function same(text: string, bytes: Uint8Array, start: number): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) !== bytes[start + at]) return false;
  return true;
}
