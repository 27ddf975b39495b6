/** Ways to cut an input: in up to five places, or octet by octet when it is short. */
import { piecesOf } from "../support/wire.ts";
import type { Random } from "./random.ts";

const bytewiseMax = 400;

export function someCuts(text: string, random: Random): string[] {
  if (text.length < bytewiseMax && random.below(4) === 0) return [...text];
  return piecesOf(
    text,
    Array.from({ length: 1 + random.below(5) }, () => random.below(text.length + 1)),
  );
}
