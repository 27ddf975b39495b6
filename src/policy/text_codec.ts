/**
 * UTF-8 as the web's `TextEncoder` and `TextDecoder` have it (Encoding Standard), in pure TypeScript, for realms, which have no web
 * platform. What is malformed becomes U+FFFD. Part of `heddle/policy`.
 */

export class TextEncoder {
  encode(text: string): Uint8Array {
    const bytes = new Uint8Array(text.length * 3);
    let to = 0;
    for (const letter of text) {
      const code = letter.codePointAt(0) ?? 0;
      // Half of a pair alone is no character.
      to = put(bytes, to, code >= 0xd800 && code <= 0xdfff ? 0xfffd : code);
    }
    return bytes.slice(0, to);
  }
}

function put(bytes: Uint8Array, to: number, code: number): number {
  if (code < 0x80) bytes[to++] = code;
  else if (code < 0x800) {
    bytes[to++] = 0xc0 | (code >> 6);
    bytes[to++] = 0x80 | (code & 0x3f);
  } else {
    if (code < 0x10000) bytes[to++] = 0xe0 | (code >> 12);
    else {
      bytes[to++] = 0xf0 | (code >> 18);
      bytes[to++] = 0x80 | ((code >> 12) & 0x3f);
    }
    bytes[to++] = 0x80 | ((code >> 6) & 0x3f);
    bytes[to++] = 0x80 | (code & 0x3f);
  }
  return to;
}

export class TextDecoder {
  readonly #fatal: boolean;

  /** `fatal`: what is malformed throws a TypeError. */
  constructor(_label = "utf-8", { fatal = false }: { readonly fatal?: boolean } = {}) {
    this.#fatal = fatal;
  }

  decode(bytes: Uint8Array = new Uint8Array(0)): string {
    const parts: string[] = [];
    const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
    for (let at = marked ? 3 : 0; at < bytes.length;) {
      const [code, length] = characterAt(bytes, at);
      if (code < 0 && this.#fatal) throw new TypeError("It is no UTF-8");
      parts.push(code < 0 ? "\ufffd" : String.fromCodePoint(code));
      at += length;
    }
    return parts.join("");
  }
}

/** Its code point, or -1, and how many bytes that took: of what is malformed as many as could have begun a character. */
function characterAt(bytes: Uint8Array, at: number): readonly [code: number, length: number] {
  const first = bytes[at] as number;
  if (first < 0x80) return [first, 1];
  const more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  if (first < 0xc2 || first > 0xf4) return [-1, 1];
  let code = first & (0x3f >> more);
  for (let index = 1; index <= more; index++) {
    const byte = bytes[at + index] ?? 0;
    const [least, most] = index > 1 ? usual : (seconds.get(first) ?? usual);
    if (byte < least || byte > most) return [-1, index];
    code = (code << 6) | (byte & 0x3f);
  }
  return [code, more + 1];
}

const usual: readonly [least: number, most: number] = [0x80, 0xbf];
/** Second bytes that would else write a character in too many bytes, half of a pair, or one beyond the last. */
const seconds: ReadonlyMap<number, readonly [least: number, most: number]> = new Map([
  [0xe0, [0xa0, 0xbf]],
  [0xed, [0x80, 0x9f]],
  [0xf0, [0x90, 0xbf]],
  [0xf4, [0x80, 0x8f]],
]);
