/**
 * The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B). The code is canonical, so its lengths are all there is to
 * know. Decoding walks a table of half bytes: at most one letter comes out of each.
 */

/** Bits of the code of each octet, and of EOS (RFC 7541 appendix B). */
// prettier-ignore
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];

const endOfString = 256;

export interface HuffmanCode {
  /** By octet; the last is EOS. Right-aligned. */
  readonly codes: Uint32Array;
  readonly lengths: readonly number[];
}

/** Codes of one length count up in the order of the octets, and go on behind those of the length before. @visibleForTesting */
export const huffmanCode: HuffmanCode = (() => {
  const codes = new Uint32Array(lengths.length);
  const order = lengths.map((_, symbol) => symbol);
  order.sort((a, b) => (lengths[a] as number) - (lengths[b] as number) || a - b);
  let code = 0;
  let bits = lengths[order[0] as number] as number;
  for (const symbol of order) {
    const length = lengths[symbol] as number;
    code *= 2 ** (length - bits);
    bits = length;
    codes[symbol] = code++;
  }
  return { codes, lengths };
})();

const emits = 0x1_0000;
const fails = 0x2_0000;

/**
 * `steps[state * 16 + half byte]`: next state in the low byte, the letter above it, and the two marks. `accepts[state]`:
 * the string may end there, with up to seven ones as padding.
 */
const { steps, accepts } = (() => {
  // Inner nodes of the tree; a child is a node, or `leaf | symbol`.
  const leaf = 0x1000;
  const children: number[][] = [[]];
  huffmanCode.codes.forEach((code, symbol) => {
    let node = 0;
    for (let bit = (lengths[symbol] as number) - 1; bit >= 0; bit--) {
      const side = Math.floor(code / 2 ** bit) % 2;
      const branch = children[node] as number[];
      if (bit === 0) branch[side] = leaf | symbol;
      else node = branch[side] ??= children.push([]) - 1;
    }
  });
  const table = new Uint32Array(children.length * 16);
  for (let state = 0; state < children.length; state++) {
    for (let half = 0; half < 16; half++) {
      let node = state;
      let step = 0;
      for (let bit = 3; bit >= 0; bit--) {
        const child = (children[node] as number[])[(half >> bit) & 1] as number;
        if (child < leaf) node = child;
        else if (child === (leaf | endOfString)) step = fails;
        else {
          step |= emits | ((child & 0xff) << 8);
          node = 0;
        }
        if (step === fails) break;
      }
      table[state * 16 + half] = step | node;
    }
  }
  const ends = new Uint8Array(children.length);
  for (let node = 0, ones = 0; ones < 8; ones++) {
    ends[node] = 1;
    node = (children[node] as number[])[1] as number;
  }
  return { steps: table, accepts: ends };
})();

/** Octets that `length` coded ones can become at most: the shortest code has five bits. */
export function decodedBytesMax(length: number): number {
  return ((length * 8) / 5) | 0;
}

/**
 * Decodes `source[start, end)` into `target` from `at` on, which must have room (`decodedBytesMax`). Returns the offset
 * behind the last octet; -1 for EOS inside, padding longer than seven bits or of anything but ones.
 */
export function huffmanDecode(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  let state = 0;
  let to = at;
  for (let index = start; index < end; index++) {
    const byte = source[index] as number;
    let step = steps[state * 16 + (byte >> 4)] as number;
    if ((step & emits) !== 0) target[to++] = step >> 8;
    const upper = step;
    step = steps[(step & 0xff) * 16 + (byte & 15)] as number;
    if (((upper | step) & fails) !== 0) return -1;
    if ((step & emits) !== 0) target[to++] = step >> 8;
    state = step & 0xff;
  }
  return accepts[state] === 1 ? to : -1;
}
