/**
 * A connected stream over a Bun socket. Hides what Bun does differently from the contract: `close` called from inside the
 * call that caused it, `drain` nobody waits for, data after `pause`, a reset that looks orderly because a write saw it first,
 * and a missing `end` after our own FIN. One object per connection, no closure and no allocation per event.
 */
import { letGo } from "../../src/base/bytes.ts";
import type { Socket, SocketError, SocketHandler, TlsSession } from "../contract.ts";
import { resetError, socketErrorOf } from "../shared/errors.ts";
import type { Faults } from "../shared/faults.ts";
import { receiveBuffers } from "./receive_buffer.ts";

export type RawSocket = Bun.Socket<StreamSocket>;

/** Hears nothing: for a socket that was given away or whose handler is not there yet. */
export const silentHandler: SocketHandler = { data() {}, drain() {}, end() {}, close() {} };

const limitReceived = receiveBuffers();

export class StreamSocket implements Socket {
  handler: SocketHandler = silentHandler;
  tls: TlsSession | null = null;
  raw: RawSocket | null = null;
  private paused = false;
  /** A write took less than it was given and `drain` is owed. */
  private starved = false;
  /** A call into Bun is on the stack: what it reports is delivered after it. */
  private calling = false;
  private finSent = false;
  private ended = false;
  private destroyed = false;
  private closed = false;
  private failure: SocketError | null = null;
  /** What came while paused, in order. */
  private held: Uint8Array[] | null = null;
  private endHeld = false;
  /** An orderly close that came behind what is held. */
  private closeHeld = false;
  /** Of a connection that was given away: Bun forgets them then. */
  private given: Pick<Socket, "remoteAddress" | "remotePort"> | null = null;

  constructor(protected readonly faults: Faults) {}

  get remoteAddress(): string {
    return this.given?.remoteAddress ?? this.raw?.remoteAddress ?? "";
  }

  get remotePort(): number {
    return this.given?.remotePort ?? this.raw?.remotePort ?? 0;
  }

  get localPort(): number {
    return this.raw?.localPort ?? 0;
  }

  /** null while it has none. */
  get descriptor(): number | null {
    return this.raw === null || this.closed || this.destroyed ? null : descriptorOf(this.raw);
  }

  /** Nothing more is heard or done here. */
  get isClosed(): boolean {
    return this.destroyed || (this.closed && !this.closeHeld);
  }

  write(bytes: Uint8Array, start = 0, end = bytes.length): number {
    if (this.closed || this.destroyed || this.finSent) return -1;
    const length = end - start;
    if (length === 0) return 0;
    if (this.raw === null) {
      this.starved = true;
      return 0;
    }
    this.calling = true;
    const taken = this.raw.write(bytes, start, length);
    this.calling = false;
    if (taken === length) return taken;
    if (taken >= 0) this.starved = true;
    else this.failure ??= resetError;
    return taken;
  }

  pause(): void {
    if (this.paused || this.isClosed) return;
    this.paused = true;
    if (!this.closed) this.raw?.pause();
  }

  resume(): void {
    if (!this.paused || this.isClosed) return;
    this.paused = false;
    if (this.held !== null || this.endHeld) setImmediate(() => this.releaseHeld());
    else this.resumeRaw();
  }

  limitInput(bytes: number): void {
    const { descriptor } = this;
    if (descriptor !== null) limitReceived(descriptor, bytes);
  }

  shutdown(): void {
    if (this.finSent || this.closed) return;
    this.finSent = true;
    this.calling = true;
    this.raw?.shutdown();
    this.calling = false;
  }

  destroy(): void {
    this.leave(false);
  }

  reset(): void {
    this.leave(true);
  }

  // ------------------------------------------------------------------------------------ called by the events

  opened(raw: RawSocket): void {
    this.raw = raw;
    if (this.destroyed) {
      raw.close();
      return;
    }
    if (this.paused) raw.pause();
    if (this.finSent) raw.shutdown();
    else if (this.starved) this.onDrain();
  }

  onData(chunk: Uint8Array): void {
    if (this.paused || this.destroyed || this.held !== null) {
      if (!this.destroyed) (this.held ??= []).push(chunk.slice());
      return;
    }
    try {
      this.handler.data(chunk);
    } catch (error) {
      this.fault(error);
    }
    // Bun makes an array for each event.
    letGo(chunk);
  }

