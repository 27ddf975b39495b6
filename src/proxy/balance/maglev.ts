/**
 * Maglev hashing (Eisenbud and others, NSDI 2016, section 3.4): a table of a prime number of slots, which endpoints fill in
 * turns, each in an order of its own. A pick is one look; when an endpoint leaves, few keys of the others move.
 */
import { hashNumber, hashText } from "../../base/hash.ts";
import { limits } from "../../model/limits.ts";
import { lookedAtOnce, type KeyTable, type Placed } from "./key_table.ts";

const slots = limits.maglevSlots;
const empty = 0xffff;
const skipSeed = 0x5ca1ab1e;
/** Slots that are looked at in one piece, taken ones too. */
const probesAtOnce = 32_768;
/** Hash and index in one number that sorts as the hash does: 32 and 16 bits. */
const indexSpan = 2 ** 16;

class MaglevTable implements KeyTable {
  constructor(readonly table: Uint16Array) {}

  indexAt(key: number, step: number): number {
    const place = step === 0 ? key : hashNumber(key, step);
    return this.table[place % slots] as number;
  }
}

export function* maglevTable(endpoints: readonly Placed[]): Generator<void, KeyTable> {
  const count = endpoints.length;
  // Their turns are in an order that does not depend on which proxy it is.
  const hashes = new Float64Array(count);
  const skips = new Uint32Array(count);
  let weightMax = 0;
  for (let at = 0; at < count; at++) {
    const { id, weight } = endpoints[at] as Placed;
    hashes[at] = hashText(id) * indexSpan + at;
    skips[at] = (hashText(id, skipSeed) % (slots - 1)) + 1;
    weightMax = Math.max(weightMax, weight);
    if (at % lookedAtOnce === lookedAtOnce - 1) yield;
  }
  hashes.sort();
  yield;
  const next = Uint32Array.from(hashes, (packed) => Math.floor(packed / indexSpan) % slots);
  const order = Uint16Array.from(hashes, (packed) => packed % indexSpan);
  const due = new Float64Array(count);
  const table = new Uint16Array(slots).fill(empty);
  let probes = 0;
  for (let filled = 0; ;)
    for (let turn = 0; turn < count; turn++) {
      const at = order[turn] as number;
      if (++probes >= probesAtOnce) {
        probes = 0;
        yield;
      }
      // A smaller weight has its turn in fewer rounds.
      due[turn] = (due[turn] as number) + (endpoints[at] as Placed).weight / weightMax;
      if ((due[turn] as number) < 1) continue;
      due[turn] = (due[turn] as number) - 1;
      const skip = skips[at] as number;
      let slot = next[turn] as number;
      while (table[slot] !== empty) {
        slot += skip;
        if (slot >= slots) slot -= slots;
        probes++;
      }
      table[slot] = at;
      next[turn] = slot;
      if (++filled === slots) return new MaglevTable(table);
    }
}
