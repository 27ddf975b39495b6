/**
 * What leaves one HTTP/2 connection as DATA: windows of the peer, room in the output, and the line of streams that wait for
 * either. Those in line take turns of one quantum, so none starves another.
 */
import { limits } from "../model/limits.ts";
import type { FloodGuard } from "../wire/h2/flood_guard.ts";
import { frameFlags, frameHeaderBytes, frameTypes, maxInt31, putFrameHeader } from "../wire/h2/frames.ts";
import { initialWindowBytes, type PeerSettings } from "../wire/h2/settings.ts";
import type { Output } from "./output.ts";

/** A stream as the sender sees it. */
export interface SendingStream {
  readonly id: number;
  sendWindow: number;
  readonly queuedBytes: number;
  /** Where the flags of its last frame stand in the output, if that was DATA; else -1. */
  flagsAt: number;
  // Its place in the line.
  next: SendingStream | null;
  previous: SendingStream | null;
  inLine: boolean;
  /** Its turn: sends up to `quantum` bytes of what is queued, then whatever was owed behind them. */
  takeTurn(quantum: number): void;
}

/** Frame headers are built here and copied at once. */
const header = new Uint8Array(frameHeaderBytes);

export class Sender {
  /** What the peer takes on the whole connection. */
  window = initialWindowBytes;
  #first: SendingStream | null = null;
  #last: SendingStream | null = null;
  #pumping = false;

  constructor(
    readonly output: Output,
    readonly peer: PeerSettings,
    readonly guard: FloodGuard,
  ) {}

  /** Sends of `bytes[start, end)` what windows and room allow now; returns the offset behind it. */
  send(stream: SendingStream, bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && this.output.hasRoom) {
      const most = Math.min(end - at, stream.sendWindow, this.window, this.peer.frameBytesMax);
      if (most <= 0) break;
      this.#frame(stream, most, 0);
      this.output.bytes(bytes, at, at + most);
      this.window -= most;
      stream.sendWindow -= most;
      at += most;
    }
    return at;
  }

  /**
   * END_STREAM: on the last DATA of the stream while that has not left, else on an empty one. A head that is followed by such a one
   * stays as it is: to gRPC it would be another answer.
   */
  endStream(stream: SendingStream): void {
    if (stream.flagsAt >= 0 && this.output.amend(stream.flagsAt, frameFlags.endStream)) return;
    this.#frame(stream, 0, frameFlags.endStream);
  }

  /** More window for the connection. False: more than there can be. */
  widen(increment: number): boolean {
    this.window += increment;
    if (this.window > maxInt31) return false;
    this.pump();
    return true;
  }

  /** The stream waits for window or room. */
  wait(stream: SendingStream): void {
    if (stream.inLine) return;
    stream.inLine = true;
    stream.previous = this.#last;
    stream.next = null;
    if (this.#last === null) this.#first = stream;
    else this.#last.next = stream;
    this.#last = stream;
  }

  leave(stream: SendingStream): void {
    if (!stream.inLine) return;
    stream.inLine = false;
    if (stream.previous === null) this.#first = stream.next;
    else stream.previous.next = stream.next;
    if (stream.next === null) this.#last = stream.previous;
    else stream.next.previous = stream.previous;
    stream.previous = stream.next = null;
  }

  /** There may be window or room again: lets those in line send, in turn. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#first !== null && this.output.hasRoom) {
      const stream = this.#first;
      if (stream.queuedBytes > 0 && this.window <= 0) break;
      this.leave(stream);
      stream.takeTurn(limits.h2QuantumBytes);
    }
    this.#pumping = false;
  }

  #frame(stream: SendingStream, length: number, flags: number): void {
    stream.flagsAt = this.output.written + 4;
    putFrameHeader(header, 0, length, frameTypes.data, flags, stream.id);
    this.output.bytes(header, 0, frameHeaderBytes);
    this.guard.dataSent(length);
  }
}
