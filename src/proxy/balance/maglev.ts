/**
 * Maglev hashing (Eisenbud and others, NSDI 2016, section 3.4): a table of a prime number of slots, which endpoints fill in
 * turns, each in an order of its own. A pick is one look; when an endpoint leaves, few keys of the others move.
 */
import { hashNumber, hashText } from "../../base/hash.ts";
import { limits } from "../../model/limits.ts";
import type { Candidate } from "./candidate.ts";
import { ByKey } from "./by_key.ts";

const slots = limits.maglevSlots;
const empty = 0xffff;
const skipSeed = 0x5ca1ab1e;

export class Maglev<Endpoint extends Candidate> extends ByKey<Endpoint> {
  readonly #table = new Uint16Array(slots);

  protected build(endpoints: readonly Endpoint[]): void {
    // In an order that does not depend on which proxy it is.
    const order = endpoints
      .map((_, at) => at)
      .sort((a, b) => (idOf(endpoints, a) < idOf(endpoints, b) ? -1 : 1));
    const next = Float64Array.from(order, (at) => hashText(idOf(endpoints, at)) % slots);
    const skip = Float64Array.from(
      order,
      (at) => (hashText(idOf(endpoints, at), skipSeed) % (slots - 1)) + 1,
    );
    const due = new Float64Array(order.length);
    const weightMax = Math.max(...order.map((at) => (endpoints[at] as Endpoint).weight));
    const table = this.#table.fill(empty);
    for (let filled = 0; ;)
      for (let turn = 0; turn < order.length; turn++) {
        const at = order[turn] as number;
        // A smaller weight has its turn in fewer rounds.
        due[turn] = (due[turn] as number) + (endpoints[at] as Endpoint).weight / weightMax;
        if ((due[turn] as number) < 1) continue;
        due[turn] = (due[turn] as number) - 1;
        let slot = next[turn] as number;
        while (table[slot] !== empty) slot = (slot + (skip[turn] as number)) % slots;
        table[slot] = at;
        next[turn] = (slot + (skip[turn] as number)) % slots;
        if (++filled === slots) return;
      }
  }

  protected indexAt(key: number, step: number): number {
    const place = step === 0 ? key : hashNumber(key, step);
    return this.#table[place % slots] as number;
  }
}

function idOf(endpoints: readonly Candidate[], at: number): string {
  return (endpoints[at] as Candidate).id;
}
