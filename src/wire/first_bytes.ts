/**
 * What a connection speaks, told by its first bytes (client-first protocols only). Sans I/O, from any split: `undecided`
 * until the bytes so far can mean one thing only.
 */
import { limits } from "../model/limits.ts";

export type Spoken = "http/1.1" | "h2" | "tls" | "opaque" | "undecided";

/** The client connection preface of HTTP/2 (RFC 9113 section 3.4). */
const preface = Uint8Array.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (letter) => letter.charCodeAt(0));

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

/** `METHOD target HTTP/1.x`: a method in capitals, and a line that ends so. Inline commands of other protocols do not. */
function requestLine(bytes: Uint8Array): Spoken {
  let at = 0;
  while (at < bytes.length && isCapital(bytes[at] as number)) at++;
  if (at > limits.methodBytesMax) return "opaque";
  if (at === bytes.length) return "undecided";
  if (at === 0 || bytes[at] !== 32) return "opaque";
  const lineFeed = bytes.indexOf(10, at);
  const seen = lineFeed < 0 ? bytes.length : lineFeed;
  if (seen > limits.targetBytesMax || !isPlain(bytes, at, seen)) return "opaque";
  if (lineFeed < 0) return "undecided";
  const end = bytes[lineFeed - 1] === 13 ? lineFeed - 1 : lineFeed;
  const version = " HTTP/1.";
  const start = end - version.length - 1;
  if (start < at) return "opaque";
  for (let index = 0; index < version.length; index++)
    if (bytes[start + index] !== version.charCodeAt(index)) return "opaque";
  return "http/1.1";
}

/** Control bytes stand in no request line. */
function isPlain(bytes: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte < 32 && byte !== 13) return false;
  }
  return true;
}

function isCapital(byte: number): boolean {
  return (byte >= 65 && byte <= 90) || byte === 45;
}
