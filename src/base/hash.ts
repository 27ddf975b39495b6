/**
 * XXH32 of a text, for tables and rings: fast, well spread, the same on every machine. Not for secrets, and not against
 * people who choose keys to collide. A character above U+00FF counts by both of its bytes folded into one.
 */

const prime1 = 0x9e3779b1;
const prime2 = 0x85ebca77;
const prime3 = 0xc2b2ae3d;
const prime4 = 0x27d4eb2f;
const prime5 = 0x165667b1;

/** 32 bits, unsigned. */
export function hashText(text: string, seed = 0): number {
  const { length } = text;
  let at = 0;
  let hash: number;
  if (length >= 16) {
    let a = (seed + prime1 + prime2) | 0;
    let b = (seed + prime2) | 0;
    let c = seed | 0;
    let d = (seed - prime1) | 0;
    for (; at <= length - 16; at += 16) {
      a = round(a, wordAt(text, at));
      b = round(b, wordAt(text, at + 4));
      c = round(c, wordAt(text, at + 8));
      d = round(d, wordAt(text, at + 12));
    }
    hash = (turn(a, 1) + turn(b, 7) + turn(c, 12) + turn(d, 18)) | 0;
  } else hash = (seed + prime5) | 0;
  hash = (hash + length) | 0;
  for (; at <= length - 4; at += 4)
    hash = Math.imul(turn((hash + Math.imul(wordAt(text, at), prime3)) | 0, 17), prime4);
  for (; at < length; at++)
    hash = Math.imul(turn((hash + Math.imul(byteAt(text, at), prime5)) | 0, 11), prime1);
  return mixed(hash);
}

/** Another number of 32 bits for each number and seed: the next place of a walk that visits places as if by chance. */
export function hashNumber(value: number, seed: number): number {
  return mixed((Math.imul(value ^ seed, prime3) + Math.imul(seed, prime1) + prime5) | 0);
}

function mixed(hash: number): number {
  let mix = Math.imul(hash ^ (hash >>> 15), prime2);
  mix = Math.imul(mix ^ (mix >>> 13), prime3);
  return (mix ^ (mix >>> 16)) >>> 0;
}

function round(lane: number, word: number): number {
  return Math.imul(turn((lane + Math.imul(word, prime2)) | 0, 13), prime1);
}

function turn(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function byteAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return (code & 0xff) ^ (code >>> 8);
}

function wordAt(text: string, at: number): number {
  return (
    byteAt(text, at) |
    (byteAt(text, at + 1) << 8) |
    (byteAt(text, at + 2) << 16) |
    (byteAt(text, at + 3) << 24)
  );
}
