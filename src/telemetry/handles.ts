/**
 * Handles by three words, found without building a string; `metrics.ts` keeps some for each family. The words may come from far:
 * what is kept is bounded, and once it is full all of it is forgotten, since a handle can always be resolved anew.
 */
import { limits } from "../model/limits.ts";

export class Handles<Value> {
  #all = new Map<string, Map<string, Map<string, Value>>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  find(first: string, second: string, third: string): Value | undefined {
    return this.#all.get(first)?.get(second)?.get(third);
  }

  forget(): void {
    this.#all = new Map();
    this.#size = 0;
  }

  /** Keeps a handle that was not found. */
  keep(first: string, second: string, third: string, value: Value): Value {
    if (this.#size >= limits.metricHandlesMax) this.forget();
    inner(inner(this.#all, first), second).set(third, value);
    this.#size++;
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
