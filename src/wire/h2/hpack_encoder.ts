/**
 * HPACK encoding (RFC 7541), made for speed: strings go as they are, a field enters the table when it comes a second time,
 * and what changes with every message or is a secret never does. A block is gathered behind room for its frame header.
 */
import { latin1Bytes } from "../../base/bytes.ts";
import { fieldStride, type Fields } from "../fields.ts";
import { HeadFields, idOf, nameIdAt, type KnownName } from "../head_fields.ts";
import { dropAlike, isDropped, mayBeTrailer, type FieldWriting } from "../h1/write_head.ts";
import { fieldOverheadBytes } from "./field_line.ts";
import { type Entry, EncoderTable, hashOf } from "./encoder_table.ts";
import { frameHeaderBytes } from "./frames.ts";
import {
  headBuffer,
  lower,
  putByte,
  putBytes,
  putInteger,
  putLower,
  putText,
  reserve,
} from "./head_buffer.ts";
import { staticFields } from "./hpack_table.ts";

const teId = idOf("te");
const dateId = idOf("date");

/** How a field is sent, by the number of its name. */
const secret = 1;
const volatile = 2;
const treatment: Uint8Array = (() => {
  const table = new Uint8Array(64);
  const set = (how: number, ...names: KnownName[]): void => {
    for (const name of names) table[idOf(name)] = how;
  };
  set(secret, "authorization", "cookie", "set-cookie");
  set(volatile, "content-length", "x-request-id", "traceparent", "tracestate");
  return table;
})();

/** A larger entry would push too many others out. */
const entryBytesMax = 1024;

/** What interned fields became, while the table stands. */
interface Coded {
  readonly interned: number;
  readonly changes: number;
  readonly request: boolean;
  readonly writing: FieldWriting;
  readonly bytes: Uint8Array;
  /** Whether a Date was among them. */
  readonly dated: boolean;
}

const codedSlots = 16;

/** A name that is written as text: the value that its entry has; null: the entry lends the name alone. */
interface Spelt {
  readonly value: string | null;
  readonly entry: Entry;
}

const speltMax = 64;

const staticNames: readonly (
  readonly { readonly index: number; readonly codes: Uint8Array }[] | undefined
)[] = (() => {
  const table: { index: number; codes: Uint8Array }[][] = [];
  staticFields.forEach(([name], at) => {
    if (staticFields.findIndex(([first]) => first === name) !== at) return;
    const codes = latin1Bytes(name);
    (table[name.length] ??= []).push({ index: at + 1, codes });
  });
  return table;
})();

/** Where text is made bytes of. */
const pair = { bytes: new Uint8Array(1024) };

export class HpackEncoder {
  readonly #table: EncoderTable;
  /** Entries that lend their name to volatile fields, by number of the name. */
  #lenders: (Entry | undefined)[] = [];
  #spelt: Map<string, Spelt> | null = null;
  /** By number of the interned fields; null until one came. */
  #coded: (Coded | null)[] | null = null;
  /** Size updates owed to the peer: the smallest since the last block, and the current one; -1 for none. */
  #owedMin = -1;
  #owed = -1;

