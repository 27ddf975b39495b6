/** A TLS connection from its first byte until somebody vouches for the peer: exactly one of `opened` and `failed`, later. */
import type { TLSSocket } from "node:tls";
import type { Dial, DialHandler, SocketError } from "../contract.ts";
import { socketError, socketErrorOf } from "../shared/errors.ts";
import type { Faults } from "../shared/faults.ts";
import type { Expectation } from "../shared/peer.ts";
import { StreamSocket } from "./socket.ts";
import { examine } from "./tls.ts";

export interface HandshakeOptions {
  readonly expected: Expectation;
  readonly timeoutMs: number;
  readonly dial: DialHandler;
  readonly faults: Faults;
}

export class Handshake implements Dial {
  #settled = false;
  #failure: SocketError | null = null;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(
    readonly raw: TLSSocket,
    private readonly options: HandshakeOptions,
  ) {
    const { timeoutMs } = options;
    const late = `TLS handshake took longer than ${timeoutMs} ms`;
    this.#timer = setTimeout(() => this.#refuse(socketError("timeout", "ETIMEDOUT", late)), timeoutMs);
    raw.on("error", this.#onError);
    raw.on("close", this.#onClose);
  }

  /** The host says that the handshake is over. */
  over(): void {
    if (this.#settled) return;
    const { dial, expected, faults } = this.options;
    const found = examine(this.raw, expected);
    if ("kind" in found) return this.#refuse(found);
    this.#settle();
    this.raw.off("close", this.#onClose);
    const stream = new StreamSocket(this.raw, faults);
    stream.tls = found;
    stream.meet((secured) => dial.opened(secured));
  }

  cancel(): void {
    if (this.#settled) return;
    this.#settle();
    this.raw.destroy();
  }

  readonly #onError = (error: unknown): void => {
    const told = socketErrorOf(error);
    this.#failure ??= told.kind === "other" ? { ...told, kind: "tls" } : told;
  };

  readonly #onClose = (): void => {
    const left = "The peer closed the connection during the TLS handshake";
    this.#refuse(this.#failure ?? socketError("reset", "ECONNRESET", left));
  };

  #refuse(error: SocketError): void {
    if (this.#settled) return;
    this.cancel();
    this.options.dial.failed(error);
  }

  #settle(): void {
    this.#settled = true;
    clearTimeout(this.#timer);
  }
}
