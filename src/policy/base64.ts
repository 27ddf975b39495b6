/**
 * Base64 in both alphabets (RFC 4648 sections 4 and 5), in pure TypeScript: for realms, which have no web platform, and for the proxy,
 * which reads what they say. Part of `heddle/policy`.
 */
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const plain = `${alphabet}+/`;
const url = `${alphabet}-_`;

const valuesIn = (letters: string): ReadonlyMap<string, number> =>
  new Map([...letters].map((letter, at) => [letter, at]));
const plainValues = valuesIn(plain);
const urlValues = valuesIn(url);

/** With `+`, `/` and padding. */
export function toBase64(bytes: Uint8Array): string {
  const text = encoded(bytes, plain);
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}

/** With `-` and `_`, and without padding: as in a JSON Web Token. */
export function toBase64Url(bytes: Uint8Array): string {
  return encoded(bytes, url);
}

function encoded(bytes: Uint8Array, letters: string): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const three = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const count = Math.min(bytes.length - at, 3) + 1;
    for (let letter = 0; letter < count; letter++) text += letters[(three >> (18 - 6 * letter)) & 63];
  }
  return text;
}

/** Reads what `toBase64` writes, also without its padding. null: it is none. */
export function fromBase64(text: string): Uint8Array | null {
  const end = text.endsWith("==") ? text.length - 2 : text.endsWith("=") ? text.length - 1 : text.length;
  return end < text.length && text.length % 4 !== 0 ? null : decoded(text, end, plainValues);
}

/** Reads what `toBase64Url` writes. null: it is none. */
export function fromBase64Url(text: string): Uint8Array | null {
  return decoded(text, text.length, urlValues);
}

function decoded(text: string, end: number, values: ReadonlyMap<string, number>): Uint8Array | null {
  if (end % 4 === 1) return null;
  const bytes = new Uint8Array(Math.floor((end * 3) / 4));
  let bits = 0;
  let to = 0;
  for (let at = 0; at < end; at++) {
    const value = values.get(text[at] ?? "");
    if (value === undefined) return null;
    bits = ((bits << 6) | value) & 0xffffff;
    if (at % 4 > 0) bytes[to++] = (bits >> (6 - 2 * (at % 4))) & 0xff;
  }
  return bytes;
}
