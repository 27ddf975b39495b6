/** SHA-256 (FIPS 180-4) and HMAC over it (RFC 2104) in pure TypeScript, for realms, which have no web platform. Part of `heddle/policy`. */

/** The first 32 bits behind the point of the roots of the first 64 primes. */
const rounds = new Int32Array(64);
/** The same of the square roots of the first eight. */
const start = new Int32Array(8);

function firstPrimes(count: number): number[] {
  const primes: number[] = [];
  for (let number = 2; primes.length < count; number++)
    if (primes.every((prime) => number % prime !== 0)) primes.push(number);
  return primes;
}

for (const [at, prime] of firstPrimes(64).entries()) {
  rounds[at] = (prime ** (1 / 3) % 1) * 2 ** 32;
  if (at < 8) start[at] = (prime ** 0.5 % 1) * 2 ** 32;
}

const blockBytes = 64;

const turned = (value: number, by: number): number => (value >>> by) | (value << (32 - by));

function mix(state: Int32Array, block: DataView, at: number, words: Int32Array): void {
  for (let t = 0; t < 16; t++) words[t] = block.getInt32(at + 4 * t);
  for (let t = 16; t < 64; t++) {
    const [before, last] = [words[t - 15] as number, words[t - 2] as number];
    const low = turned(before, 7) ^ turned(before, 18) ^ (before >>> 3);
    const high = turned(last, 17) ^ turned(last, 19) ^ (last >>> 10);
    words[t] = (words[t - 16] as number) + low + (words[t - 7] as number) + high;
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let t = 0; t < 64; t++) {
    const high = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
    const one = (h + high + ((e & f) ^ (~e & g)) + (rounds[t] as number) + (words[t] as number)) | 0;
    const low = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
    const two = (low + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  for (const [index, value] of [a, b, c, d, e, f, g, h].entries())
    state[index] = (state[index] as number) + value;
}

/** 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / blockBytes) * blockBytes);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, bytes.length << 3);
  const state = start.slice();
  const words = new Int32Array(64);
  for (let at = 0; at < padded.length; at += blockBytes) mix(state, view, at, words);
  const digest = new Uint8Array(32);
  const out = new DataView(digest.buffer);
  for (const [index, value] of state.entries()) out.setInt32(4 * index, value);
  return digest;
}

/** 32 bytes. To compare it with one that came, compare `sha256` of both: how long that takes tells nothing. */
export function hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const short = key.length > blockBytes ? sha256(key) : key;
  const padWith = (pad: number, then: Uint8Array): Uint8Array => {
    const whole = new Uint8Array(blockBytes + then.length).fill(pad, 0, blockBytes);
    for (const [at, byte] of short.entries()) whole[at] = byte ^ pad;
    whole.set(then, blockBytes);
    return sha256(whole);
  };
  return padWith(0x5c, padWith(0x36, bytes));
}

/** In lower case, two digits for each byte. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
