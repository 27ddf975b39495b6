/** Randomness, of the Web Cryptography API. */
import type { Random } from "../contract.ts";

export const random: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  unit: () => Math.random(),
};
