/**
 * Fields over an owned buffer: the concrete form of `Fields` that every codec fills. Names that framing and routing need
 * are recognised once, while the head is scanned, and kept as small numbers.
 */
import { copyBytes, latin1, latin1Bytes } from "../base/bytes.ts";
import { fieldStride, type Fields } from "./fields.ts";

/** Names with a number of their own, in lower case; the index is the number. 0 is every other name. */
const knownNames = [
  "",
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "expect",
  "upgrade",
  "te",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "trailer",
  "via",
  "date",
  "x-request-id",
  "http2-settings",
  "content-type",
  "cookie",
  "set-cookie",
  "authorization",
  "traceparent",
  "tracestate",
  "grpc-timeout",
  "x-request-deadline",
  // For CGI and its heirs these two are framing.
  "content_length",
  "transfer_encoding",
] as const;

export type KnownName = Exclude<(typeof knownNames)[number], "">;

/** The number of a known name, for comparing with `Uint8Array` ids. */
export function idOf(name: KnownName): number {
  return knownNames.indexOf(name);
}

const idsByName: ReadonlyMap<string, number> = new Map(
  knownNames.map((name, id) => [name, id] as const).slice(1),
);

/** Candidates by length: most names of a message differ in length from all known ones. */
const byLength: readonly (readonly { readonly id: number; readonly codes: Uint8Array }[] | undefined)[] =
  (() => {
    const table: { id: number; codes: Uint8Array }[][] = [];
    knownNames.forEach((name, id) => {
      if (id > 0)
        (table[name.length] ??= []).push({
          id,
          codes: latin1Bytes(name),
        });
    });
    return table;
  })();

/** Number of the name in `bytes[start, end)`, any case; 0 when it is not a known one. */
export function nameIdAt(bytes: Uint8Array, start: number, end: number): number {
  const candidates = byLength[end - start];
  if (candidates === undefined) return 0;
  for (const { id, codes } of candidates) if (sameName(bytes, start, codes)) return id;
  return 0;
}

/** Compares with a lower-case name; both are tokens, so only letters differ by the case bit. */
function sameName(bytes: Uint8Array, start: number, lower: Uint8Array): boolean {
  for (let at = 0; at < lower.length; at++) {
    const byte = bytes[start + at] as number;
    const want = lower[at] as number;
    if (byte !== want && !(byte >= 65 && byte <= 90 && (byte | 0x20) === want)) return false;
  }
  return true;
}

/** Names that interned fields remember the value of. */
const answersMax = 32;

/** Growable owner of the bytes and offsets of one head; reused from head to head. */
export class HeadFields implements Fields {
  bytes: Uint8Array;
  table: Int32Array;
  ids: Uint8Array;
  count = 0;
  /** Fields that come again and again, with which these begin. Interned fields are their own, and nobody writes to it. */
  interned: HeadFields | null = null;
  /** Of interned fields: unlike that of any others. */
  number = 0;
  #answers: Map<string, string | null> | null = null;

  /** Room to begin with. */
  constructor(bytes = 1024, fields = 32) {
    this.bytes = new Uint8Array(bytes);
    this.table = new Int32Array(fields * fieldStride);
    this.ids = new Uint8Array(fields);
  }

  clear(): void {
    this.count = 0;
    this.interned = null;
  }

  /** The interned fields that these are, all of them; null when there are others. They never change. */
  get wholeInterned(): HeadFields | null {
    const { interned } = this;
    return interned !== null && interned.count === this.count ? interned : null;
  }

  /** Begins with these interned fields. */
  beginWith(interned: HeadFields): void {
    const { count } = interned;
    this.reserve(interned.bytes.length);
    copyBytes(this.bytes, 0, interned.bytes, 0, interned.bytes.length);
    while (this.ids.length < count) this.#grow();
    for (let at = 0; at < count * fieldStride; at++) this.table[at] = interned.table[at] as number;
    for (let at = 0; at < count; at++) this.ids[at] = interned.ids[at] as number;
    this.count = count;
    this.interned = interned;
  }

  /** Notes a field whose bytes lie (or will lie) at these offsets. */
  add(id: number, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    if (this.count === this.ids.length) this.#grow();
    const at = this.count * fieldStride;
    const table = this.table;
    table[at] = nameStart;
    table[at + 1] = nameEnd;
    table[at + 2] = valueStart;
    table[at + 3] = valueEnd;
    this.ids[this.count++] = id;
  }

