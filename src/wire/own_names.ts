/**
 * Names of header fields that only heddle writes, and those that a careless reader takes for them: CGI and its heirs cannot tell
 * `_` from `-`, and nobody tells upper case from lower. One place decides for what clients, apps, other proxies and policies send.
 */
import { latin1Bytes } from "../base/bytes.ts";

/** Begin the names that are heddle's alone. */
const ownPrefix = "x-heddle-";
/** Says who calls, to apps that sit behind other proxies. */
const certificateName = "x-forwarded-client-cert";
/** Others may write these, but not names that pose as them by an underscore. */
const forwardedPrefix = "x-forwarded-";
export const requestIdName = "x-request-id";

/** Whether the name in `bytes[start, end)` is one of heddle's own or poses as one. The third letter tells most names apart. */
export function isOwnNameAt(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length < ownPrefix.length || ((bytes[start] as number) | 0x20) !== 0x78) return false;
  switch ((bytes[start + 2] as number) | 0x20) {
    case 0x68:
      return startsLike(bytes, start, length, ownPrefix);
    case 0x66:
      if (length === certificateName.length && startsLike(bytes, start, length, certificateName)) return true;
      return hasUnderscore(bytes, start, end) && startsLike(bytes, start, length, forwardedPrefix);
    case 0x72:
      if (length !== requestIdName.length || !hasUnderscore(bytes, start, end)) return false;
      return startsLike(bytes, start, length, requestIdName);
    default:
      return false;
  }
}

/** The same of a text of characters below 256. */
export function isOwnName(name: string): boolean {
  return isOwnNameAt(latin1Bytes(name), 0, name.length);
}

/** How careless readers read a name: in lower case, `_` as `-`. */
export function carelessly(name: string): string {
  return name.toLowerCase().replaceAll("_", "-");
}

function hasUnderscore(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] === 0x5f) return true;
  return false;
}

function startsLike(bytes: Uint8Array, start: number, length: number, name: string): boolean {
  if (length < name.length) return false;
  for (let at = 0; at < name.length; at++) {
    const byte = bytes[start + at] as number;
    const want = name.charCodeAt(at);
    if (want === 0x2d ? byte !== 0x2d && byte !== 0x5f : (byte | 0x20) !== want) return false;
  }
  return true;
}
