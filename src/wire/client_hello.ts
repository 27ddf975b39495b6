/**
 * The first message of a TLS client (RFC 8446 section 4.1.2), read just far enough to know which service is meant: server
 * name and ALPN. Sans I/O, bounded, from any split of the bytes.
 */
import { limits } from "../model/limits.ts";

export type HelloResult =
  | { readonly kind: "more" }
  | { readonly kind: "hello"; readonly serverName: string; readonly alpn: readonly string[] }
  /** Not TLS at all: the first byte is no handshake record. */
  | { readonly kind: "plain" }
  | { readonly kind: "malformed"; readonly reason: string };

const more: HelloResult = { kind: "more" };

/** Reads all bytes received so far. */
export function readClientHello(bytes: Uint8Array): HelloResult {
  if (bytes.length === 0) return more;
  if (bytes[0] !== 0x16) return { kind: "plain" };
  const handshake = unwrapRecords(bytes);
  if ("kind" in handshake) return handshake;
  if (handshake.length < 4) return more;
  if (handshake[0] !== 1) return malformed("the first handshake message is no ClientHello");
  const length =
    ((handshake[1] as number) << 16) | ((handshake[2] as number) << 8) | (handshake[3] as number);
  if (length > limits.clientHelloBytesMax) return malformed(`a ClientHello of ${length} bytes`);
  if (handshake.length < 4 + length)
    return bytes.length > limits.clientHelloBytesMax ? malformed("too many bytes") : more;
  return readBody(new Cursor(handshake, 4, 4 + length));
}

/** Handshake bytes of the leading records; a ClientHello may span several. */
function unwrapRecords(bytes: Uint8Array): Uint8Array | HelloResult {
  const parts: Uint8Array[] = [];
  let at = 0;
  while (at + 5 <= bytes.length) {
    if (bytes[at] !== 0x16 || bytes[at + 1] !== 3) return malformed("a record that is no handshake");
    const length = ((bytes[at + 3] as number) << 8) | (bytes[at + 4] as number);
    if (length === 0 || length > 16_640) return malformed(`a record of ${length} bytes`);
    parts.push(bytes.subarray(at + 5, Math.min(at + 5 + length, bytes.length)));
    at += 5 + length;
  }
  if (parts.length === 1) return parts[0] as Uint8Array;
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let to = 0;
  for (const part of parts) {
    all.set(part, to);
    to += part.length;
  }
  return all;
}

class Cursor {
  constructor(
    readonly bytes: Uint8Array,
    public at: number,
    readonly end: number,
  ) {}

  /** -1 beyond the end. */
  number(size: number): number {
    if (this.at + size > this.end) return -1;
    let value = 0;
    for (let index = 0; index < size; index++) value = value * 256 + (this.bytes[this.at++] as number);
    return value;
  }

  /** A part of `length` bytes; null beyond the end. */
  part(length: number): Cursor | null {
    if (length < 0 || this.at + length > this.end) return null;
    const part = new Cursor(this.bytes, this.at, this.at + length);
    this.at += length;
    return part;
  }

  text(): string {
    return String.fromCharCode(...this.bytes.subarray(this.at, this.end));
  }

  get done(): boolean {
    return this.at >= this.end;
  }
}

function readBody(body: Cursor): HelloResult {
  const fixed = body.part(34);
  const session = fixed === null ? null : body.part(body.number(1));
  const suites = session === null ? null : body.part(body.number(2));
  const compression = suites === null ? null : body.part(body.number(1));
  if (compression === null) return malformed("a ClientHello cut short");
  if (body.done) return { kind: "hello", serverName: "", alpn: [] };
  const extensions = body.part(body.number(2));
  if (extensions === null) return malformed("extensions cut short");
  let serverName = "";
  let alpn: readonly string[] = [];
  while (!extensions.done) {
    const type = extensions.number(2);
    const content = extensions.part(extensions.number(2));
    if (type < 0 || content === null) return malformed("an extension cut short");
    if (type === 0) serverName = readServerName(content);
    else if (type === 16) alpn = readAlpn(content);
  }
  return { kind: "hello", serverName: serverName.toLowerCase(), alpn };
}

/** The first host name (RFC 6066 section 3). */
function readServerName(content: Cursor): string {
  const list = content.part(content.number(2));
  if (list === null || list.number(1) !== 0) return "";
  return list.part(list.number(2))?.text() ?? "";
}

function readAlpn(content: Cursor): readonly string[] {
  const list = content.part(content.number(2));
  const names: string[] = [];
  while (list !== null && !list.done) {
    const name = list.part(list.number(1));
    if (name === null) break;
    names.push(name.text());
  }
  return names;
}

function malformed(reason: string): HelloResult {
  return { kind: "malformed", reason };
}
