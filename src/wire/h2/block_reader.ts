/**
 * Header blocks of a connection, put together from HEADERS and CONTINUATION (RFC 9113 sections 4.3 and 6.10) and decoded. One at
 * a time, in bounded memory: what is too long is refused by the header of its frame.
 */
import { limits } from "../../model/limits.ts";
import type { HeadFields } from "../head_fields.ts";
import { frameFlags, get31 } from "./frames.ts";
import { HeadBlock, type BlockKind } from "./head_block.ts";
import { HpackDecoder } from "./hpack_decoder.ts";

/** Heads are decoded into it one at a time; a stream takes what it keeps. */
const block = new HeadBlock();

export class BlockReader {
  /** Stream whose block is not complete; 0: none. */
  openId = 0;
  /** When its first frame began, on the monotonic clock; -1: none is under way. */
  sinceMs = -1;
  /** Of the block that is complete: where it stands, and whether it ends its stream. */
  source: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  endStream = false;
  readonly #decoder = new HpackDecoder(limits.h2TableBytesMax);
  #gathered: Uint8Array | null = null;
  #continuations = 0;
  /** A block is read to its end up to here, so that what is too long fails alone: no other can be decoded without it. */
  readonly #excessBytes: number;

  constructor(
    /** Of the fields of a head. */
    readonly bytesMax: number,
    /** Of trailers, decoded. */
    readonly trailerBytesMax: number,
  ) {
    this.#excessBytes = limits.h2HeadExcessMax * bytesMax;
  }

  /** HEADERS of this length begins: the name of the limit that it breaks, or null. */
  admit(length: number, nowMs: number): string | null {
    this.#continuations = 0;
    this.sinceMs = nowMs;
    return length > this.#excessBytes ? "h2HeadExcessMax" : null;
  }

  /** CONTINUATION begins. */
  admitMore(length: number, flags: number): string | null {
    const empty = length === 0 && (flags & frameFlags.endHeaders) === 0;
    if (++this.#continuations > limits.h2ContinuationsMax || empty) return "h2ContinuationsMax";
    return (this.#gathered?.length ?? 0) + length > this.#excessBytes ? "h2HeadExcessMax" : null;
  }

  /**
   * A HEADERS frame. Returns what is wrong with it, in words, or null; the block is complete when `openId` is 0.
   */
  take(flags: number, streamId: number, source: Uint8Array, start: number, end: number): string | null {
    let from = start;
    let to = end;
    if ((flags & frameFlags.padded) !== 0) {
      if (from === to) return "a frame is too short";
      to -= source[from++] as number;
    }
    if ((flags & frameFlags.priority) !== 0) {
      if (from + 5 <= to && get31(source, from) === streamId) return "a stream depends on itself";
      from += 5;
    }
    if (from > to) return "more padding than payload";
    this.endStream = (flags & frameFlags.endStream) !== 0;
    if ((flags & frameFlags.endHeaders) !== 0) this.#complete(source, from, to);
    else {
      this.openId = streamId;
      this.#gathered = source.slice(from, to);
    }
    return null;
  }

  /** A CONTINUATION frame of `openId`. */
  takeMore(flags: number, source: Uint8Array, start: number, end: number): void {
    const before = this.#gathered as Uint8Array;
    const all = new Uint8Array(before.length + end - start);
    all.set(before);
    all.set(source.subarray(start, end), before.length);
    this.#gathered = all;
    if ((flags & frameFlags.endHeaders) === 0) return;
    this.#gathered = null;
    this.openId = 0;
    this.#complete(all, 0, all.length);
  }

  #complete(source: Uint8Array, start: number, end: number): void {
    this.sinceMs = -1;
    this.source = source;
    this.start = start;
    this.end = end;
  }

  /** Decodes the complete block; its fields go to `fields`, or are interned ones. The result is good until the next one. null: `broken` says why. */
  decode(kind: BlockKind, fields: HeadFields): HeadBlock | null {
    // What comes for a stream that is gone is read as trailers, whatever it is.
    const sizeMax = kind === "trailers" ? this.trailerBytesMax : this.bytesMax;
    block.begin(kind, fields, sizeMax, this.#excessBytes);
    if (!this.#decoder.decode(this.source, this.start, this.end, block)) return null;
    block.finish();
    return block;
  }

  /** Why the last block was not decoded: the name of a limit, or null for a COMPRESSION_ERROR. */
  get broken(): string | null {
    return block.excessive ? "h2HeadExcessMax" : null;
  }
}
