/**
 * A query in, its answer out: what a server of the zone `mesh` says over UDP or TCP (RFC 1035, 6891, 7766). It answers for this
 * zone alone and never asks anybody: every other name is REFUSED, which resolvers take as word to ask elsewhere, where an empty answer
 * would be final. While it knows no names it says SERVFAIL, since silence would hold callers for minutes. Pure.
 */
import { dnsHeadBytes, type DnsQuery, type Edns, readDnsQuery } from "../wire/dns_query.ts";
import { limits } from "../model/limits.ts";
import {
  type DnsResult,
  plainSections,
  rcodes,
  Records,
  type Section,
  type Sections,
  types,
} from "./records.ts";
import type { Zone } from "./zone.ts";

export interface AnswererOptions {
  /** Hears how each query ended, by its type: `A`, or `other` for those that no record here has. */
  readonly counted: (type: string, result: DnsResult) => void;
  /** A bug: what was asked is answered as a failure. */
  readonly broken: (error: unknown) => void;
}

const malformed = plainSections("malformed");
const operation = plainSections("unsupported");
const refused = plainSections("refused");
const unavailable = plainSections("unavailable", "heddle has no configuration yet");
const broken = plainSections("unavailable", "heddle failed to answer, see its log");
const [classIn, classAny] = [1, 255];
const badVersion = 1;
const optBytes = 11;
const extendedError = 15;
const typeNames: ReadonlyMap<number, string> = new Map(
  Object.entries(types).map(([name, type]) => [type, name]),
);
const encoder = new TextEncoder();

export class Answerer {
  #records: Records | null = null;

  constructor(readonly options: AnswererOptions) {}

  /** What it answers from now on. */
  serve(zone: Zone): void {
    this.#records = new Records(zone);
  }

  /** null: silence is the only right answer, as to what is an answer itself. */
  answer(bytes: Uint8Array, transport: "udp" | "tcp"): Uint8Array | null {
    const query = readDnsQuery(bytes);
    if (query.kind === "silent") return null;
    if (query.kind !== "query") {
      const sections = query.kind === "malformed" ? malformed : operation;
      this.options.counted("other", sections.result);
      return write(bytes, null, sections, limits.dnsUdpPlainBytesMax);
    }
    const sections = this.#sectionsFor(query);
    this.options.counted(typeNames.get(query.type) ?? "other", sections.result);
    return write(
      bytes,
      query,
      sections,
      transport === "tcp" ? limits.dnsTcpBytesMax : udpBytesMax(query.edns),
    );
  }

  #sectionsFor(query: DnsQuery): Sections {
    if (query.edns !== null && query.edns.version > 0) return malformed;
    if (query.class !== classIn && query.class !== classAny) return refused;
    try {
      return this.#records === null ? unavailable : this.#records.of(query.name, query.type);
    } catch (error) {
      this.options.broken(error);
      return broken;
    }
  }
}

function udpBytesMax(edns: Edns | null): number {
  const { dnsUdpPlainBytesMax, dnsUdpBytesMax } = limits;
  if (edns === null) return dnsUdpPlainBytesMax;
  return Math.min(Math.max(edns.payloadBytes, dnsUdpPlainBytesMax), dnsUdpBytesMax);
}

/** Head, question, and as much of the rest as fits: additional records may be missing, what is asked for may not (RFC 2181 section 9). */
function write(bytes: Uint8Array, query: DnsQuery | null, sections: Sections, bytesMax: number): Uint8Array {
  const questionEnd = query?.questionEnd ?? dnsHeadBytes;
  const { answers, authorities, result, note } = sections;
  const edns = query?.edns ?? null;
  const opt = edns === null ? none : optOf(edns, note);
  const needed = questionEnd + opt.bytes.length + answers.bytes.length + authorities.bytes.length;
  const truncated = needed > bytesMax;
  const additionals = needed + sections.additionals.bytes.length > bytesMax ? none : sections.additionals;
  const parts = truncated ? [opt] : [answers, authorities, additionals, opt];
  const size = parts.reduce((sum, part) => sum + part.bytes.length, questionEnd);
  const answer = new Uint8Array(size);
  answer.set(bytes.subarray(0, questionEnd));
  const flags = bytes[2] as number;
  const authoritative = result === "answer" || result === "nodata" || result === "nxdomain";
  // An answer, the operation and the wish for recursion as they came; recursion is not offered.
  answer[2] = 0x80 | (flags & 0x79) | (authoritative ? 0x04 : 0) | (truncated ? 0x02 : 0);
  answer[3] = ((bytes[3] as number) & 0x10) | (isBadVersion(edns) ? 0 : rcodes[result]);
  count(answer, 4, query === null ? 0 : 1);
  count(answer, 6, truncated ? 0 : answers.count);
  count(answer, 8, truncated ? 0 : authorities.count);
  count(answer, 10, (truncated ? 0 : additionals.count) + opt.count);
  let at = questionEnd;
  for (const part of parts) {
    answer.set(part.bytes, at);
    at += part.bytes.length;
  }
  return answer;
}

const none: Section = { count: 0, bytes: new Uint8Array() };

function isBadVersion(edns: Edns | null): boolean {
  return edns !== null && edns.version > 0;
}

/** Root, OPT, how much this side takes, the upper bits of the code, version 0, DNSSEC as asked, and why (RFC 8914). */
function optOf(edns: Edns, note: string): Section {
  const text = encoder.encode(note).subarray(0, limits.dnsNoteBytesMax);
  const optionBytes = text.length === 0 ? 0 : text.length + 6;
  const bytes = new Uint8Array(optBytes + optionBytes);
  bytes[2] = 41;
  count(bytes, 3, limits.dnsUdpBytesMax);
  bytes[5] = isBadVersion(edns) ? badVersion : 0;
  bytes[7] = edns.dnssec ? 0x80 : 0;
  count(bytes, 9, optionBytes);
  if (optionBytes > 0) {
    count(bytes, 11, extendedError);
    count(bytes, 13, text.length + 2);
    bytes.set(text, 17);
  }
  return { count: 1, bytes };
}

function count(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 255;
}
