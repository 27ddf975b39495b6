/**
 * What proxy and policy host say to each other over their socket: frames of a kind, two numbers and a text. Calls of one
 * turn travel in one frame, frames of one turn in one write. Text is JSON, that of calls behind their number (`2 [now, [call,
 * call]]`), that of answers as `answers.ts` has it: what crosses is data.
 */
import type { Clock, Socket, SocketError, SocketHandler } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";

/** The first number is the policy's (0 when none is meant), the second tells batches, bindings and requests apart. */
export const frameKinds = {
  // to the host
  load: 1,
  unload: 2,
  bind: 3,
  unbind: 4,
  calls: 5,
  bundle: 6,
  // from the host
  ready: 16,
  loaded: 17,
  bound: 18,
  /** Some answers of a batch; `answered` has the last. */
  answers: 19,
  answered: 20,
  lost: 21,
  // from the compiler: which source it works on, each script, and last what is wrong
  compiling: 22,
  compiled: 23,
  compiledAll: 24,
} as const;

export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds];

/** Text of `ready`. `why` says what is missing when it is not sealed. */
export interface ReadyText {
  readonly sealed: boolean;
  readonly why: string | null;
}

/** Text of `load`. */
export interface LoadText {
  readonly bundle: string;
  readonly cpuMs: number;
}

/** Text of `lost`: the worker had to be ended; these batches are never answered. Not restarted: it could not even be loaded. */
export interface LostText {
  /** Processor time that its thread took for what it did not answer, microseconds. */
  readonly busyUs: number;
  readonly reason: string;
  readonly batches: readonly number[];
  readonly restarted: boolean;
}

/** Length of text, kind, two numbers; little-endian. */
const headBytes = 13;
/** Buffers begin so long, and are given back when they are empty and have grown beyond what is usual. */
const bufferBytes = 16 * 1024;
const usualBufferBytes = 512 * 1024;

export interface FrameHandler {
  frame(kind: number, first: number, second: number, text: string): void;
  /** The other side is gone, or was left because it has broken the protocol. Called once. */
  gone(reason: string, broken: boolean): void;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Frames over a socket, both ways. */
export class FrameChannel implements SocketHandler {
  readonly #socket: Socket;
  #out: Uint8Array = new Uint8Array(bufferBytes);
  #outView = new DataView(this.#out.buffer);
  #outStart = 0;
  #outEnd = 0;
  #in: Uint8Array = new Uint8Array(bufferBytes);
  #inLength = 0;
  #flushing = false;
  #gone = false;

  constructor(
    open: (handler: SocketHandler) => Socket,
    private readonly clock: Pick<Clock, "soon">,
    private readonly handler: FrameHandler,
    /** Of the text of a frame that comes; a longer one breaks the protocol. */
    private readonly frameBytesMax: number = limits.policyFrameBytesMax,
  ) {
    this.#socket = open(this);
  }

  /** Bytes that the other side has not taken yet. */
  get backlogBytes(): number {
    return this.#outEnd - this.#outStart;
  }

  /** Leaves with everything else of this turn. */
  send(kind: number, first: number, second: number, text: string): void {
    this.#makeRoom(headBytes + text.length * 3);
    const at = this.#outEnd;
    const { written } = encoder.encodeInto(text, this.#out.subarray(at + headBytes));
    this.#outView.setUint32(at, written, true);
    this.#outView.setUint8(at + 4, kind);
    this.#outView.setUint32(at + 5, first, true);
    this.#outView.setUint32(at + 9, second, true);
    this.#outEnd = at + headBytes + written;
    if (this.#flushing) return;
    this.#flushing = true;
    this.clock.soon(() => {
      this.#flushing = false;
      this.flush();
    });
  }

  /** Writes now what waits. */
  flush(): void {
    if (this.#gone || this.#outStart === this.#outEnd) return;
    const taken = this.#socket.write(this.#out, this.#outStart, this.#outEnd);
    if (taken > 0) this.#outStart += taken;
    if (this.#outStart !== this.#outEnd) return;
    this.#outStart = this.#outEnd = 0;
    if (this.#out.length <= usualBufferBytes) return;
    this.#out = new Uint8Array(bufferBytes);
    this.#outView = new DataView(this.#out.buffer);
  }

  /** Bytes of the buffers of both directions. */
  get bufferedBytes(): number {
    return this.#in.length + this.#out.length;
  }

  destroy(): void {
    this.#gone = true;
    this.#socket.destroy();
  }

  data(chunk: Uint8Array): void {
    if (this.#gone) return;
    if (this.#inLength === 0) {
      const used = this.#read(chunk, chunk.length);
      this.#keep(chunk.subarray(used));
      return;
    }
    this.#keep(chunk);
    const used = this.#read(this.#in, this.#inLength);
    this.#in.copyWithin(0, used, this.#inLength);
    this.#inLength -= used;
    if (this.#inLength === 0 && this.#in.length > usualBufferBytes) this.#in = new Uint8Array(bufferBytes);
  }

  drain(): void {
    this.flush();
  }

  end(): void {
    this.#leave("the other side closed", false);
  }

  close(error: SocketError | null): void {
    this.#leave(error === null ? "the socket closed" : error.message, false);
  }

  #leave(reason: string, broken: boolean): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#socket.destroy();
    this.handler.gone(reason, broken);
  }

  /** Hands on all whole frames; returns how many bytes they had. */
  #read(bytes: Uint8Array, length: number): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, length);
    let at = 0;
    while (length - at >= headBytes && !this.#gone) {
      const textBytes = view.getUint32(at, true);
      if (textBytes > this.frameBytesMax) {
        this.#leave(`a frame of ${textBytes} bytes is longer than ${this.frameBytesMax}`, true);
        return length;
      }
      const end = at + headBytes + textBytes;
      if (end > length) break;
      const text = decoder.decode(bytes.subarray(at + headBytes, end));
      this.handler.frame(
        view.getUint8(at + 4),
        view.getUint32(at + 5, true),
        view.getUint32(at + 9, true),
        text,
      );
      at = end;
    }
    return at;
  }

  #keep(bytes: Uint8Array): void {
    const length = this.#inLength + bytes.length;
    if (length > this.#in.length) {
      const grown = new Uint8Array(Math.max(length, this.#in.length * 2));
      grown.set(this.#in.subarray(0, this.#inLength));
      this.#in = grown;
    }
    this.#in.set(bytes, this.#inLength);
    this.#inLength = length;
  }

  #makeRoom(bytes: number): void {
    if (this.#out.length - this.#outEnd >= bytes) return;
    const waiting = this.backlogBytes;
    const size = Math.max(waiting + bytes, this.#out.length);
    const target = size > this.#out.length ? new Uint8Array(Math.max(size, this.#out.length * 2)) : this.#out;
    target.set(this.#out.subarray(this.#outStart, this.#outEnd));
    this.#out = target;
    this.#outView = new DataView(target.buffer);
    this.#outStart = 0;
    this.#outEnd = waiting;
  }
}
