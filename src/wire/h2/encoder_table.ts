/**
 * The dynamic table of an HPACK encoder (RFC 7541 section 2.3.2), found by name and value. A field enters when it comes a second
 * time.
 */
import { copyBytes } from "../../base/bytes.ts";
import { fieldOverheadBytes } from "./field_line.ts";
import { lower } from "./head_buffer.ts";
import { staticFields } from "./hpack_table.ts";

const slots = 256;

export interface Entry {
  /** Name and value, without anything between. */
  readonly bytes: Uint8Array;
  readonly nameLength: number;
  readonly hash: number;
  /** How many entries came before it. */
  readonly ordinal: number;
}

export class EncoderTable {
  /** Counts changes of the table, and of what may enter it next: while it stands, a field is coded the same. */
  changes = 0;
  /** By hash; null until something is kept. */
  #slots: (Entry | null)[] | null = null;
  /** Hashes of what was sent once, by slot. */
  #once: Int32Array | null = null;
  /** Oldest first, from `#oldest` on. */
  #entries: Entry[] = [];
  #oldest = 0;
  #inserted = 0;
  #size = 0;

  constructor(public sizeMax: number) {}

  resize(size: number): void {
    this.sizeMax = size;
    this.changes++;
    this.#evictTo(size);
  }

  find(
    hash: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    valueStart: number,
    valueEnd: number,
  ): Entry | null {
    if (this.#slots === null) return null;
    const known = this.#slots[hash & (slots - 1)] as Entry | null;
    if (known === null || known.hash !== hash) return null;
    return isSame(known, bytes, start, end, valueStart, valueEnd) ? known : null;
  }

  /** Whether a field of this hash came before; from now on it did. */
  cameOnce(hash: number): boolean {
    const once = (this.#once ??= new Int32Array(slots));
    const slot = hash & (slots - 1);
    if (once[slot] === hash) return true;
    once[slot] = hash;
    this.changes++;
    return false;
  }

  /** Whether an entry has not been evicted. */
  holds(entry: Entry): boolean {
    return entry.ordinal >= this.#inserted - this.#count;
  }

  indexOf(entry: Entry): number {
    return staticFields.length + this.#inserted - entry.ordinal;
  }

  /** `hash` 0: to be found by whoever keeps it. */
  insert(
    bytes: Uint8Array,
    start: number,
    end: number,
    valueStart: number,
    valueEnd: number,
    hash: number,
  ): Entry {
    const nameLength = end - start;
    const length = nameLength + valueEnd - valueStart;
    this.changes++;
    this.#evictTo(this.sizeMax - length - fieldOverheadBytes);
    const kept = new Uint8Array(length);
    for (let at = 0; at < nameLength; at++) kept[at] = lower(bytes[start + at] as number);
    copyBytes(kept, nameLength, bytes, valueStart, valueEnd);
    const entry: Entry = { bytes: kept, nameLength, hash, ordinal: this.#inserted++ };
    this.#entries.push(entry);
    this.#size += length + fieldOverheadBytes;
    if (hash !== 0) (this.#slots ??= new Array<Entry | null>(slots).fill(null))[hash & (slots - 1)] = entry;
    return entry;
  }

  get #count(): number {
    return this.#entries.length - this.#oldest;
  }

  #evictTo(size: number): void {
    while (this.#size > size && this.#count > 0) {
      const entry = this.#entries[this.#oldest++] as Entry;
      this.#size -= entry.bytes.length + fieldOverheadBytes;
      const slot = entry.hash & (slots - 1);
      if (this.#slots !== null && this.#slots[slot] === entry) this.#slots[slot] = null;
    }
    if (this.#oldest > 128) {
      this.#entries = this.#entries.slice(this.#oldest);
      this.#oldest = 0;
    }
  }
}

/** Of a few bytes that mostly differ: what it finds is compared whole. Never 0. */
export function hashOf(
  bytes: Uint8Array,
  start: number,
  end: number,
  valueStart: number,
  valueEnd: number,
): number {
  let hash = (end - start) * 97 + (valueEnd - valueStart);
  hash = Math.imul(hash, 31) + (((bytes[start] as number) | 0x20) << 4);
  hash = Math.imul(hash, 31) + ((bytes[(start + end) >> 1] as number) | 0x20);
  hash = Math.imul(hash, 31) + ((bytes[end - 1] as number) | 0x20);
  for (let at = Math.max(valueStart, valueEnd - 12); at < valueEnd; at++)
    hash = Math.imul(hash, 31) + (bytes[at] as number);
  const middle = (valueStart + valueEnd) >> 1;
  if (middle < valueEnd - 12)
    hash = Math.imul(hash, 31) + (bytes[middle] as number) * 3 + (bytes[valueStart] as number);
  hash = (hash ^ (hash >>> 15)) | 0;
  return hash === 0 ? 1 : hash;
}

function isSame(
  entry: Entry,
  bytes: Uint8Array,
  start: number,
  end: number,
  valueStart: number,
  valueEnd: number,
): boolean {
  const { bytes: kept, nameLength } = entry;
  const valueLength = valueEnd - valueStart;
  if (end - start !== nameLength || kept.length !== nameLength + valueLength) return false;
  for (let at = 0; at < nameLength; at++) if (kept[at] !== lower(bytes[start + at] as number)) return false;
  for (let at = 0; at < valueLength; at++) if (kept[nameLength + at] !== bytes[valueStart + at]) return false;
  return true;
}
