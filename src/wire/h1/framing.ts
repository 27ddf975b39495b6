/**
 * What the framing fields of a head mean (RFC 9112 section 6), decided so that no two readers can disagree: one plain
 * Content-Length, or Transfer-Encoding that is exactly `chunked`, never both.
 */
import { limits } from "../../model/limits.ts";
import { fieldStride } from "../fields.ts";
import { latin1 } from "../../base/bytes.ts";
import { idOf, type HeadFields } from "../head_fields.ts";
import { problems, type Problem } from "./grammar.ts";

const hostId = idOf("host");
const connectionId = idOf("connection");
const lengthId = idOf("content-length");
const codingId = idOf("transfer-encoding");
const expectId = idOf("expect");
const upgradeId = idOf("upgrade");
const keepAliveId = idOf("keep-alive");

/** The framing of one message; reused. */
export class Framing {
  /** -1: no Content-Length. */
  contentLength = -1;
  chunked = false;
  close = false;
  keepAlive = false;
  /** Connection names `upgrade`. */
  upgrading = false;
  /** Index of the field; -1 when there is none. */
  hostAt = -1;
  upgradeAt = -1;
  expectAt = -1;
  /** Seconds that the sender keeps the connection open while it is not used (`Keep-Alive: timeout=N`); -1: it does not say. */
  keepAliveSeconds = -1;
  /** Lower-case names that Connection declares to be of this hop, beyond the usual ones; null when none. */
  nominated: string[] | null = null;

  clear(): void {
    this.contentLength = -1;
    this.chunked = false;
    this.close = false;
    this.keepAlive = false;
    this.upgrading = false;
    this.hostAt = -1;
    this.upgradeAt = -1;
    this.expectAt = -1;
    this.keepAliveSeconds = -1;
    this.nominated = null;
  }
}

/** Reads the framing fields. `source` is where the offsets of `fields` point to from `base` on. */
export function readFraming(
  source: Uint8Array,
  base: number,
  fields: HeadFields,
  minor: number,
  framing: Framing,
): Problem | null {
  framing.clear();
  for (let index = 0; index < fields.count; index++) {
    const id = fields.ids[index] as number;
    if (id === 0) continue;
    const at = index * fieldStride;
    const start = base + (fields.table[at + 2] as number);
    const end = base + (fields.table[at + 3] as number);
    const problem = readField(source, id, index, start, end, framing);
    if (problem !== null) return problem;
  }
  if (framing.chunked && framing.contentLength >= 0) return problems.conflict;
  if (framing.chunked && minor === 0) return problems.coding;
  // HTTP/1.0 knows no expectation (RFC 9110 section 10.1.1): passed on in 1.1 it would be one.
  if (minor === 0 && framing.expectAt >= 0) (framing.nominated ??= []).push("expect");
  return null;
}

function readField(
  source: Uint8Array,
  id: number,
  index: number,
  start: number,
  end: number,
  framing: Framing,
): Problem | null {
  switch (id) {
    case lengthId: {
      if (framing.contentLength >= 0) return problems.lengthTwice;
      const length = plainNumber(source, start, end);
      if (length < 0) return problems.length;
      framing.contentLength = length;
      return null;
    }
    case codingId:
      if (framing.chunked) return problems.coding;
      if (!equalsLower(source, start, end, "chunked")) return codingProblem(latin1(source, start, end));
      framing.chunked = true;
      return null;
    case hostId:
      if (framing.hostAt >= 0) return problems.host;
      framing.hostAt = index;
      return null;
    case connectionId:
      return readConnection(source, start, end, framing);
    case upgradeId:
      framing.upgradeAt = index;
      return null;
    case expectId:
      if (framing.expectAt >= 0) return problems.expectation;
      framing.expectAt = index;
      return null;
    case keepAliveId:
      framing.keepAliveSeconds = timeoutIn(source, start, end);
      return null;
    default:
      return null;
  }
}

const timeoutName = "timeout=";

/** The number behind `timeout=` in a list of parameters, in seconds; -1 when there is none. Digits beyond nine do not count. */
function timeoutIn(source: Uint8Array, start: number, end: number): number {
  for (let at = start; at + timeoutName.length < end; at++) {
    const begins = at === start || isSeparator(source[at - 1] as number);
    if (!begins || !equalsLower(source, at, at + timeoutName.length, timeoutName)) continue;
    let next = at + timeoutName.length;
    let seconds = -1;
    for (const last = Math.min(end, next + 9); next < last; next++) {
      const digit = (source[next] as number) - 48;
      if (digit < 0 || digit > 9) break;
      seconds = Math.max(0, seconds) * 10 + digit;
    }
    return seconds;
  }
  return -1;
}

/** Comma, space or tab. */
function isSeparator(byte: number): boolean {
  return byte === 44 || byte === 32 || byte === 9;
}

/** `0` or digits without a leading zero, at most fifteen (RFC 9110 section 8.6, narrower); -1 otherwise. */
export function plainNumber(source: Uint8Array, start: number, end: number): number {
  const digits = end - start;
  if (digits < 1 || digits > limits.contentLengthDigitsMax) return -1;
  if (digits > 1 && source[start] === 48) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = (source[at] as number) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Compares ASCII letters without case; `lower` is lower case. */
export function equalsLower(source: Uint8Array, start: number, end: number, lower: string): boolean {
  if (end - start !== lower.length) return false;
  for (let at = 0; at < lower.length; at++) {
    const byte = source[start + at] as number;
    const want = lower.charCodeAt(at);
    if (byte !== want && !(byte >= 65 && byte <= 90 && (byte | 0x20) === want)) return false;
  }
  return true;
}

/** Well-formed lists of tokens that end in something we do not decode are 501; what could be read two ways is 400. */
function codingProblem(value: string): Problem {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*,[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+)*$/.test(value))
    return problems.coding;
  const codings = value
    .toLowerCase()
    .split(",")
    .map((coding) => coding.trim());
  const chunkedAt = codings.indexOf("chunked");
  if (chunkedAt >= 0 && chunkedAt !== codings.length - 1) return problems.coding;
  if (codings.filter((coding) => coding === "chunked").length > 1) return problems.coding;
  return problems.codingUnknown;
}

/** Fields that no Connection option may take away: routing, framing, credentials, identity. */
const protectedNames: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "authorization",
  "x-forwarded-client-cert",
]);

function readConnection(source: Uint8Array, start: number, end: number, framing: Framing): Problem | null {
  if (equalsLower(source, start, end, "keep-alive")) {
    framing.keepAlive = true;
    return null;
  }
  if (equalsLower(source, start, end, "close")) {
    framing.close = true;
    return null;
  }
  for (const part of latin1(source, start, end).toLowerCase().split(",")) {
    const option = part.replace(/^[ \t]+|[ \t]+$/g, "");
    if (option === "close") framing.close = true;
    else if (option === "keep-alive") framing.keepAlive = true;
    else if (option === "upgrade") framing.upgrading = true;
    else if (protectedNames.has(option) || option.startsWith("x-heddle-")) return problems.connectionOption;
    else if (option !== "") (framing.nominated ??= []).push(option);
  }
  return null;
}
