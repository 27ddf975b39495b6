/**
 * What a DNS client asks (RFC 1035 section 4.1): the head, the one question, and EDNS (RFC 6891). The question stays as it
 * came, so that an answer repeats it octet for octet, upper case and dots inside of labels included. Sans I/O, bounded.
 */

import { latin1 } from "../base/bytes.ts";

export interface DnsQuery {
  readonly kind: "query";
  /** Name of the question, lower case, without its final dot; a dot inside of a label is written `\.`. "" is the root. */
  readonly name: string;
  /** As numbers of the protocol: 1 is A, and IN. */
  readonly type: number;
  readonly class: number;
  /** Where the question ends; it begins behind the head. */
  readonly questionEnd: number;
  /** null: the client knows nothing of EDNS. */
  readonly edns: Edns | null;
}

export interface Edns {
  /** Octets of UDP that the client takes. */
  readonly payloadBytes: number;
  readonly version: number;
  /** It wants DNSSEC; an answer repeats the bit (RFC 3225). */
  readonly dnssec: boolean;
}

export type DnsQueryResult =
  | DnsQuery
  /** Nothing that may be answered: too short, or an answer itself. */
  | { readonly kind: "silent" }
  /** It cannot be read on. */
  | { readonly kind: "malformed" }
  /** Another operation than a query: notify, update and others. */
  | { readonly kind: "operation" };

export const dnsHeadBytes = 12;
const optType = 41;
const labelBytesMax = 63;
const nameBytesMax = 255;
const [dot, backslash] = [46, 92];

const silent: DnsQueryResult = { kind: "silent" };
const malformed: DnsQueryResult = { kind: "malformed" };
const operation: DnsQueryResult = { kind: "operation" };

export function readDnsQuery(bytes: Uint8Array): DnsQueryResult {
  if (bytes.length < dnsHeadBytes) return silent;
  const flags = bytes[2] as number;
  if ((flags & 0x80) !== 0) return silent;
  if ((flags & 0x78) !== 0) return operation;
  if (number16(bytes, 4) !== 1) return malformed;
  const name = readName(bytes);
  if (name === null || name.end + 4 > bytes.length) return malformed;
  const questionEnd = name.end + 4;
  const edns = readEdns(bytes, questionEnd);
  if (edns === "malformed") return malformed;
  const [type, klass] = [number16(bytes, name.end), number16(bytes, name.end + 2)];
  return { kind: "query", name: name.text, type, class: klass, questionEnd, edns };
}

/** The name of the question: no pointer can stand in it, there is nothing before it. */
function readName(bytes: Uint8Array): { readonly text: string; readonly end: number } | null {
  const text = new Uint8Array(nameBytesMax * 2);
  let size = 0;
  let at = dnsHeadBytes;
  for (;;) {
    const length = bytes[at];
    if (length === undefined || length > labelBytesMax) return null;
    if (length === 0) break;
    const end = at + 1 + length;
    if (end >= bytes.length || end - dnsHeadBytes >= nameBytesMax) return null;
    if (size > 0) text[size++] = dot;
    for (at += 1; at < end; at++) {
      const octet = bytes[at] as number;
      if (octet === dot || octet === backslash) text[size++] = backslash;
      text[size++] = octet >= 65 && octet <= 90 ? octet + 32 : octet;
    }
  }
  return { text: latin1(text, 0, size), end: at + 1 };
}

/** Of the records behind the question: a query has none but that of EDNS, which stands among the additional ones, once. */
function readEdns(bytes: Uint8Array, start: number): Edns | null | "malformed" {
  const before = number16(bytes, 6) + number16(bytes, 8);
  const additional = number16(bytes, 10);
  let edns: Edns | null = null;
  let at = start;
  for (let index = 0; index < before + additional; index++) {
    const name = skipName(bytes, at);
    if (name < 0 || name + 10 > bytes.length) return "malformed";
    const end = name + 10 + number16(bytes, name + 8);
    if (end > bytes.length) return "malformed";
    if (number16(bytes, name) === optType) {
      if (edns !== null || index < before || name !== at + 1) return "malformed";
      edns = {
        payloadBytes: number16(bytes, name + 2),
        version: bytes[name + 5] as number,
        dnssec: ((bytes[name + 6] as number) & 0x80) !== 0,
      };
    }
    at = end;
  }
  return edns;
}

/** Where it ends; -1 where it has no end. Pointers are not followed. */
function skipName(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) return -1;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    if (length > labelBytesMax) return -1;
    at += 1 + length;
  }
}

function number16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}
