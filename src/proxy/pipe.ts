/**
 * Two sockets joined: bytes both ways as they come, with backpressure, half-close kept. A chunk is handed on as the view that
 * arrived; only what the kernel does not take is copied.
 */
import type { Socket, SocketError, SocketHandler } from "../../runtime/contract.ts";

/** Hears once that both sockets are gone; the error of the first that broke. */
export type PipeEnded = (pipe: Pipe, error: SocketError | null) => void;

export class Pipe {
  readonly #near: PipeEnd;
  readonly #far: PipeEnd;
  #error: SocketError | null = null;

  /** Becomes the handler of both. Either may be paused until now. */
  constructor(
    near: Socket,
    far: Socket,
    readonly ended: PipeEnded,
  ) {
    this.#near = new PipeEnd(near, this);
    this.#far = new PipeEnd(far, this);
    this.#near.other = this.#far;
    this.#far.other = this.#near;
    near.handler = this.#near;
    far.handler = this.#far;
    near.resume();
    far.resume();
  }

  /** What the far socket's opener returns. */
  get farHandler(): SocketHandler {
    return this.#far;
  }

  /** Bytes that came from the near and from the far side. */
  get bytesFromNear(): number {
    return this.#near.bytes;
  }

  get bytesFromFar(): number {
    return this.#far.bytes;
  }

  destroy(): void {
    this.#near.socket.reset();
    this.#far.socket.reset();
  }

  closed(error: SocketError | null): void {
    this.#error ??= error;
    const { closed } = this.#near;
    if (closed && this.#far.closed) return this.ended(this, this.#error);
    const left = closed ? this.#far : this.#near;
    if (error !== null) left.socket.reset();
    else left.finish();
  }
}

class PipeEnd implements SocketHandler {
  other: PipeEnd = this;
  bytes = 0;
  closed = false;
  #pending: Uint8Array | null = null;
  #finOwed = false;

  constructor(
    readonly socket: Socket,
    readonly pipe: Pipe,
  ) {}

  data(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    if (!this.other.take(chunk)) this.socket.pause();
  }

  /** False when the sender must wait. */
  take(chunk: Uint8Array): boolean {
    const taken = this.#pending === null ? this.socket.write(chunk) : 0;
    if (taken === chunk.length || taken < 0) return true;
    this.#pending = joined(this.#pending, chunk.subarray(taken));
    return false;
  }

  drain(): void {
    const pending = this.#pending;
    if (pending === null) return;
    const taken = this.socket.write(pending);
    if (taken >= 0 && taken < pending.length) {
      this.#pending = pending.subarray(taken);
      return;
    }
    this.#pending = null;
    if (this.#finOwed) this.socket.shutdown();
    else this.other.socket.resume();
  }

  end(): void {
    this.other.finish();
  }

  /** FIN once everything is out. */
  finish(): void {
    if (this.#pending === null) this.socket.shutdown();
    else this.#finOwed = true;
  }

  close(error: SocketError | null): void {
    this.closed = true;
    this.#pending = null;
    this.pipe.closed(error);
  }
}

function joined(before: Uint8Array | null, after: Uint8Array): Uint8Array {
  if (before === null) return after.slice();
  const all = new Uint8Array(before.length + after.length);
  all.set(before);
  all.set(after, before.length);
  return all;
}
