/**
 * What a connection speaks, told by its first bytes (client-first protocols only). Sans I/O, from any split: `undecided`
 * until the bytes so far can mean one thing only.
 */
import { latin1Bytes } from "../base/bytes.ts";
import { limits } from "../model/limits.ts";

export type Spoken = "http/1.1" | "h2" | "tls" | "opaque" | "undecided";

/** The client connection preface of HTTP/2 (RFC 9113 section 3.4). */
const preface = latin1Bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Whether the bytes begin an HTTP/2 connection: `undecided` while they are a part of its preface. */
export function beginsHttp2(bytes: Uint8Array): "yes" | "no" | "undecided" {
  const length = Math.min(bytes.length, preface.length);
  for (let at = 0; at < length; at++) if (bytes[at] !== preface[at]) return "no";
  return length === preface.length ? "yes" : "undecided";
}

/** All bytes received so far. */
export function whatIsSpoken(bytes: Uint8Array): Spoken {
  const [first, second] = bytes;
  if (first === undefined) return "undecided";
  if (first === 0x16) return second === undefined ? "undecided" : second === 3 ? "tls" : "opaque";
  const http2 = beginsHttp2(bytes);
  if (http2 !== "no") return http2 === "yes" ? "h2" : "undecided";
  return requestLine(bytes);
}

/**
 * `METHOD target HTTP/1.x`: a method in capitals, and a line that ends so. Inline commands of other protocols do not. Each
 * byte is judged alone, so what a part of the bytes told stays true.
 */
function requestLine(bytes: Uint8Array): Spoken {
  let at = 0;
  while (at < bytes.length && at <= limits.methodBytesMax && isCapital(bytes[at] as number)) at++;
  if (at > limits.methodBytesMax) return "opaque";
  if (at === bytes.length) return "undecided";
  if (at === 0 || bytes[at] !== 32) return "opaque";
  for (let index = at + 1; index < bytes.length; index++) {
    const byte = bytes[index] as number;
    if (byte === 10) return endsInVersion(bytes, at, index) ? "http/1.1" : "opaque";
    if (bytes[index - 1] === 13 || (byte < 32 && byte !== 13)) return "opaque";
    if (index >= limits.requestHeadBytesMax) return "opaque";
  }
  return "undecided";
}

const version = latin1Bytes(" HTTP/1.");

/** Whether the line from the space behind the method to its line feed ends in ` HTTP/1.x`. */
function endsInVersion(bytes: Uint8Array, from: number, lineFeed: number): boolean {
  const end = bytes[lineFeed - 1] === 13 ? lineFeed - 1 : lineFeed;
  const start = end - version.length - 1;
  if (start < from) return false;
  for (let at = 0; at < version.length; at++) if (bytes[start + at] !== version[at]) return false;
  return true;
}

function isCapital(byte: number): boolean {
  return (byte >= 65 && byte <= 90) || byte === 45;
}
