/**
 * Cuts the bytes of an HTTP/2 connection into frames, from any split. DATA passes through in pieces as it comes; what must be
 * seen whole waits in a buffer of its own size, if its taker wants it; the rest is skipped. Nothing is kept of the source.
 */
import { copyBytes } from "../../base/bytes.ts";
import { frameFlags, frameHeaderBytes, frameTypes, get31 } from "./frames.ts";

/** What a taker wants of a frame whose header it was shown. */
export const wants = { nothingMore: 0, whole: 1, skipped: 2 } as const;
export type Wants = (typeof wants)[keyof typeof wants];

export interface FrameTaker {
  /** A frame begins; `length` is that of its payload. `nothingMore`: the connection has ended. DATA is never kept whole. */
  begins(type: number, flags: number, streamId: number, length: number): Wants;
  /**
   * A piece of DATA: `source[start, end)`. `flowBytes` counts against the windows, padding included. `done`: the last piece
   * of its frame; `endStream` only then.
   */
  body(
    streamId: number,
    source: Uint8Array,
    start: number,
    end: number,
    flowBytes: number,
    done: boolean,
    endStream: boolean,
  ): void;
  /** Any other frame: its payload is `source[start, end)`. */
  frame(type: number, flags: number, streamId: number, source: Uint8Array, start: number, end: number): void;
  /** More padding than payload: nothing after it can be understood. */
  overpadded(): void;
}

export class FrameReader {
  /** Set by the owner: nothing more is delivered. */
  stopped = false;
  /** Set by the taker: the frames that follow wait for another call of `read`. */
  enough = false;
  #partial: Uint8Array | null = null;
  #have = 0;
  #skipLeft = 0;
  // Of the DATA frame under way.
  #inData = false;
  #dataId = 0;
  #dataLeft = 0;
  #padLeft = 0;
  #padUnknown = false;
  #dataEndsStream = false;

  constructor(readonly taker: FrameTaker) {}

  /** A frame has begun and is not complete. */
  get midFrame(): boolean {
    return this.#inData || this.#partial !== null || this.#skipLeft > 0;
  }

  /** Reads up to `framesMax` frames; returns the offset behind what was used. */
  read(source: Uint8Array, start: number, end: number, framesMax: number): number {
    let at = start;
    let frames = 0;
    this.enough = false;
    while (at < end && !this.stopped) {
      if (this.#inData) at = this.#readData(source, at, end);
      else if (this.#partial !== null) at = this.#fill(source, at, end);
      else if (this.#skipLeft > 0) at = this.#skip(at, end);
      else {
        if (this.enough || frames++ === framesMax) return at;
        at = this.#readFrame(source, at, end);
      }
    }
    return this.stopped ? end : at;
  }

  #readFrame(source: Uint8Array, at: number, end: number): number {
    const have = end - at;
    if (have < frameHeaderBytes) return this.#keep(source, at, end, frameHeaderBytes);
    const length = lengthAt(source, at);
    const wanted = this.#begin(source, at, length);
    const payload = at + frameHeaderBytes;
    if (wanted !== wants.whole) return payload;
    if (have < frameHeaderBytes + length) return this.#keep(source, at, end, frameHeaderBytes + length);
    this.taker.frame(
      source[at + 3] as number,
      source[at + 4] as number,
      get31(source, at + 5),
      source,
      payload,
      payload + length,
    );
    return payload + length;
  }

  /** Shows the header to the taker and sets out for what follows. */
  #begin(bytes: Uint8Array, at: number, length: number): Wants {
    const type = bytes[at + 3] as number;
    const flags = bytes[at + 4] as number;
    const streamId = get31(bytes, at + 5);
    const wanted = this.taker.begins(type, flags, streamId, length);
    if (wanted === wants.nothingMore) this.stopped = true;
    else if (type === frameTypes.data) {
      this.#beginData(bytes, flags, streamId, length);
      return wants.skipped;
    } else if (wanted === wants.skipped) this.#skipLeft = length;
    return wanted;
  }

  #beginData(bytes: Uint8Array, flags: number, streamId: number, length: number): void {
    this.#dataId = streamId;
    this.#dataLeft = length;
    this.#padLeft = 0;
    this.#padUnknown = (flags & frameFlags.padded) !== 0;
    this.#dataEndsStream = (flags & frameFlags.endStream) !== 0;
    this.#inData = length > 0;
    if (length > 0) return;
    if (this.#padUnknown) this.taker.overpadded();
    else this.taker.body(streamId, bytes, 0, 0, 0, true, this.#dataEndsStream);
  }

  #readData(source: Uint8Array, start: number, end: number): number {
    let at = start;
    if (this.#padUnknown) {
      this.#padUnknown = false;
      this.#padLeft = source[at++] as number;
      this.#dataLeft -= 1 + this.#padLeft;
      if (this.#dataLeft < 0) {
        this.taker.overpadded();
        return end;
      }
    }
    const dataEnd = Math.min(end, at + this.#dataLeft);
    this.#dataLeft -= dataEnd - at;
    const next = Math.min(end, dataEnd + this.#padLeft);
    this.#padLeft -= next - dataEnd;
    const done = this.#dataLeft === 0 && this.#padLeft === 0;
    if (done) this.#inData = false;
    this.taker.body(this.#dataId, source, at, dataEnd, next - start, done, done && this.#dataEndsStream);
    return next;
  }

  #skip(at: number, end: number): number {
    const take = Math.min(this.#skipLeft, end - at);
    this.#skipLeft -= take;
    return at + take;
  }

  /** Keeps what there is of a header or a frame of `size` bytes. */
  #keep(source: Uint8Array, at: number, end: number, size: number): number {
    const partial = new Uint8Array(size);
    copyBytes(partial, 0, source, at, end);
    this.#partial = partial;
    this.#have = end - at;
    return end;
  }

  /** Adds to what was kept; a complete frame is delivered from there. */
  #fill(source: Uint8Array, at: number, end: number): number {
    const partial = this.#partial as Uint8Array;
    const take = Math.min(partial.length - this.#have, end - at);
    copyBytes(partial, this.#have, source, at, at + take);
    this.#have += take;
    if (this.#have < partial.length) return at + take;
    this.#partial = null;
    if (partial.length > frameHeaderBytes) this.#deliver(partial);
    else this.#headerComplete(partial);
    return at + take;
  }

  #headerComplete(header: Uint8Array): void {
    const length = lengthAt(header, 0);
    if (this.#begin(header, 0, length) !== wants.whole) return;
    if (length === 0) return this.#deliver(header);
    const partial = new Uint8Array(frameHeaderBytes + length);
    copyBytes(partial, 0, header, 0, frameHeaderBytes);
    this.#partial = partial;
  }

  #deliver(frame: Uint8Array): void {
    const type = frame[3] as number;
    const flags = frame[4] as number;
    this.taker.frame(type, flags, get31(frame, 5), frame, frameHeaderBytes, frame.length);
  }
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
}
