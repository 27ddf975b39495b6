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
const handshakeRecord = 0x16;
/** RFC 8446 section 5.1, and some room that older versions grant. */
const recordBytesMax = 16_640;

/** Reads all bytes received so far; what follows the ClientHello is not looked at. */
export function readClientHello(bytes: Uint8Array): HelloResult {
  if (bytes.length === 0) return more;
  if (bytes[0] !== handshakeRecord) return { kind: "plain" };
  const gathered = gatherMessage(bytes);
  if (gathered.kind === "message") return readBody(new Cursor(gathered.bytes, 4, gathered.bytes.length));
  return gathered.kind === "more" && bytes.length > limits.clientHelloBytesMax
    ? malformed(`more than ${limits.clientHelloBytesMax} bytes before its end`)
    : gathered;
}

/** The server name that the client asks for, "" when none; null while it may still come. `over`: nothing comes any more. */
export function serverNameAsked(bytes: Uint8Array, over: boolean): string | null {
  const hello = readClientHello(bytes);
  if (hello.kind === "more" && !over) return null;
  return hello.kind === "hello" ? hello.serverName : "";
}

interface Message {
  readonly kind: "message";
  readonly bytes: Uint8Array;
}

/** The first handshake message, which may span records, with its four bytes of head. */
function gatherMessage(bytes: Uint8Array): Message | HelloResult {
  const parts: Uint8Array[] = [];
  let size = 0;
  let wanted = 4;
  for (let at = 0; at + 5 <= bytes.length;) {
    if (bytes[at] !== handshakeRecord || bytes[at + 1] !== 3)
      return malformed("a record that is no handshake");
    const length = ((bytes[at + 3] as number) << 8) | (bytes[at + 4] as number);
    if (length === 0 || length > recordBytesMax) return malformed(`a record of ${length} bytes`);
    if (parts.length === limits.clientHelloRecordsMax)
      return malformed(`more than ${limits.clientHelloRecordsMax} records`);
    const part = bytes.subarray(at + 5, Math.min(at + 5 + length, bytes.length));
    parts.push(part);
    size += part.length;
    if (wanted === 4 && size >= 4) {
      const head = joined(parts, 4);
      if (head[0] !== 1) return malformed("the first handshake message is no ClientHello");
      wanted += ((head[1] as number) << 16) | ((head[2] as number) << 8) | (head[3] as number);
      if (wanted > limits.clientHelloBytesMax) return malformed(`a ClientHello of ${wanted} bytes`);
    }
    if (wanted > 4 && size >= wanted) return { kind: "message", bytes: joined(parts, wanted) };
    at += 5 + length;
  }
  return more;
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const [first] = parts;
  if (first !== undefined && first.length >= size) return first.subarray(0, size);
  const all = new Uint8Array(size);
  let to = 0;
  for (const part of parts) {
    const kept = part.subarray(0, size - to);
    all.set(kept, to);
    to += kept.length;
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
  let serverName: string | null = "";
  let alpn: readonly string[] | null = [];
  while (!extensions.done) {
    const type = extensions.number(2);
    const content = extensions.part(extensions.number(2));
    if (type < 0 || content === null) return malformed("an extension cut short");
    if (type === 0) serverName = readServerName(content);
    else if (type === 16) alpn = readAlpn(content);
    if (serverName === null) return malformed("a server name that is none");
    if (alpn === null) return malformed("a list of protocols cut short");
  }
  return { kind: "hello", serverName, alpn };
}

/** The one host name, in lower case (RFC 6066 section 3); null when it has another form. It will stand in logs. */
function readServerName(content: Cursor): string | null {
  const list = content.part(content.number(2));
  if (list === null || list.number(1) !== 0) return null;
  const name = list.part(list.number(2));
  if (name === null || !list.done || name.end - name.at > 255) return null;
  const text = name.text();
  return /^[A-Za-z0-9._-]+$/.test(text) ? text.toLowerCase() : null;
}

/** RFC 7301 section 3.1; null when it has another form. */
function readAlpn(content: Cursor): readonly string[] | null {
  const list = content.part(content.number(2));
  if (list === null) return null;
  const names: string[] = [];
  while (!list.done) {
    const name = list.part(list.number(1));
    if (name === null || name.done) return null;
    names.push(name.text());
  }
  return names;
}

function malformed(reason: string): HelloResult {
  return { kind: "malformed", reason };
}
