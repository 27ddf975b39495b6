/** What is fuzzed: something that takes any octets, and what must hold whatever they are. */
import type { Random } from "./random.ts";

export interface FuzzTarget {
  readonly name: string;
  /** Tokens that make a difference to this reader. */
  readonly words: readonly string[];
  /** Longest input that is tried. */
  readonly bytesMax: number;
  /** What one input may cost. */
  readonly inputMs: number;
  /** Where to begin, beside the kept corpus. */
  seeds(): readonly Uint8Array[];
  /**
   * Throws when something that must hold does not. Returns a short word for what the input came to: an input with a new word
   * is worth changing further.
   */
  check(input: Uint8Array, random: Random): string;
}

/** For oracles: throws with the sentence and both sides. */
export function mustEqual(actual: string, expected: string, sentence: string): void {
  if (actual === expected) return;
  throw new Error(`${sentence}:\n  ${shortened(actual)}\n  ${shortened(expected)}`);
}

export function must(holds: boolean, sentence: string): void {
  if (!holds) throw new Error(sentence);
}

/** How large a number is, roughly: for the words of `check`, so that not every length is news. */
export function magnitude(value: number): number {
  return value <= 0 ? value : Math.ceil(Math.log2(value + 1) / 2);
}

function shortened(text: string): string {
  const shown = JSON.stringify(text);
  return shown.length > 800 ? `${shown.slice(0, 800)}… (${text.length})` : shown;
}
