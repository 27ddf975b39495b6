/**
 * The PROXY protocol, versions 1 and 2 (HAProxy's specification of 2020): who the client of a relayed connection is.
 * Reading is strict and bounded; from any split of the bytes.
 */
import { latin1Bytes } from "../base/bytes.ts";
import { socketAddress } from "../base/socket_address.ts";
import { limits } from "../model/limits.ts";

export type ProxyHeaderResult =
  | { readonly kind: "more" }
  /** `client` is `address:port`, "" for a local or unknown one; the stream begins at `length`. */
  | { readonly kind: "header"; readonly client: string; readonly length: number }
  | { readonly kind: "malformed"; readonly reason: string };

const more: ProxyHeaderResult = { kind: "more" };
const signature = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10);
const firstWord = "PROXY ";
/** Of an IPv4 address inside IPv6. */
const mappedPrefix: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];
/** Longest line of version 1, line end included. */
const lineBytesMax = 107;

/** Reads the header at the start of all bytes received so far. */
export function readProxyHeader(bytes: Uint8Array): ProxyHeaderResult {
  if (bytes.length === 0) return more;
  if (bytes[0] === signature[0]) return readBinary(bytes);
  return readLine(bytes);
}

function readLine(bytes: Uint8Array): ProxyHeaderResult {
  for (let at = 0; at < Math.min(firstWord.length, bytes.length); at++)
    if (bytes[at] !== firstWord.charCodeAt(at)) return malformed("it does not begin with a PROXY header");
  const lineFeed = bytes.indexOf(10);
  if (lineFeed < 0) return bytes.length >= lineBytesMax ? malformed("the line is too long") : more;
  if (lineFeed + 1 > lineBytesMax || bytes[lineFeed - 1] !== 13)
    return malformed("the line has no proper end");
  const words = String.fromCharCode(...bytes.subarray(0, lineFeed - 1)).split(" ");
  const length = lineFeed + 1;
  if (words[1] === "UNKNOWN") return { kind: "header", client: "", length };
  const [, family, source = "", target = "", sourcePort = "", targetPort = ""] = words;
  const fits = family === "TCP4" ? isIpv4 : family === "TCP6" ? isEither : null;
  if (fits === null || words.length !== 6 || !fits(source) || !fits(target))
    return malformed("the addresses are not what the line says");
  if (!isPort(sourcePort) || !isPort(targetPort)) return malformed("a port is no number from 0 to 65535");
  return { kind: "header", client: socketAddress(source, sourcePort), length };
}

function readBinary(bytes: Uint8Array): ProxyHeaderResult {
  for (let at = 0; at < Math.min(signature.length, bytes.length); at++)
    if (bytes[at] !== signature[at]) return malformed("the signature is wrong");
  if (bytes.length < 16) return more;
  const version = bytes[12] as number;
  const family = bytes[13] as number;
  const size = ((bytes[14] as number) << 8) | (bytes[15] as number);
  if (version !== 0x20 && version !== 0x21) return malformed("the version or command is not known");
  if (size > limits.proxyHeaderBytesMax) return malformed(`${size} bytes of addresses are too many`);
  const length = 16 + size;
  if (bytes.length < length) return more;
  const addressBytes = family === 0x11 ? 4 : family === 0x21 ? 16 : 0;
  if (version === 0x20 || addressBytes === 0) return { kind: "header", client: "", length };
  if (size < addressBytes * 2 + 4) return malformed("the addresses are cut short");
  const address = bytes.subarray(16, 16 + addressBytes);
  const portAt = 16 + addressBytes * 2;
  const port = ((bytes[portAt] as number) << 8) | (bytes[portAt + 1] as number);
  const text = addressBytes === 4 ? address.join(".") : ipv6Text(address);
  return { kind: "header", client: socketAddress(text, port), length };
}

