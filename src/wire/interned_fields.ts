/**
 * Field sections that come again and again, kept once each for the whole process: the fields of a head that begins like one of
 * them point to it. Whoever has made something of interned fields (its encoding, an answer to a question about it) may keep that by the
 * number of those instead of making it for every head anew.
 */
import { copyBytes, sameBytes } from "../base/bytes.ts";
import { fieldStride } from "./fields.ts";
import { HeadFields } from "./head_fields.ts";

const slots = 256;
const internedBytesMax = 2_048;

/** Bounded: one entry per slot, the newest stays. */
class InternTable {
  readonly #all: (HeadFields | null)[] = new Array<HeadFields | null>(slots).fill(null);
  #count = 0;

  of(fields: HeadFields, count: number, end: number): HeadFields {
    const slot = hashOf(fields.bytes, end) & (slots - 1);
    const known = this.#all[slot] as HeadFields | null;
    if (known !== null && isSame(known, fields, count, end)) return known;
    const interned = new HeadFields(end, count);
    copyBytes(interned.bytes, 0, fields.bytes, 0, end);
    interned.table.set(fields.table.subarray(0, count * fieldStride));
    interned.ids.set(fields.ids.subarray(0, count));
    interned.count = count;
    interned.number = ++this.#count;
    interned.interned = interned;
    this.#all[slot] = interned;
    return interned;
  }
}

const internTable = new InternTable();

/** The interned fields that equal the first `count` fields, which end at `end`; null when they would be too long. */
export function internFields(fields: HeadFields, count: number, end: number): HeadFields | null {
  return end > internedBytesMax ? null : internTable.of(fields, count, end);
}

function isSame(interned: HeadFields, fields: HeadFields, count: number, end: number): boolean {
  if (interned.count !== count || interned.bytes.length !== end) return false;
  for (let at = 0; at < count * fieldStride; at++) if (interned.table[at] !== fields.table[at]) return false;
  for (let at = 0; at < count; at++) if (interned.ids[at] !== fields.ids[at]) return false;
  return sameBytes(interned.bytes, fields.bytes, 0, end);
}

function hashOf(bytes: Uint8Array, end: number): number {
  let hash = end;
  for (let at = 0; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0;
  return hash ^ (hash >>> 9) ^ (hash >>> 18);
}
