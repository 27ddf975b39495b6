/** The tables of an HPACK decoder: the static one (RFC 7541 appendix A) and the dynamic one of a connection (section 2.3.2). */
import { FieldLine, lineOf } from "./field_line.ts";

/** In the order of their indices, from 1. */
// prettier-ignore
export const staticFields: readonly (readonly [name: string, value: string])[] = [
  [":authority", ""], [":method", "GET"], [":method", "POST"], [":path", "/"], [":path", "/index.html"], [":scheme", "http"],
  [":scheme", "https"], [":status", "200"], [":status", "204"], [":status", "206"], [":status", "304"], [":status", "400"],
  [":status", "404"], [":status", "500"], ["accept-charset", ""], ["accept-encoding", "gzip, deflate"],
  ["accept-language", ""], ["accept-ranges", ""], ["accept", ""], ["access-control-allow-origin", ""], ["age", ""],
  ["allow", ""], ["authorization", ""], ["cache-control", ""], ["content-disposition", ""], ["content-encoding", ""],
  ["content-language", ""], ["content-length", ""], ["content-location", ""], ["content-range", ""], ["content-type", ""],
  ["cookie", ""], ["date", ""], ["etag", ""], ["expect", ""], ["expires", ""], ["from", ""], ["host", ""], ["if-match", ""],
  ["if-modified-since", ""], ["if-none-match", ""], ["if-range", ""], ["if-unmodified-since", ""], ["last-modified", ""],
  ["link", ""], ["location", ""], ["max-forwards", ""], ["proxy-authenticate", ""], ["proxy-authorization", ""],
  ["range", ""], ["referer", ""], ["refresh", ""], ["retry-after", ""], ["server", ""], ["set-cookie", ""],
  ["strict-transport-security", ""], ["transfer-encoding", ""], ["user-agent", ""], ["vary", ""], ["via", ""],
  ["www-authenticate", ""],
];

const staticLines: readonly FieldLine[] = staticFields.map(([name, value]) => lineOf(name, value));

export class HpackTable {
  /** A ring, its size a power of two; null until something is kept. */
  #ring: (FieldLine | null)[] | null = null;
  /** Where the newest stands. */
  #head = 0;
  #count = 0;
  #size = 0;
  /** Counts changes: while it stands, an index means the same. */
  changes = 0;

  constructor(private bytesMax: number) {}

  get count(): number {
    return this.#count;
  }

  /** Size of what is kept, in bytes (RFC 7541 section 4.1). */
  get size(): number {
    return this.#size;
  }

  /** By index, static ones first; null when there is none. */
  at(index: number): FieldLine | null {
    const fixed = staticLines.length;
    if (index <= fixed) return staticLines[index - 1] ?? null;
    const back = index - fixed - 1;
    const ring = this.#ring;
    if (ring === null || back >= this.#count) return null;
    return ring[(this.#head - back) & (ring.length - 1)] as FieldLine;
  }

  /** Evicts the oldest until it fits; what never fits empties the table (RFC 7541 section 4.4). */
  add(line: FieldLine): void {
    const { size } = line;
    this.changes++;
    this.#evictTo(this.bytesMax - size);
    if (size > this.bytesMax) return;
    let ring = (this.#ring ??= new Array<FieldLine | null>(8).fill(null));
    if (this.#count === ring.length) ring = this.#grow(ring);
    this.#head = (this.#head + 1) & (ring.length - 1);
    ring[this.#head] = line;
    this.#count++;
    this.#size += size;
  }

  resize(bytesMax: number): void {
    this.changes++;
    this.bytesMax = bytesMax;
    this.#evictTo(bytesMax);
  }

  #evictTo(bytes: number): void {
    const ring = this.#ring;
    if (ring === null) return;
    while (this.#count > 0 && this.#size > bytes) {
      const at = (this.#head - this.#count + 1) & (ring.length - 1);
      this.#size -= (ring[at] as FieldLine).size;
      ring[at] = null;
      this.#count--;
    }
  }

  #grow(ring: readonly (FieldLine | null)[]): (FieldLine | null)[] {
    const mask = ring.length - 1;
    const grown = new Array<FieldLine | null>(ring.length * 2).fill(null);
    for (let back = 0; back < this.#count; back++)
      grown[this.#count - 1 - back] = ring[(this.#head - back) & mask] as FieldLine;
    this.#ring = grown;
    this.#head = this.#count - 1;
    return grown;
  }
}
