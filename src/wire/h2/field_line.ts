/**
 * Field lines of HPACK tables: the bytes `name: value` CR LF as they stand in a head, so that an indexed field is one copy,
 * with everything that HTTP/2 wants to know of it decided once (RFC 9113 sections 8.2 and 8.3).
 */
import { Interner, latin1Bytes } from "../../base/bytes.ts";
import { limits } from "../../model/limits.ts";
import { classes, targetBit, tokenBit, valueBit } from "../h1/grammar.ts";
import { idOf, nameIdAt, type KnownName } from "../head_fields.ts";
import { normalAuthority, normalTarget, type NormalTarget } from "../target.ts";

/** What HTTP/2 sees in a name. Pseudo-fields first, up to `protocol`. */
export const kinds = {
  method: 1,
  scheme: 2,
  path: 3,
  authority: 4,
  status: 5,
  protocol: 6,
  ordinary: 7,
  cookie: 8,
  host: 9,
  contentLength: 10,
  te: 11,
  expect: 12,
  /** Speaks of the connection: HTTP/2 has no such fields. */
  ofThisHop: 13,
  /** No name at all. */
  bad: 14,
} as const;

/** Bytes that each field counts beyond its name and value (RFC 7541 section 4.1, RFC 9113 section 6.5.2). */
export const fieldOverheadBytes = 32;

export class FieldLine {
  /** Of a pseudo-field: its value; the authority in normal form. */
  text = "";
  target: NormalTarget | null = null;

  constructor(
    /** `name: value` CR LF. */
    readonly bytes: Uint8Array,
    readonly nameLength: number,
    readonly kind: number,
    /** Number of a known name. */
    readonly id: number,
    /** The value may stand there. */
    public sound: boolean,
  ) {
    if (kind <= kinds.protocol && sound) this.#understand();
  }

  get valueStart(): number {
    return this.nameLength + 2;
  }

  get valueEnd(): number {
    return this.bytes.length - 2;
  }

  /** Of the table entry, in bytes. */
  get size(): number {
    return this.bytes.length - 4 + fieldOverheadBytes;
  }

  #understand(): void {
    const text = interner.latin1(this.bytes, this.valueStart, this.valueEnd);
    if (this.kind === kinds.path) {
      this.target = readTarget(text);
      this.sound = this.target !== null;
    } else {
      const read = readPseudo(this.kind, text);
      this.sound = read !== null;
      this.text = read ?? "";
    }
  }
}

/** Strings that heads have in common, whatever connection they come on. */
export const interner = new Interner();

/** The value of a pseudo-field other than :path; null when it cannot be one. */
export function readPseudo(kind: number, text: string): string | null {
  if (kind === kinds.authority) return normalAuthority(text);
  if (kind === kinds.status) return isStatus(text) ? text : null;
  if (text === "") return null;
  for (let at = 0; at < text.length; at++)
    if (((classes[text.charCodeAt(at)] as number) & tokenBit) === 0) return null;
  return kind === kinds.protocol ? text.toLowerCase() : text;
}

function isStatus(text: string): boolean {
  const first = text.charCodeAt(0);
  return text.length === 3 && first >= 49 && first <= 57 && isDigit(text, 1) && isDigit(text, 2);
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}

const asterisk: NormalTarget = { target: "*", path: "*" };

/** The value of :path, normalised; null when it cannot be one. */
export function readTarget(text: string): NormalTarget | null {
  if (text === "*") return asterisk;
  if (text.charCodeAt(0) !== 0x2f) return null;
  for (let at = 0; at < text.length; at++)
    if (((classes[text.charCodeAt(at)] as number) & targetBit) === 0) return null;
  // What is too long is refused by its length, not looked at.
  return text.length > limits.targetBytesMax ? { target: text, path: text } : normalTarget(text);
}

const kindsById: Uint8Array = (() => {
  const table = new Uint8Array(64).fill(kinds.ordinary);
  const set = (name: KnownName, kind: number): void => {
    table[idOf(name)] = kind;
  };
  set("cookie", kinds.cookie);
  set("host", kinds.host);
  set("content-length", kinds.contentLength);
  set("te", kinds.te);
  set("expect", kinds.expect);
  for (const name of [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
  ] as const)
    set(name, kinds.ofThisHop);
  return table;
})();

const pseudoNames = [":method", ":scheme", ":path", ":authority", ":status", ":protocol"].map((name) =>
  latin1Bytes(name),
);

/** Kind and number of the name in `bytes[start, end)`: the kind, and the number in the bits above 8. */
export function classifyName(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return kinds.bad;
  if (bytes[start] === 58) return pseudoKind(bytes, start, end);
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (((classes[byte] as number) & tokenBit) === 0 || (byte >= 65 && byte <= 90)) return kinds.bad;
  }
  const id = nameIdAt(bytes, start, end);
  return (kindsById[id] as number) | (id << 8);
}

function pseudoKind(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const found = pseudoNames.findIndex(
    (name) => name.length === length && name.every((code, at) => bytes[start + at] === code),
  );
  return found < 0 ? kinds.bad : found + 1;
}

/** Whether a value has only octets that may stand in one, and no blank at either end (RFC 9113 section 8.2.1). */
export function isSoundValue(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return true;
  const first = bytes[start] as number;
  const last = bytes[end - 1] as number;
  if (first === 32 || first === 9 || last === 32 || last === 9) return false;
  for (let at = start; at < end; at++)
    if (((classes[bytes[at] as number] as number) & valueBit) === 0) return false;
  return true;
}

/** A line of its own, from text in lower case. */
export function lineOf(name: string, value: string): FieldLine {
  const bytes = latin1Bytes(`${name}: ${value}\r\n`);
  const kind = classifyName(bytes, 0, name.length);
  return new FieldLine(bytes, name.length, kind & 0xff, kind >> 8, true);
}