/** The header that tells an app who its client is; `UNKNOWN` or LOCAL when `client` is "". Addresses as `address:port`. */
export function proxyHeader(version: 1 | 2, client: string, server: string): Uint8Array {
  const [from, to] = ofOneFamily(splitAddress(client), splitAddress(server));
  const known = from !== null && to !== null;
  if (version === 1) {
    const family = from?.bytes.length === 16 ? "TCP6" : "TCP4";
    const line = known
      ? `PROXY ${family} ${from.address} ${to.address} ${from.port} ${to.port}\r\n`
      : "PROXY UNKNOWN\r\n";
    return latin1Bytes(line);
  }
  if (!known) return Uint8Array.of(...signature, 0x20, 0, 0, 0);
  const family = from.bytes.length === 4 ? 0x11 : 0x21;
  const size = from.bytes.length * 2 + 4;
  const ports = [from.port >> 8, from.port & 255, to.port >> 8, to.port & 255];
  return Uint8Array.of(...signature, 0x21, family, 0, size, ...from.bytes, ...to.bytes, ...ports);
}

function malformed(reason: string): ProxyHeaderResult {
  return { kind: "malformed", reason };
}

interface Place {
  readonly address: string;
  readonly bytes: readonly number[];
  readonly port: number;
}

/** A header has one family: where the two differ, IPv4 stands inside IPv6 (RFC 4291 section 2.5.5.2). */
function ofOneFamily(from: Place | null, to: Place | null): readonly [Place | null, Place | null] {
  if (from === null || to === null || from.bytes.length === to.bytes.length) return [from, to];
  return [insideIpv6(from), insideIpv6(to)];
}

function insideIpv6(place: Place): Place {
  if (place.bytes.length === 16) return place;
  const { address, bytes, port } = place;
  return { address: `::ffff:${address}`, bytes: [...mappedPrefix, ...bytes], port };
}

function splitAddress(text: string): Place | null {
  const found = /^(?:\[([0-9a-fA-F.:]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text);
  if (found === null || !isPort(found[3] ?? "")) return null;
  const address = (found[1] ?? found[2] ?? "").replace(/^::ffff:(?=\d+\.)/i, "");
  const port = Number(found[3]);
  if (isIpv4(address)) return { address, bytes: address.split(".").map(Number), port };
  const bytes = ipv6Bytes(address);
  return bytes === null ? null : { address, bytes, port };
}

function isIpv4(text: string): boolean {
  return /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(text);
}

/** Where the two ends differ, many write the IPv4 one bare under TCP6; nothing else could be meant by it. */
function isEither(text: string): boolean {
  return isIpv4(text) || ipv6Bytes(text) !== null;
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

/** Groups in hexadecimal, one gap at most, an IPv4 address in place of the last two (RFC 4291 section 2.2). */
function ipv6Bytes(text: string): number[] | null {
  const halves = withoutIpv4(text).split("::");
  if (halves.length > 2) return null;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  if (!groups.flat().every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return null;
  const [head = [], tail = []] = groups;
  const gap = 8 - head.length - tail.length;
  if (halves.length === 1 ? gap !== 0 : gap < 1) return null;
  const all = halves.length === 1 ? head : [...head, ...new Array<string>(gap).fill("0"), ...tail];
  return all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]);
}

/** `::ffff:10.0.0.1` as `::ffff:a00:1`. */
function withoutIpv4(text: string): string {
  const at = text.lastIndexOf(":") + 1;
  const last = text.slice(at);
  if (at === 0 || !isIpv4(last)) return text;
  const [a = 0, b = 0, c = 0, d = 0] = last.split(".").map(Number);
  return `${text.slice(0, at)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

function ipv6Text(address: Uint8Array): string {
  if (mappedPrefix.every((byte, at) => address[at] === byte))
    return `::ffff:${address.subarray(12).join(".")}`;
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2)
    groups.push((((address[at] as number) << 8) | (address[at + 1] as number)).toString(16));
  return groups.join(":");
}
