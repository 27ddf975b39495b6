/** Randomness of the Bun adapter. */
import type { Random } from "../contract.ts";

export const random: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  unit: () => Math.random(),
};
