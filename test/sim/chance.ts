/** Randomness of a simulation: streams that follow from the seed and a name, so that one more draw here moves nothing there. */
import type { Random } from "../../runtime/contract.ts";
import { hashText } from "../../src/base/hash.ts";

/** Mulberry32: 32 bits of state, which is plenty for what is drawn here. */
export function streamOf(seed: number, name: string): Random {
  let state = hashText(name, seed);
  return {
    unit() {
      state = (state + 0x6d2b79f5) | 0;
      let mix = Math.imul(state ^ (state >>> 15), 1 | state);
      mix = (mix + Math.imul(mix ^ (mix >>> 7), 61 | mix)) ^ mix;
      return ((mix ^ (mix >>> 14)) >>> 0) / 2 ** 32;
    },
    bytes: (count) => new Uint8Array(count),
  };
}

/** Exponential with this mean: between arrivals that know nothing of each other. */
export function exponential(random: Random, mean: number): number {
  return -mean * Math.log(1 - random.unit());
}
