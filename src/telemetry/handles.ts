/**
 * Handles by three words, found without building a string; `metrics.ts` keeps some for each family. The words may come from far:
 * what is kept is bounded, and once it is full all of it is forgotten, since a handle can always be resolved anew.
 */
import { limits } from "../model/limits.ts";

export class Handles<Value> {
  #all = new Map<string, Map<string, Map<string, Value>>>();
  #size = 0;
  // The one that was wanted last is wanted next more often than not: three words cost less to compare than to look up.
  #first = "";
  #second = "";
  #third = "";
  #last: Value | undefined = undefined;

  get size(): number {
    return this.#size;
  }

  find(first: string, second: string, third: string): Value | undefined {
    const last = this.#last;
    if (last !== undefined && first === this.#first && second === this.#second && third === this.#third)
      return last;
    const found = this.#all.get(first)?.get(second)?.get(third);
    if (found !== undefined) this.#note(first, second, third, found);
    return found;
  }

  #note(first: string, second: string, third: string, value: Value): void {
    this.#first = first;
    this.#second = second;
    this.#third = third;
    this.#last = value;
  }

  forget(): void {
    this.#all = new Map();
    this.#size = 0;
    this.#last = undefined;
  }

  /** Keeps a handle that was not found. */
  keep(first: string, second: string, third: string, value: Value): Value {
    if (this.#size >= limits.metricHandlesMax) this.forget();
    inner(inner(this.#all, first), second).set(third, value);
    this.#size++;
    this.#note(first, second, third, value);
    return value;
  }
}

function inner<Value>(outer: Map<string, Map<string, Value>>, key: string): Map<string, Value> {
  let found = outer.get(key);
  if (found === undefined) {
    found = new Map();
    outer.set(key, found);
  }
  return found;
}
