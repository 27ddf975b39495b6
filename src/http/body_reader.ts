/** Reads the body of one HTTP/1 message off the bytes that arrive: by length, chunked, until close, or raw for ever. */
import { limits } from "../model/limits.ts";
import type { HeadFields } from "../wire/head_fields.ts";
import { ChunkedDecoder } from "../wire/h1/chunked.ts";
import type { Problem } from "../wire/h1/grammar.ts";

export type BodyKind = "none" | "length" | "chunked" | "until-close";

/** Takes what the reader finds. May pause the reader from inside `data`. */
export interface BodyTaker {
  bodyData(bytes: Uint8Array, start: number, end: number): void;
  /** False while no more must be delivered. */
  readonly flowing: boolean;
}

export class BodyReader {
  kind: BodyKind = "none";
  done = true;
  problem: Problem | null = null;
  #left = 0;
  #chunked: ChunkedDecoder | null = null;

  constructor(readonly trailerBytesMax: number = limits.trailerBytesMax) {}

  begin(kind: BodyKind, length: number): void {
    this.kind = kind;
    this.#left = length;
    this.problem = null;
    this.done = kind === "none" || (kind === "length" && length === 0);
    if (kind === "chunked") (this.#chunked ??= new ChunkedDecoder(this.trailerBytesMax)).reset();
  }

  /** Trailers of a chunked body that has ended. */
  get trailers(): HeadFields | null {
    return this.kind === "chunked" ? (this.#chunked?.trailers ?? null) : null;
  }

  /** Delivers from `start` on while the taker flows; returns the offset behind what was used. Sets `done` or `problem`. */
  read(source: Uint8Array, start: number, end: number, taker: BodyTaker): number {
    if (this.done || start >= end) return start;
    if (this.kind === "chunked") return this.#readChunked(source, start, end, taker);
    if (!taker.flowing) return start;
    const take = this.kind === "length" ? Math.min(this.#left, end - start) : end - start;
    this.#left -= take;
    if (this.kind === "length" && this.#left === 0) this.done = true;
    taker.bodyData(source, start, start + take);
    return start + take;
  }

  #readChunked(source: Uint8Array, start: number, end: number, taker: BodyTaker): number {
    const decoder = this.#chunked as ChunkedDecoder;
    let at = start;
    while (at < end && taker.flowing) {
      const event = decoder.step(source, at, end);
      if (event === "failed") {
        this.problem = decoder.problem;
        return end;
      }
      at = decoder.next;
      if (event === "data") taker.bodyData(source, decoder.dataStart, decoder.dataEnd);
      else if (event === "end") {
        this.done = true;
        return at;
      } else return at;
    }
    return at;
  }
}
