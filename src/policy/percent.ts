/** Percent-encoding as the URL Standard has it (section 1.3), in pure TypeScript. Bundled with policies that read URLs. */
import { TextDecoder, TextEncoder } from "./text_codec.ts";

/** Characters of ASCII beside controls that are encoded, by the part of a URL. */
export const encodeSets = {
  control: "",
  fragment: ' "<>`',
  query: ' "#<>',
  specialQuery: " \"#<>'",
  path: ' "#<>?^`{}',
  userinfo: ' "#<>?^`{}/:;=@[\\]|',
} as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const hex = "0123456789ABCDEF";

function encodedByte(byte: number): string {
  return `%${hex[byte >> 4] ?? ""}${hex[byte & 15] ?? ""}`;
}

/** Controls, what is beyond ASCII and what stands in `set` becomes `%XX` of its UTF-8. */
export function encodePercent(text: string, set: string): string {
  const parts: string[] = [];
  for (const letter of text) {
    const code = letter.codePointAt(0) ?? 0;
    if (code > 0x1f && code < 0x7f && !set.includes(letter)) parts.push(letter);
    else for (const byte of encoder.encode(letter)) parts.push(encodedByte(byte));
  }
  return parts.join("");
}

/** Each `%XX` is a byte; what is no such sequence stands for itself. What is no UTF-8 becomes U+FFFD. */
export function decodePercent(text: string): string {
  if (!text.includes("%")) return text;
  const bytes = encoder.encode(text);
  // Behind a letter a mark of byte order is none.
  const decoded = new Uint8Array(bytes.length + 1);
  let to = 0;
  decoded[to++] = 0x61;
  for (let at = 0; at < bytes.length; at++) {
    const value = bytes[at] === 0x25 ? valueAt(bytes, at + 1) : -1;
    decoded[to++] = value < 0 ? (bytes[at] ?? 0) : value;
    if (value >= 0) at += 2;
  }
  return decoder.decode(decoded.subarray(0, to)).slice(1);
}

/** Of two hexadecimal digits; -1: they are none. */
function valueAt(bytes: Uint8Array, at: number): number {
  const high = digitOf(bytes[at] ?? 0);
  const low = digitOf(bytes[at + 1] ?? 0);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