  /** `tableBytesMax`: what this side wants to use at most. */
  constructor(readonly tableBytesMax: number) {
    this.#table = new EncoderTable(tableBytesMax);
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  limitTable(peerBytesMax: number): void {
    const size = Math.min(peerBytesMax, this.tableBytesMax);
    if (size === this.#table.sizeMax) return;
    this.#owedMin = this.#owedMin < 0 ? size : Math.min(this.#owedMin, size);
    this.#owed = size;
    this.#table.resize(size);
  }

  /** Starts a block in `headBuffer`. */
  begin(): void {
    headBuffer.end = frameHeaderBytes;
    if (this.#owed < 0) return;
    if (this.#owedMin < this.#owed) putInteger(0x20, 0x1f, this.#owedMin);
    putInteger(0x20, 0x1f, this.#owed);
    this.#owed = this.#owedMin = -1;
  }

  status(status: number): void {
    const index = statusIndices[status];
    if (index !== undefined) return putByte(0x80 | index);
    // Without indexing, named by the entry of 200.
    reserve(5);
    const { bytes } = headBuffer;
    let at = headBuffer.end;
    bytes[at++] = 8;
    bytes[at++] = 3;
    bytes[at++] = 48 + Math.floor(status / 100);
    bytes[at++] = 48 + (Math.floor(status / 10) % 10);
    bytes[at++] = 48 + (status % 10);
    headBuffer.end = at;
  }

  method(method: string): void {
    if (method === "GET") putByte(0x82);
    else if (method === "POST") putByte(0x83);
    else this.text(":method", method);
  }

  scheme(scheme: "http" | "https"): void {
    putByte(scheme === "http" ? 0x86 : 0x87);
  }

  path(path: string): void {
    if (path === "/") putByte(0x84);
    else this.text(":path", path);
  }

  /** A field from text: name in lower case, characters below 256. */
  text(name: string, value: string): void {
    const spelt = this.#spelt?.get(name);
    if (spelt === undefined || !this.#table.holds(spelt.entry)) return this.#spell(name, value);
    if (spelt.value === value) putInteger(0x80, 0x7f, this.#table.indexOf(spelt.entry));
    else if (spelt.value === null && isTrim(value)) {
      putInteger(0, 0x0f, this.#table.indexOf(spelt.entry));
      putInteger(0, 0x7f, value.length);
      putText(value);
    } else this.#spell(name, value);
  }

  /** Makes bytes of a field, and remembers it by its text when it stands in the table. */
  #spell(name: string, value: string): void {
    const length = name.length + value.length;
    if (pair.bytes.length < length) pair.bytes = new Uint8Array(length * 2);
    const { bytes } = pair;
    let at = 0;
    for (let index = 0; index < name.length; index++) bytes[at++] = name.charCodeAt(index);
    const nameEnd = at;
    for (let index = 0; index < value.length; index++) bytes[at++] = value.charCodeAt(index);
    let start = nameEnd;
    while (start < at && isBlank(bytes[start] as number)) start++;
    while (at > start && isBlank(bytes[at - 1] as number)) at--;
    const id = nameIdAt(bytes, 0, nameEnd);
    const entry = this.#field(bytes, 0, nameEnd, start, at, id);
    const all = (this.#spelt ??= new Map());
    if (entry === null || (all.size >= speltMax && !all.has(name))) return;
    const lends = treatment[id] === volatile;
    all.set(name, { value: lends ? null : value, entry });
  }

  /** A whole number, never indexed. `name` is a static one. */
  contentLength(length: number): void {
    // Literal without indexing, name 28.
    putInteger(0, 0x0f, 28);
    let scale = 1;
    let digits = 1;
    while (length / scale >= 10) {
      scale *= 10;
      digits++;
    }
    reserve(digits + 1);
    const { bytes } = headBuffer;
    let at = headBuffer.end;
    bytes[at++] = digits;
    for (let rest = length; scale >= 1; scale /= 10) {
      const digit = Math.floor(rest / scale);
      rest -= digit * scale;
      bytes[at++] = 48 + digit;
    }
    headBuffer.end = at;
  }

  /** The fields that cross, then what the edits set and add, as `writeFields` of HTTP/1. Returns whether there was a Date. */
  fields(fields: Fields | null, writing: FieldWriting, request: boolean): boolean {
    const { edits } = writing;
    const dated = fields !== null && this.#copy(fields, writing, request);
    this.#pairs(edits.set);
    this.#pairs(edits.add);
    return dated;
  }

  /** Trailer fields that may cross. */
  trailers(fields: Fields): void {
    const { bytes, table, count } = fields;
    for (let index = 0; index < count; index++) {
      const at = index * fieldStride;
      const start = table[at] as number;
      const end = table[at + 1] as number;
      if (!crossesAsTrailer(fields, index)) continue;
      const id = nameIdAt(bytes, start, end);
      this.#field(bytes, start, end, table[at + 2] as number, table[at + 3] as number, id);
    }
  }

  #copy(fields: Fields, writing: FieldWriting, request: boolean): boolean {
    const interned = fields instanceof HeadFields && writing.nominated === null ? fields.interned : null;
    if (interned === null) return this.#copyFrom(0, fields, writing, request);
    const dated = this.#interned(interned, writing, request);
    return this.#copyFrom(interned.count, fields, writing, request) || dated;
  }

  /** interned fields: as they were coded before, or coded now and kept when that changes nothing. */
  #interned(interned: HeadFields, writing: FieldWriting, request: boolean): boolean {
    const all = (this.#coded ??= new Array<Coded | null>(codedSlots).fill(null));
    const slot = interned.number & (codedSlots - 1);
    const known = all[slot] as Coded | null;
    if (
      known !== null &&
      known.interned === interned.number &&
      known.changes === this.#table.changes &&
      known.request === request &&
      dropAlike(known.writing, writing)
    ) {
      putBytes(known.bytes, 0, known.bytes.length);
      return known.dated;
    }
    const changes = this.#table.changes;
    const start = headBuffer.end;
    const dated = this.#copyFrom(0, interned, writing, request);
    if (this.#table.changes !== changes) return dated;
    const bytes = headBuffer.bytes.slice(start, headBuffer.end);
    all[slot] = { interned: interned.number, changes, request, writing: { ...writing }, bytes, dated };
    return dated;
  }

  #copyFrom(from: number, fields: Fields, writing: FieldWriting, request: boolean): boolean {
    const { bytes, table, count } = fields;
    const ids = fields instanceof HeadFields ? fields.ids : null;
    let dated = false;
    for (let index = from; index < count; index++) {
      const at = index * fieldStride;
      const start = table[at] as number;
      const end = table[at + 1] as number;
      const valueStart = table[at + 2] as number;
      const valueEnd = table[at + 3] as number;
      const id = ids === null ? nameIdAt(bytes, start, end) : (ids[index] as number);
      if (id === teId && request && holdsTrailers(bytes, valueStart, valueEnd)) this.text("te", "trailers");
      if (isDropped(fields, index, id, writing)) continue;
      if (id === dateId) dated = true;
      this.#field(bytes, start, end, valueStart, valueEnd, id);
    }
    return dated;
  }

  #pairs(pairs: readonly string[]): void {
    for (let at = 0; at + 1 < pairs.length; at += 2) this.text(pairs[at] as string, pairs[at + 1] as string);
  }

  // ---------------------------------------------------------------------------------------------- one field

  /** Returns the entry that it stands in, or that lends its name; null when it is in no entry. */
  #field(
    bytes: Uint8Array,
    start: number,
    end: number,
    valueStart: number,
    valueEnd: number,
    id: number,
  ): Entry | null {
    const nameLength = end - start;
    const size = nameLength + valueEnd - valueStart + fieldOverheadBytes;
    const how = treatment[id] as number;
    if (how === secret || size > entryBytesMax || size > this.#table.sizeMax) {
      const mark = how === secret ? 0x10 : 0;
      this.#literal(mark, 0x0f, staticNameIndex(bytes, start, end), bytes, start, end, valueStart, valueEnd);
      return null;
    }
    if (how === volatile) return this.#volatile(bytes, start, end, valueStart, valueEnd, id);
    const table = this.#table;
    const hash = hashOf(bytes, start, end, valueStart, valueEnd);
    const known = table.find(hash, bytes, start, end, valueStart, valueEnd);
    if (known !== null) {
      putInteger(0x80, 0x7f, table.indexOf(known));
      return known;
    }
    const name = staticNameIndex(bytes, start, end);
    if (table.cameOnce(hash)) {
      this.#literal(0x40, 0x3f, name, bytes, start, end, valueStart, valueEnd);
      return table.insert(bytes, start, end, valueStart, valueEnd, hash);
    }
    this.#literal(0, 0x0f, name, bytes, start, end, valueStart, valueEnd);
    return null;
  }

  /** Its value is new each time, its name is not: one entry lends the name. */
  #volatile(
    bytes: Uint8Array,
    start: number,
    end: number,
    valueStart: number,
    valueEnd: number,
    id: number,
  ): Entry | null {
    const fixed = staticNameIndex(bytes, start, end);
    if (fixed > 0) {
      this.#literal(0, 0x0f, fixed, bytes, start, end, valueStart, valueEnd);
      return null;
    }
    const lender = this.#lenders[id];
    if (lender !== undefined && this.#table.holds(lender)) {
      this.#literal(0, 0x0f, this.#table.indexOf(lender), bytes, start, end, valueStart, valueEnd);
      return lender;
    }
    this.#literal(0x40, 0x3f, 0, bytes, start, end, valueStart, valueEnd);
    return (this.#lenders[id] = this.#table.insert(bytes, start, end, valueStart, valueEnd, 0));
  }

  #literal(
    mark: number,
    prefix: number,
    nameIndex: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    putInteger(mark, prefix, nameIndex);
    if (nameIndex === 0) {
      putInteger(0, 0x7f, end - start);
      putLower(bytes, start, end);
    }
    putInteger(0, 0x7f, valueEnd - valueStart);
    putBytes(bytes, valueStart, valueEnd);
  }
}

const statusIndices: Readonly<Record<number, number>> = {
  200: 8,
  204: 9,
  206: 10,
  304: 11,
  400: 12,
  404: 13,
  500: 14,
};

/** Whether no blank stands around it. */
function isTrim(text: string): boolean {
  const { length } = text;
  return length === 0 || !(isBlank(text.charCodeAt(0)) || isBlank(text.charCodeAt(length - 1)));
}

function isBlank(byte: number): boolean {
  return byte === 32 || byte === 9;
}

/** Index of the first static entry with this name; 0 when there is none. */
function staticNameIndex(bytes: Uint8Array, start: number, end: number): number {
  const candidates = staticNames[end - start];
  if (candidates === undefined) return 0;
  for (const { index, codes } of candidates) {
    let at = 0;
    while (at < codes.length && lower(bytes[start + at] as number) === codes[at]) at++;
    if (at === codes.length) return index;
  }
  return 0;
}

/** First letters of names that may not be trailers: the others need no second look. */
const doubtful: Uint8Array = (() => {
  const table = new Uint8Array(256);
  for (const letter of "hctuaserxmHCTUASERXM") table[letter.charCodeAt(0)] = 1;
  return table;
})();

function crossesAsTrailer(fields: Fields, index: number): boolean {
  const first = fields.bytes[fields.table[index * fieldStride] as number] as number;
  return doubtful[first] === 0 || mayBeTrailer(fields.nameAt(index));
}

/** Whether a TE value has `trailers` among its codings. */
function holdsTrailers(bytes: Uint8Array, start: number, end: number): boolean {
  const word = "trailers";
  let matched = 0;
  for (let at = start; at < end; at++) {
    const byte = lower(bytes[at] as number);
    if (byte === 44 || isBlank(byte)) {
      if (matched === word.length) return true;
      matched = 0;
    } else if (matched >= 0 && matched < word.length && byte === word.charCodeAt(matched)) matched++;
    else if (byte === 59 && matched === word.length) return true;
    else matched = -1;
  }
  return matched === word.length;
}
