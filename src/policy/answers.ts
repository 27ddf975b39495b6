/**
 * Answers of calls as they travel from the worker to the proxy: `first,cpu,us,length,us,length,…;` and then the answers
 * themselves, one behind the other. `first` is the call of the batch that the first answer is about, `cpu` the processor time of
 * the thread since it last said so (0 but for the last part of a batch), `us` how long a call took; times in microseconds.
 * Lengths are counted outside of the realm: whatever a policy answers, it answers its own call with it and no other.
 */
import { limits } from "../model/limits.ts";

const comma = 0x2c;
const semicolon = 0x3b;
const zero = 0x30;
const digitsMax = 9;
/** Of each answer: how long it took, and its length. */
const perAnswer = 2;
const before = 2;

/** Reads one text at a time; what it read stands in it until the next one. Nothing is made for an answer but its text. */
export class AnswersReader {
  /** Answers of the text. */
  count = 0;
  #text = "";
  #at = 0;
  #index = 0;
  /** Numbers of the text. */
  #found = 0;
  readonly #numbers = new Int32Array(before + perAnswer * limits.policyBatchCallsMax);

  /** Null when the text is whole, or what is wrong with it. */
  read(text: string): string | null {
    this.#text = text;
    this.#index = 0;
    const problem = this.#readNumbers();
    if (problem !== null) return problem;
    const found = this.#found;
    if (found < before || (found - before) % perAnswer !== 0) return `it has ${found} numbers`;
    this.count = (found - before) / perAnswer;
    let length = 0;
    for (let index = 0; index < this.count; index++) length += this.#lengthOf(index);
    const there = text.length - this.#at;
    return length === there ? null : `it announces ${length} letters of answers and has ${there}`;
  }

  get first(): number {
    return this.#numbers[0] ?? 0;
  }

  get cpuUs(): number {
    return this.#numbers[1] ?? 0;
  }

  /** How long the call took whose answer `next` gives. */
  get us(): number {
    return this.#numbers[before + this.#index * perAnswer] ?? 0;
  }

  /** The answers, one after the other. */
  next(): string {
    const end = this.#at + this.#lengthOf(this.#index++);
    const answer = this.#text.slice(this.#at, end);
    this.#at = end;
    return answer;
  }

  #lengthOf(index: number): number {
    return this.#numbers[before + index * perAnswer + 1] ?? 0;
  }

  /** Those before the semicolon; says what is wrong with them. */
  #readNumbers(): string | null {
    const text = this.#text;
    let count = 0;
    let value = 0;
    let digits = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === comma || code === semicolon) {
        if (digits === 0) return "a number is missing";
        if (count === this.#numbers.length) return `it has more than ${limits.policyBatchCallsMax} answers`;
        this.#numbers[count++] = value;
        value = digits = 0;
        if (code === comma) continue;
        this.#at = at + 1;
        this.#found = count;
        return null;
      }
      const digit = code - zero;
      if (digit < 0 || digit > 9 || ++digits > digitsMax) return "it does not begin with numbers";
      value = value * 10 + digit;
    }
    return "it ends among its numbers";
  }
}
