/**
 * Writes heads by splicing: fields that stay are copied as one span, what is of this hop is left out, framing is written
 * anew. Works on any `Sink`, which is the output of a connection.
 */
import { joined, latin1Bytes } from "../../base/bytes.ts";
import { fieldStride, noEdits, type FieldEdits, type Fields } from "../fields.ts";
import { HeadFields, idOf } from "../head_fields.ts";

/** Where a head goes. */
export interface ByteSink {
  bytes(source: Uint8Array, start: number, end: number): void;
  /** Text of characters below 256. */
  text(text: string): void;
  /** A field line of such text, with its line end. */
  line(name: string, value: string): void;
}

/** Known names that never cross a hop, by number: hop-by-hop fields, and framing, which the writer owns. */
const ofThisHop: Uint8Array = (() => {
  const table = new Uint8Array(32);
  const names = [
    ...([
      "connection",
      "keep-alive",
      "proxy-connection",
      "proxy-authenticate",
      "proxy-authorization",
      "te",
      "trailer",
    ] as const),
    ...(["transfer-encoding", "content-length", "upgrade", "http2-settings"] as const),
    ...(["transfer_encoding", "content_length"] as const),
  ];
  for (const name of names) table[idOf(name)] = 1;
  return table;
})();

const lengthId = idOf("content-length");

export interface FieldWriting {
  readonly edits: FieldEdits;
  /** Names that Connection nominated. */
  readonly nominated: readonly string[] | null;
  /** Keep Content-Length as it came: the answer to HEAD, or 304. */
  readonly keepLength: boolean;
  /** Names written by the caller; a field of that number is left out. 0 for none. */
  readonly replacedId: number;
}

class SharedWriting implements FieldWriting {
  edits = noEdits;
  nominated: readonly string[] | null = null;
  keepLength = false;
  replacedId = 0;
}

/** Two of these leave with every request: one object for all of them. */
const shared = new SharedWriting();

/** How the head that is written next is to be written: good until the next call. Whoever keeps it copies it. */
export function writingOf(
  edits: FieldEdits,
  nominated: readonly string[] | null,
  keepLength: boolean,
  replacedId: number,
): FieldWriting {
  shared.edits = edits;
  shared.nominated = nominated;
  shared.keepLength = keepLength;
  shared.replacedId = replacedId;
  return shared;
}

/** Writes the fields that cross, then what the edits set and add. */
export function writeFields(sink: ByteSink, fields: Fields | null, writing: FieldWriting): void {
  const { edits } = writing;
  if (fields !== null) copyFields(sink, fields, writing);
  writePairs(sink, edits.set);
  writePairs(sink, edits.add);
}

function writePairs(sink: ByteSink, pairs: readonly string[]): void {
  for (let at = 0; at + 1 < pairs.length; at += 2) sink.line(pairs[at] as string, pairs[at + 1] as string);
}

function copyFields(sink: ByteSink, fields: Fields, writing: FieldWriting): void {
  const interned = fields instanceof HeadFields && writing.nominated === null ? fields.interned : null;
  const known = interned === null ? null : written.of(interned, writing);
  if (interned === null || known === null) return copyFieldsFrom(0, sink, fields, writing);
  sink.bytes(known, 0, known.length);
  copyFieldsFrom(interned.count, sink, fields, writing);
}

function copyFieldsFrom(from: number, sink: ByteSink, fields: Fields, writing: FieldWriting): void {
  const { bytes, table, count } = fields;
  const ids = fields instanceof HeadFields ? fields.ids : null;
  let spanStart = -1;
  let spanEnd = -1;
  for (let index = from; index < count; index++) {
    const at = index * fieldStride;
    const start = table[at] as number;
    const valueEnd = table[at + 3] as number;
    const dropped = isDropped(fields, index, ids === null ? 0 : (ids[index] as number), writing);
    const plain = !dropped && isPlain(bytes, table[at + 1] as number, table[at + 2] as number, valueEnd);
    if (spanStart >= 0 && (!plain || spanEnd !== start)) {
      sink.bytes(bytes, spanStart, spanEnd);
      spanStart = -1;
    }
    if (plain) {
      if (spanStart < 0) spanStart = start;
      spanEnd = valueEnd + 2;
    } else if (!dropped) {
      sink.bytes(bytes, start, table[at + 1] as number);
      sink.text(": ");
      sink.bytes(bytes, table[at + 2] as number, valueEnd);
      sink.text("\r\n");
    }
  }
  if (spanStart >= 0) sink.bytes(bytes, spanStart, spanEnd);
}

interface WrittenSection {
  readonly interned: number;
  readonly writing: FieldWriting;
  readonly bytes: Uint8Array;
}

const writtenSlots = 64;

/** Interned fields as they were written before. Bounded: one per slot, and only what was wanted twice in a row there. */
class WrittenSections {
  readonly #all: (WrittenSection | null)[] = new Array<WrittenSection | null>(writtenSlots).fill(null);
  /** The interned fields that were wanted last, by slot. */
  readonly #wanted = new Float64Array(writtenSlots);