  onDrain(): void {
    if (!this.starved || this.isClosed) return;
    this.starved = false;
    try {
      this.handler.drain();
    } catch (error) {
      this.fault(error);
    }
  }

  onEnd(): void {
    if (this.ended || this.failure !== null || this.isClosed) return;
    if (this.held !== null || this.paused) {
      this.endHeld = true;
      return;
    }
    this.ended = true;
    try {
      this.handler.end();
    } catch (error) {
      this.fault(error);
    }
  }

  onError(error: unknown): void {
    this.failure ??= socketErrorOf(error);
  }

  onClose(error: unknown): void {
    if (this.closed) return;
    if (error !== undefined && error !== null) this.failure ??= socketErrorOf(error);
    this.closed = true;
    this.closeHeld = this.held !== null && this.failure === null && !this.destroyed;
    if (this.closeHeld) return;
    if (this.calling) queueMicrotask(() => this.deliverClose());
    else this.deliverClose();
  }

  /**
   * Gives the connection to another object: this one does nothing more. While Bun goes on showing it the bytes below TLS,
   * `below` hears them.
   */
  abandon(below: SocketHandler): RawSocket | null {
    const raw = this.raw;
    const { remoteAddress, remotePort } = this;
    this.given = { remoteAddress, remotePort };
    if (this.paused) raw?.resume();
    this.paused = false;
    this.handler = below;
    this.closed = true;
    return raw;
  }

  private leave(abruptly: boolean): void {
    if (this.isClosed) return;
    this.destroyed = true;
    if (this.closed) {
      queueMicrotask(() => this.deliverClose());
      return;
    }
    if (this.raw === null) {
      queueMicrotask(() => this.onClose(null));
      return;
    }
    this.calling = true;
    if (abruptly) this.raw.terminate();
    else this.raw.close();
    this.calling = false;
  }

  private deliverClose(): void {
    try {
      if (this.destroyed) return this.handler.close(null);
      // Bun closes without a word once both FINs have passed when ours was the first. Without ours it was no orderly end.
      if (this.failure === null && !this.ended) {
        if (!this.finSent) this.failure = resetError;
        else this.handler.end();
      }
      this.handler.close(this.failure);
    } catch (error) {
      this.faults.report(error);
    }
  }

  private releaseHeld(): void {
    while (this.held !== null && !this.paused && !this.isClosed) {
      const chunk = this.held.shift();
      if (chunk === undefined) {
        this.held = null;
        break;
      }
      try {
        this.handler.data(chunk);
      } catch (error) {
        this.fault(error);
      }
    }
    if (this.paused || this.isClosed) return;
    if (this.endHeld) {
      this.endHeld = false;
      this.onEnd();
    }
    if (this.isClosed) return;
    if (this.closeHeld) {
      this.closeHeld = false;
      this.deliverClose();
    } else this.resumeRaw();
  }

  private resumeRaw(): void {
    if (this.closed || this.destroyed) return;
    this.calling = true;
    this.raw?.resume();
    this.calling = false;
  }

  /** A handler broke an invariant: the connection ends, and the process learns of it. */
  private fault(error: unknown): void {
    this.reset();
    this.faults.report(error);
  }
}

/** It is there though the types do not say so. */
function descriptorOf(raw: RawSocket): number {
  return (raw as RawSocket & { readonly fd: number }).fd;
}

/** The events of every stream, shared by all sockets: each finds its object in `data` of the Bun socket. */
export const streamEvents = {
  // A `slice` of Bun's default, a Buffer, would be a view and not a copy.
  binaryType: "uint8array",
  data(raw: RawSocket, chunk: Uint8Array): void {
    raw.data.onData(chunk);
  },
  drain(raw: RawSocket): void {
    raw.data.onDrain();
  },
  end(raw: RawSocket): void {
    raw.data.onEnd();
  },
  error(raw: RawSocket, error: Error): void {
    raw.data.onError(error);
  },
  close(raw: RawSocket, error?: Error): void {
    raw.data.onClose(error);
  },
} as const;
