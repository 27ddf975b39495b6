/**
 * Opaque TCP: bytes both ways between two sockets, half-close kept, a slow side pausing the other. Nothing is looked at
 * and nothing is copied unless the kernel refuses it.
 */
import type { Socket, SocketError, SocketHandler } from "../../runtime/contract.ts";

/** Called once when both directions are over. `error` of whichever side broke first. */
type Over = (error: SocketError | null) => void;

/** Two sockets joined. Set `left` and `right` as their handlers. */
export class TcpPipe {
  readonly left: PipeEnd;
  readonly right: PipeEnd;
  #open = 2;
  #error: SocketError | null = null;
  #whenOver: (() => void) | null = null;

  constructor(
    left: Socket,
    right: Socket,
    readonly over: Over,
  ) {
    this.left = new PipeEnd(this, left, right);
    this.right = new PipeEnd(this, right, left);
    this.left.other = this.right;
    this.right.other = this.left;
  }

  /** Bytes that went from left to right, and back. */
  get bytesIn(): number {
    return this.left.received;
  }

  get bytesOut(): number {
    return this.right.received;
  }

  /** SPIFFE ID of the TLS peer on either side; "" when both are in clear text. */
  get peerId(): string {
    return (this.left.socket.tls ?? this.right.socket.tls)?.peer?.uris[0] ?? "";
  }

  whenOver(call: () => void): void {
    this.#whenOver = call;
  }

  destroy(): void {
    this.left.socket.reset();
    this.right.socket.reset();
  }

  closed(end: PipeEnd, error: SocketError | null): void {
    this.#error ??= error;
    const other = end === this.left ? this.right : this.left;
    // An orderly end already passed on as FIN; everything else must not look complete on the other side.
    if (error !== null) other.socket.reset();
    else if (end.ended) other.finishInput();
    else other.socket.reset();
    if (--this.#open > 0) return;
    this.over(this.#error);
    this.#whenOver?.();
  }
}

class PipeEnd implements SocketHandler {
  other: PipeEnd | null = null;
  received = 0;
  ended = false;
  /** What the other socket has not taken yet. */
  #pending: Uint8Array | null = null;

  constructor(
    readonly pipe: TcpPipe,
    readonly socket: Socket,
    readonly target: Socket,
  ) {}

  data(chunk: Uint8Array): void {
    this.received += chunk.length;
    if (this.#pending !== null) {
      const all = new Uint8Array(this.#pending.length + chunk.length);
      all.set(this.#pending);
      all.set(chunk, this.#pending.length);
      this.#pending = all;
      return;
    }
    const taken = this.target.write(chunk, 0, chunk.length);
    if (taken === chunk.length || taken < 0) return;
    this.#pending = chunk.slice(taken);
    this.socket.pause();
  }

  /** This socket has room again: what the other end holds for it goes out. */
  drain(): void {
    this.other?.flush();
  }

  flush(): void {
    const pending = this.#pending;
    if (pending === null) return;
    const taken = this.target.write(pending, 0, pending.length);
    if (taken >= 0 && taken < pending.length) {
      this.#pending = pending.subarray(taken);
      return;
    }
    this.#pending = null;
    if (this.ended) this.target.shutdown();
    else this.socket.resume();
  }

  end(): void {
    this.ended = true;
    if (this.#pending === null) this.target.shutdown();
  }

  /** The other side is gone in order: our own answer may still be on its way, reading is pointless. */
  finishInput(): void {
    if (this.#pending === null) this.socket.shutdown();
  }

  close(error: SocketError | null): void {
    this.pipe.closed(this, error);
  }
}
