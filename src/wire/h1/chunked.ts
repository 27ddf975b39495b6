/**
 * Chunked bodies (RFC 9112 section 7.1), strictly and from any split of the input. Extensions are checked and dropped;
 * trailers are kept apart and never merged.
 */
import { limits } from "../../model/limits.ts";
import { HeadFields } from "../head_fields.ts";
import { classes, problems, tokenBit, valueBit, type Problem } from "./grammar.ts";
import { FieldScan, scanFields } from "./scan_fields.ts";

const CR = 13;
const LF = 10;

type State = "size" | "extension" | "size-lf" | "data" | "data-cr" | "data-lf" | "trailers" | "done";

/** What one step found. */
export type ChunkEvent = "data" | "end" | "more" | "failed";

export class ChunkedDecoder {
  problem: Problem | null = null;
  /** After "data": the bytes lie in `source[dataStart, dataEnd)`. After every event: `next` is where to go on. */
  dataStart = 0;
  dataEnd = 0;
  next = 0;
  /** null when there were none. Set at "end". */
  trailers: HeadFields | null = null;
  #state: State = "size";
  #size = 0;
  #digits = 0;
  #extension = 0;
  #extensions = 0;
  /** Where in an extension it is; `closed` is behind a quoted value. */
  #part: "name" | "value" | "quoted" | "escape" | "closed" = "name";
  #last = 0;
  #left = 0;
  #trailerBytes: Uint8Array | null = null;

  constructor(readonly trailerBytesMax: number = limits.trailerBytesMax) {}

  reset(): void {
    this.problem = null;
    this.trailers = null;
    this.#state = "size";
    this.#digits = 0;
    this.#size = 0;
    this.#extensions = 0;
    this.#trailerBytes = null;
  }

  /** Reads on from `start`. Call again from `next` after "data". */
  step(source: Uint8Array, start: number, end: number): ChunkEvent {
    let at = start;
    while (at < end) {
      switch (this.#state) {
        case "data": {
          const take = Math.min(this.#left, end - at);
          this.dataStart = at;
          this.dataEnd = this.next = at + take;
          this.#left -= take;
          if (this.#left === 0) this.#state = "data-cr";
          return "data";
        }
        case "trailers":
          return this.#readTrailers(source, at, end);
        case "done":
          this.next = at;
          return "end";
        default:
          if (!this.#take(source[at] as number)) {
            this.problem ??= problems.chunk;
            return "failed";
          }
          at++;
      }
    }
    this.next = at;
    return "more";
  }

  /** One byte outside data and trailers. False: malformed. */
  #take(byte: number): boolean {
    switch (this.#state) {
      case "size":
        return this.#takeSize(byte);
      case "extension":
        return this.#takeExtension(byte);
      case "size-lf":
        if (byte !== LF) return false;
        this.#left = this.#size;
        this.#state = this.#size === 0 ? "trailers" : "data";
        return true;
      case "data-cr":
        this.#state = "data-lf";
        return byte === CR;
      case "data-lf":
        this.#state = "size";
        this.#size = 0;
        this.#digits = 0;
        return byte === LF;
      default:
        return false;
    }
  }

  #takeSize(byte: number): boolean {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#size = this.#size * 16 + digit;
      return ++this.#digits <= limits.chunkSizeDigitsMax && this.#size <= Number.MAX_SAFE_INTEGER;
    }
    if (this.#digits === 0) return false;
    if (byte === CR) {
      this.#state = "size-lf";
      return true;
    }
    if (byte !== 59) return false;
    this.#state = "extension";
    this.#extension = 0;
    this.#last = 59;
    this.#part = "name";
    return true;
  }

  /** `;name`, `;name=token`, `;name="quoted"`, several in a row. Counted, checked, forgotten. */
  #takeExtension(byte: number): boolean {
    this.#extension++;
    this.#extensions++;
    if (
      this.#extension > limits.chunkExtensionBytesMax ||
      this.#extensions > limits.chunkExtensionsBytesMax
    ) {
      this.problem = problems.chunkExtension;
      return false;
    }
    if (this.#part === "quoted" || this.#part === "escape") {
      if (((classes[byte] as number) & valueBit) === 0) return false;
      this.#part =
        this.#part === "escape" ? "quoted" : byte === 92 ? "escape" : byte === 34 ? "closed" : "quoted";
      return true;
    }
    if (byte === CR) {
      if (this.#last === 59 || this.#last === 61) return false;
      this.#state = "size-lf";
      return true;
    }
    if (byte === 59 || byte === 61) {
      if (this.#last === 59 || this.#last === 61 || (byte === 61 && this.#part !== "name")) return false;
      this.#part = byte === 59 ? "name" : "value";
    } else if (byte === 34) {
      if (this.#last !== 61) return false;
      this.#part = "quoted";
    } else if (((classes[byte] as number) & tokenBit) === 0 || this.#part === "closed") return false;
    this.#last = byte;
    return true;
  }

  #readTrailers(source: Uint8Array, at: number, end: number): ChunkEvent {
    const before = this.#trailerBytes?.length ?? 0;
    // One byte more than is allowed at most: what lies beyond is not looked at.
    const bytes = joined(
      this.#trailerBytes,
      source,
      at,
      Math.min(end, at + this.trailerBytesMax + 1 - before),
    );
    const fields = new HeadFields();
    const scan = new FieldScan();
    scanFields(bytes, 0, bytes.length, 0, fields, scan);
    if (scan.problem !== null) {
      this.problem = scan.problem === problems.fieldCount ? problems.trailerLong : problems.trailer;
      return "failed";
    }
    if (scan.consumed === 0) {
      if (bytes.length > this.trailerBytesMax) {
        this.problem = problems.trailerLong;
        return "failed";
      }
      this.#trailerBytes = bytes;
      this.next = end;
      return "more";
    }
    if (fields.count > 0) {
      fields.own(bytes, 0, scan.consumed);
      this.trailers = fields;
    }
    this.#state = "done";
    this.next = at + scan.consumed - before;
    return "end";
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 0x20;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

function joined(before: Uint8Array | null, source: Uint8Array, start: number, end: number): Uint8Array {
  if (before === null) return source.slice(start, end);
  const all = new Uint8Array(before.length + (end - start));
  all.set(before);
  all.set(source.subarray(start, end), before.length);
  return all;
}
