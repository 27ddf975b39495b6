/**
 * Field sections that come again and again, kept once each for the whole process: the fields of a head that begins like one of
 * them point to it. Whoever has made something of a stem (its encoding, an answer to a question about it) may keep that by the
 * stem's number instead of making it for every head anew.
 */
import { copyBytes, sameBytes } from "../base/bytes.ts";
import { fieldStride } from "./fields.ts";
import { HeadFields } from "./head_fields.ts";

const slots = 256;
const stemBytesMax = 2_048;

/** Bounded: one stem per slot, the newest stays. */
class Stems {
  readonly #all: (HeadFields | null)[] = new Array<HeadFields | null>(slots).fill(null);
  #count = 0;

  of(fields: HeadFields, count: number, end: number): HeadFields {
    const slot = hashOf(fields.bytes, end) & (slots - 1);
    const known = this.#all[slot] as HeadFields | null;
    if (known !== null && isSame(known, fields, count, end)) return known;
    const stem = new HeadFields(end, count);
    copyBytes(stem.bytes, 0, fields.bytes, 0, end);
    stem.table.set(fields.table.subarray(0, count * fieldStride));
    stem.ids.set(fields.ids.subarray(0, count));
    stem.count = count;
    stem.number = ++this.#count;
    stem.stem = stem;
    this.#all[slot] = stem;
    return stem;
  }
}

const stems = new Stems();

/** The stem that equals the first `count` fields, which end at `end`; null when it would be too long. */
export function stemOf(fields: HeadFields, count: number, end: number): HeadFields | null {
  return end > stemBytesMax ? null : stems.of(fields, count, end);
}

function isSame(stem: HeadFields, fields: HeadFields, count: number, end: number): boolean {
  if (stem.count !== count || stem.bytes.length !== end) return false;
  for (let at = 0; at < count * fieldStride; at++) if (stem.table[at] !== fields.table[at]) return false;
  for (let at = 0; at < count; at++) if (stem.ids[at] !== fields.ids[at]) return false;
  return sameBytes(stem.bytes, fields.bytes, 0, end);
}

function hashOf(bytes: Uint8Array, end: number): number {
  let hash = end;
  for (let at = 0; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0;
  return hash ^ (hash >>> 9) ^ (hash >>> 18);
}
