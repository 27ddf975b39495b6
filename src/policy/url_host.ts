/** Hosts of URLs (URL Standard, section 3.5), in pure TypeScript. A name beyond ASCII is refused: the tables of IDNA have 400 kB. */
import { decodePercent, encodePercent, encodeSets } from "./percent.ts";

/** No host has one of these, a name not even one of the second. */
const forbidden = /[\0\t\n\r #/:<>?@[\\\]^|]/;
const forbiddenInNames = /[\0-\x1f%\x7f]/;

/** As it is written in a URL; null: it is no host. `special`: of a scheme whose hosts are names of machines. */
export function hostOf(written: string, special: boolean): string | null {
  if (written.startsWith("[")) {
    const pieces = written.endsWith("]") ? ipv6Of(written.slice(1, -1)) : null;
    return pieces === null ? null : `[${ipv6Text(pieces)}]`;
  }
  if (!special) return forbidden.test(written) ? null : encodePercent(written, encodeSets.control);
  const name = decodePercent(written).toLowerCase();
  if (name === "" || /[^\0-\x7f]/.test(name) || forbidden.test(name) || forbiddenInNames.test(name))
    return null;
  return endsInNumber(name) ? ipv4Of(name) : name;
}

function endsInNumber(name: string): boolean {
  const parts = name.split(".");
  if (parts.at(-1) === "" && parts.length > 1) parts.pop();
  const last = parts.at(-1) ?? "";
  return /^[0-9]+$/.test(last) || /^0x[0-9a-f]*$/.test(last);
}

/** As people and browsers write it: `127.1`, `0x7f.0.0.1`, `2130706433` are one. */
function ipv4Of(name: string): string | null {
  const parts = name.split(".");
  if (parts.at(-1) === "" && parts.length > 1) parts.pop();
  if (parts.length > 4) return null;
  const numbers = parts.map(ipv4Number);
  const last = numbers.pop() ?? -1;
  if (last < 0 || numbers.some((each) => each < 0 || each > 255) || last >= 256 ** (4 - numbers.length))
    return null;
  const value = numbers.reduce((sum, each, at) => sum + each * 256 ** (3 - at), last);
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

/** -1: it is none. */
function ipv4Number(part: string): number {
  if (/^0x[0-9a-f]*$/.test(part)) return part === "0x" ? 0 : Number.parseInt(part.slice(2), 16);
  if (/^0[0-7]*$/.test(part)) return Number.parseInt(part, 8);
  return /^[1-9][0-9]*$/.test(part) ? Number(part) : -1;
}

/** Its eight numbers; null: it is none. */
function ipv6Of(text: string): readonly number[] | null {
  const halves = text.split("::");
  if (halves.length > 2 || text.length > 45) return null;
  const [head = null, tail = []] = halves.map((half, at) => piecesOf(half, at === halves.length - 1));
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1) return missing === 0 ? head : null;
  return missing < 1 ? null : [...head, ...Array<number>(missing).fill(0), ...tail];
}

/** `last`: it may end in an address of version 4. */
function piecesOf(half: string, last: boolean): number[] | null {
  if (half === "") return [];
  const parts = half.split(":");
  const pieces: number[] = [];
  for (const [at, part] of parts.entries()) {
    const four =
      last && at === parts.length - 1 ? /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(part) : null;
    if (four !== null) {
      const bytes = four.slice(1).map(Number);
      if (bytes.some((byte, index) => byte > 255 || String(byte) !== four[index + 1])) return null;
      const [a = 0, b = 0, c = 0, d = 0] = bytes;
      pieces.push(a * 256 + b, c * 256 + d);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) pieces.push(Number.parseInt(part, 16));
    else return null;
  }
  return pieces;
}

/** The longest row of zeros, the first of several, is left out, if it has two. */
function ipv6Text(pieces: readonly number[]): string {
  let [from, length] = [0, 0];
  for (let at = 0; at < pieces.length; at++) {
    let end = at;
    while (pieces[end] === 0) end++;
    if (end - at > length) [from, length] = [at, end - at];
  }
  const text = (part: readonly number[]): string => part.map((piece) => piece.toString(16)).join(":");
  if (length < 2) return text(pieces);
  return `${text(pieces.slice(0, from))}::${text(pieces.slice(from + length))}`;
}
