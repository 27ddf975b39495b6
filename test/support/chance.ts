/** Randomness for tests: from a seed, or exactly what a test says. */
import type { Random } from "../../runtime/contract.ts";

export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return {
    unit() {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    },
    bytes: (count) => new Uint8Array(count),
  };
}

/** These numbers in turn, over and over. */
export function scripted(...units: readonly number[]): Random {
  let at = 0;
  return { unit: () => units[at++ % units.length] ?? 0, bytes: (count) => new Uint8Array(count) };
}
