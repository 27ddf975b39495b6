/**
 * The beginning of a prompt as a chain of hashes: each covers a block of bytes and all blocks before it, so that two prompts
 * have as many hashes in common as their beginnings are equal. Blocks grow, so that a long prompt has some hundred of them.
 * What engines put in another order than a request does (tools, system prompt, messages) has a chain of its own each.
 */

/** Bytes of blocks, and up to which offset they are so long. All are whole words. */
const steps: readonly (readonly [blockBytes: number, untilBytes: number])[] = [
  [256, 4_096],
  [1_024, 65_536],
  [4_096, 262_144],
  [16_384, Infinity],
];

const multiplier1 = 0xcc9e2d51;
const multiplier2 = 0x1b873593;

/** One part of a prompt. */
export interface PrefixPart {
  /** One for each whole block, 32 bits. */
  readonly hashes: readonly number[];
  /** Where each block ends, in bytes from the beginning of the part. */
  readonly ends: readonly number[];
}

/** MurmurHash3 (32 bits) over words, carried on from block to block. */
export class PrefixHasher implements PrefixPart {
  readonly hashes: number[] = [];
  readonly ends: number[] = [];
  /** Of the part so far. */
  bytes = 0;
  #hash: number;
  #word = 0;
  #nextEnd = steps[0]?.[0] as number;

  /** Parts of different seeds have no hash in common. */
  constructor(seed: number) {
    this.#hash = seed | 0;
  }

  push(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end;) {
      const until = Math.min(end, at + this.#nextEnd - this.bytes);
      this.#take(bytes, at, until);
      this.bytes += until - at;
      at = until;
      if (this.bytes === this.#nextEnd) this.#endBlock();
    }
  }

  #take(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    let place = this.bytes & 3;
    while (place !== 0 && at < end) {
      this.#word |= (bytes[at++] as number) << (place * 8);
      place = (place + 1) & 3;
      if (place === 0) this.#mix();
    }
    let hash = this.#hash;
    for (; at + 4 <= end; at += 4) {
      const word =
        (bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24);
      hash = mixed(hash, word);
    }
    this.#hash = hash;
    for (; at < end; at++, place++) this.#word |= (bytes[at] as number) << (place * 8);
  }

  #mix(): void {
    this.#hash = mixed(this.#hash, this.#word);
    this.#word = 0;
  }

  #endBlock(): void {
    this.hashes.push(finished(this.#hash));
    this.ends.push(this.bytes);
    const [length] = steps.find(([, until]) => this.bytes < until) as readonly [number, number];
    this.#nextEnd = this.bytes + length;
  }
}

function mixed(hash: number, word: number): number {
  let mix = Math.imul(word, multiplier1);
  mix = Math.imul((mix << 15) | (mix >>> 17), multiplier2);
  const next = hash ^ mix;
  return (Math.imul((next << 13) | (next >>> 19), 5) + 0xe6546b64) | 0;
}

function finished(hash: number): number {
  let mix = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
  return (mix ^ (mix >>> 16)) >>> 0;
}
