/**
 * A connected stream over a socket of `node:net` or `node:tls`. These keep all that they are given; the contract wants to be told
 * how much was taken. So each takes as much as a kernel's buffer would, and no more until that has left.
 */
import type { Buffer } from "node:buffer";
import type { Socket as RawSocket } from "node:net";
import { letGo } from "../../src/base/bytes.ts";
import type { Socket, SocketError, SocketHandler, TlsSession } from "../contract.ts";
import { socketErrorOf } from "../shared/errors.ts";
import type { Faults } from "../shared/faults.ts";

/** Hears nothing. */
const silentHandler: SocketHandler = { data() {}, drain() {}, end() {}, close() {} };

/** Bytes that wait in this process for room in the kernel. */
const waitingBytesMax = 256 * 1024;

export class StreamSocket implements Socket {
  handler: SocketHandler = silentHandler;
  tls: TlsSession | null = null;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  #starved = false;
  #finSent = false;
  /** Nothing more is heard. */
  #over = false;
  #failure: SocketError | null = null;

  constructor(
    readonly raw: RawSocket,
    private readonly faults: Faults,
  ) {
    this.remoteAddress = raw.remoteAddress ?? "";
    this.remotePort = raw.remotePort ?? 0;
    this.localPort = raw.localPort ?? 0;
    raw.on("data", this.#onData);
    raw.on("drain", this.#onDrain);
    raw.on("end", this.#onEnd);
    raw.on("error", this.#onError);
    raw.on("close", this.#onClose);
  }

  /** Tells who answers for it from now on. One that cannot say ends it. */
  meet(answering: (socket: Socket) => SocketHandler): void {
    try {
      this.handler = answering(this);
    } catch (error) {
      this.handler = silentHandler;
      this.destroy();
      this.faults.report(error);
    }
  }

  get isClosed(): boolean {
    return this.#over;
  }

  write(bytes: Uint8Array, start = 0, end = bytes.length): number {
    if (this.#over || this.#finSent || this.#failure !== null) return -1;
    const room = Math.max(0, waitingBytesMax - this.raw.writableLength);
    const taken = Math.min(end - start, room);
    if (taken < end - start) this.#starved = true;
    if (taken > 0) this.raw.write(bytes.slice(start, start + taken));
    // What has left at once is followed by no `drain` of the host.
    if (this.#starved && this.raw.writableLength === 0) setImmediate(this.#onDrain);
    return taken;
  }

  pause(): void {
    if (!this.#over) this.raw.pause();
  }

  resume(): void {
    if (!this.#over) this.raw.resume();
  }

  /** A hint that this host cannot take: it reads into memory of its own. */
  limitInput(): void {}

  shutdown(): void {
    if (this.#finSent || this.#over) return;
    this.#finSent = true;
    this.raw.end();
  }

  destroy(): void {
    if (this.#leave()) this.raw.destroySoon();
  }

  reset(): void {
    if (this.#leave()) this.raw.resetAndDestroy();
  }

  /** The plain socket goes on below TLS: this object hears and does nothing more. */
  abandon(): RawSocket {
    this.#over = true;
    this.raw.off("data", this.#onData);
    this.raw.off("drain", this.#onDrain);
    this.raw.off("end", this.#onEnd);
    this.raw.off("close", this.#onClose);
    return this.raw;
  }

  /** True once. */
  #leave(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.raw.resume();
    queueMicrotask(() => this.#tell(() => this.handler.close(null)));
    return true;
  }

  readonly #onData = (chunk: Buffer): void => {
    // A `slice` of a Buffer would be a view and not a copy.
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    if (!this.#over) this.#tell(() => this.handler.data(bytes));
    // The host makes one for each read.
    if (bytes.length === bytes.buffer.byteLength) letGo(bytes);
  };

  readonly #onDrain = (): void => {
    if (!this.#starved || this.#over) return;
    this.#starved = false;
    this.#tell(() => this.handler.drain());
  };

  readonly #onEnd = (): void => {
    if (!this.#over && this.#failure === null) this.#tell(() => this.handler.end());
  };

  readonly #onError = (error: unknown): void => {
    this.#failure ??= socketErrorOf(error);
  };

  readonly #onClose = (): void => {
    if (this.#over) return;
    this.#over = true;
    this.#tell(() => this.handler.close(this.#failure));
  };

  /** A handler that broke an invariant ends its connection, and the process learns of it. */
  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.reset();
      this.faults.report(error);
    }
  }
}