  of(interned: HeadFields, writing: FieldWriting): Uint8Array | null {
    const { number } = interned;
    const slot = (number ^ (writing.edits.set.length << 4) ^ writing.replacedId) & (writtenSlots - 1);
    const known = this.#all[slot] as WrittenSection | null;
    if (known !== null && known.interned === number && dropAlike(known.writing, writing)) return known.bytes;
    if (this.#wanted[slot] !== number) {
      this.#wanted[slot] = number;
      return null;
    }
    const gathered = new Gathered();
    copyFieldsFrom(0, gathered, interned, writing);
    this.#all[slot] = { interned: number, writing: { ...writing }, bytes: gathered.all };
    return gathered.all;
  }
}

const written = new WrittenSections();

class Gathered implements ByteSink {
  all: Uint8Array = new Uint8Array(0);

  bytes(source: Uint8Array, start: number, end: number): void {
    this.all = joined(this.all, source.subarray(start, end));
  }

  text(text: string): void {
    this.all = joined(this.all, latin1Bytes(text));
  }

  line(name: string, value: string): void {
    this.text(`${name}: ${value}\r\n`);
  }
}

/** Whether both leave the same fields out. What they set may have other values; names that Connection nominated are not looked at. */
export function dropAlike(one: FieldWriting, other: FieldWriting): boolean {
  if (one.keepLength !== other.keepLength || one.replacedId !== other.replacedId) return false;
  const { remove, set } = one.edits;
  const others = other.edits.set;
  if (set.length !== others.length || !sameNames(remove, other.edits.remove)) return false;
  for (let at = 0; at < set.length; at += 2) if (set[at] !== others[at]) return false;
  return true;
}

/** Mostly the same list, and short: what is made for each request says the same all the same. */
function sameNames(one: readonly string[], other: readonly string[]): boolean {
  if (one === other) return true;
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

/** Whether a line stands as it would be written: at most one space before its value, and no blanks behind it. */
function isPlain(bytes: Uint8Array, nameEnd: number, valueStart: number, valueEnd: number): boolean {
  if (bytes[valueEnd] !== 13) return false;
  const blanks = valueStart - nameEnd - 1;
  return blanks === 0 || (blanks === 1 && bytes[nameEnd + 1] === 32);
}

/** Whether a field stays behind: of this hop, of framing, or named by the edits. */
export function isDropped(fields: Fields, index: number, id: number, writing: FieldWriting): boolean {
  if (id !== 0) {
    if (id === writing.replacedId) return true;
    if (ofThisHop[id] === 1) return !(id === lengthId && writing.keepLength);
  }
  const { edits, nominated } = writing;
  return (
    named(fields, index, edits.remove, 1) ||
    named(fields, index, edits.set, 2) ||
    (nominated !== null && named(fields, index, nominated, 1))
  );
}

/** Whether the field's name is one of `names[0]`, `names[step]`, …; lower case. */
function named(fields: Fields, index: number, names: readonly string[], step: number): boolean {
  const at = index * fieldStride;
  const start = fields.table[at] as number;
  const length = (fields.table[at + 1] as number) - start;
  for (let which = 0; which < names.length; which += step) {
    const name = names[which] as string;
    if (name.length === length && sameLetters(fields.bytes, start, name)) return true;
  }
  return false;
}

function sameLetters(bytes: Uint8Array, start: number, lower: string): boolean {
  for (let at = 0; at < lower.length; at++) {
    const byte = bytes[start + at] as number;
    const want = lower.charCodeAt(at);
    if (byte !== want && !(byte >= 65 && byte <= 90 && (byte | 0x20) === want)) return false;
  }
  return true;
}

/** In lower case, `-` for `_`, which CGI and its heirs cannot tell apart. */
const neverTrailers: readonly RegExp[] = [
  // Framing and connection.
  /^(?:transfer-encoding|te|trailer|connection|keep-alive|upgrade|proxy-.*)$/,
  // Routing, credentials, identity.
  /^(?:host|authorization|www-authenticate|cookie|set-cookie|x-forwarded-.*|forwarded|via|x-heddle-.*)$/,
  // What modifies a request or controls an answer.
  /^(?:expect|range|max-forwards|cache-control|pragma|if-.*|age|date|expires|location|retry-after|vary|warning)$/,
  // What the content is.
  /^content-.*$/,
];

/** Trailer fields that may cross: nothing that has its place before the content (RFC 9110 section 6.5.1). `name` in lower case. */
export function mayBeTrailer(name: string): boolean {
  const plain = name.replaceAll("_", "-");
  return !neverTrailers.some((names) => names.test(plain));
}

const reasons: Readonly<Record<number, string>> = {
  100: "Continue",
  101: "Switching Protocols",
  103: "Early Hints",
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  206: "Partial Content",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

const statusLines: string[] = [];

/** `HTTP/1.1 200 OK` with its line end. */
export function statusLine(status: number): string {
  return (statusLines[status] ??= `HTTP/1.1 ${status} ${reasons[status] ?? ""}\r\n`);
}

/** Writes the trailer fields that may cross. */
export function writeTrailers(sink: ByteSink, trailers: Fields): void {
  for (let index = 0; index < trailers.count; index++) {
    const name = trailers.nameAt(index);
    if (mayBeTrailer(name)) sink.line(name, trailers.valueAt(index));
  }
}