  /** Copies `source[start, end)` to the front of the owned bytes. */
  own(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.bytes.length < length) this.bytes = new Uint8Array(Math.max(length, this.bytes.length * 2));
    copyBytes(this.bytes, 0, source, start, end);
  }

  /** Makes room for `length` owned bytes, keeping what is there. */
  reserve(length: number): void {
    if (this.bytes.length >= length) return;
    const grown = new Uint8Array(Math.max(length, this.bytes.length * 2));
    copyBytes(grown, 0, this.bytes, 0, this.bytes.length);
    this.bytes = grown;
  }

  /** A copy that lives on when this one is reused. */
  copy(): HeadFields {
    const copied = new HeadFields();
    copied.bytes = this.bytes.slice();
    copied.table = this.table.slice();
    copied.ids = this.ids.slice();
    copied.count = this.count;
    copied.interned = this.interned;
    return copied;
  }

  /** Index of the first field with this number from `from` on; -1 when there is none. */
  indexOfId(id: number, from = 0): number {
    for (let at = from; at < this.count; at++) if (this.ids[at] === id) return at;
    return -1;
  }

  get(name: string): string | null {
    const { interned } = this;
    if (interned === null) return this.#read(name, 0);
    const known = interned.#remembered(name);
    return known === null && this.count > interned.count ? this.#read(name, interned.count) : known;
  }

  #read(name: string, from: number): string | null {
    const at = this.#indexOf(name, from);
    return at < 0 ? null : this.valueAt(at);
  }

  /** Of interned fields: what was asked before is known. */
  #remembered(name: string): string | null {
    const answers = (this.#answers ??= new Map());
    const known = answers.get(name);
    if (known !== undefined) return known;
    const value = this.#read(name, 0);
    if (answers.size < answersMax) answers.set(name, value);
    return value;
  }

  getAll(name: string): string[] {
    const values: string[] = [];
    for (let at = this.#indexOf(name, 0); at >= 0; at = this.#indexOf(name, at + 1))
      values.push(this.valueAt(at));
    return values;
  }

  has(name: string): boolean {
    return this.#indexOf(name, 0) >= 0;
  }

  nameAt(index: number): string {
    const at = index * fieldStride;
    return latin1(this.bytes, this.table[at] as number, this.table[at + 1] as number).toLowerCase();
  }

  valueAt(index: number): string {
    const at = index * fieldStride;
    return latin1(this.bytes, this.table[at + 2] as number, this.table[at + 3] as number);
  }

  #indexOf(name: string, from: number): number {
    const id = idsByName.get(name);
    if (id !== undefined) return this.indexOfId(id, from);
    for (let index = from; index < this.count; index++) {
      const at = index * fieldStride;
      const start = this.table[at] as number;
      if ((this.table[at + 1] as number) - start === name.length && this.#nameEquals(start, name))
        return index;
    }
    return -1;
  }

  #nameEquals(start: number, name: string): boolean {
    for (let at = 0; at < name.length; at++) {
      const byte = this.bytes[start + at] as number;
      const want = name.charCodeAt(at);
      if (byte !== want && !(byte >= 65 && byte <= 90 && (byte | 0x20) === want)) return false;
    }
    return true;
  }

  #grow(): void {
    const table = new Int32Array(this.table.length * 2);
    table.set(this.table);
    this.table = table;
    const ids = new Uint8Array(this.ids.length * 2);
    ids.set(this.ids);
    this.ids = ids;
  }
}

/** Fields from name, value, name, value …: names in lower case, characters below 256. */
export function fieldsFrom(pairs: readonly string[]): HeadFields {
  const fields = new HeadFields();
  let text = "";
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const name = pairs[at] as string;
    const start = text.length;
    text += `${name}: ${pairs[at + 1]}\r\n`;
    const nameEnd = start + name.length;
    fields.add(idsByName.get(name) ?? 0, start, nameEnd, nameEnd + 2, text.length - 2);
  }
  fields.bytes = latin1Bytes(text);
  return fields;
}

/** Stands for a head that is over, whose own fields may be another's by now. Nobody writes to it. */
export const noFields = new HeadFields();
