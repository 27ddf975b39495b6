/**
 * Words that come again and again, by number. Bounded: when it is full it begins anew, and what was written by the table before the last is
 * forgotten.
 */
import { limits } from "../model/limits.ts";

/** Room that one record may need. */
const reserve = 256;

export class WordTable {
  /** Which of the tables is in use. */
  generation = 0;
  #numbers = new Map<string, number>();
  #words: string[] = [];
  #before: readonly string[] = [];

  /** To be called before the words of one record: they all are of one generation. True: numbers mean other words from now on. */
  makeRoom(): boolean {
    if (this.#words.length + reserve <= limits.evidenceNamesMax) return false;
    this.generation++;
    this.#before = this.#words;
    this.#words = [];
    this.#numbers = new Map();
    return true;
  }

  of(word: string): number {
    const known = this.#numbers.get(word);
    if (known !== undefined) return known;
    return word.length > limits.evidenceNameLengthMax
      ? this.of(word.slice(0, limits.evidenceNameLengthMax))
      : this.#add(word);
  }

  knows(generation: number): boolean {
    return generation >= this.generation - 1;
  }

  word(generation: number, number: number): string {
    return (generation === this.generation ? this.#words : this.#before)[number] ?? "";
  }

  #add(word: string): number {
    const kept = copyOf(word);
    this.#numbers.set(kept, this.#words.length);
    return this.#words.push(kept) - 1;
  }
}

/** On its own: a word that is a piece of a longer text would keep all of it. */
function copyOf(word: string): string {
  let copy = "";
  for (let at = 0; at < word.length; at++) copy += String.fromCharCode(word.charCodeAt(at));
  return copy;
}
