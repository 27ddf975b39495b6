/**
 * A TLS connection from its first byte until somebody vouches for the peer. While it lasts, the stream's handler is the
 * handshake itself, so nothing reaches the owner; it ends with exactly one of `opened` and `failed` of the dial.
 */
import type { Dial, DialHandler, SocketError, SocketHandler } from "../contract.ts";
import { resetError, socketError } from "../shared/errors.ts";
import type { Faults } from "../shared/faults.ts";
import { type RawSocket, silentHandler, StreamSocket, streamEvents } from "./socket.ts";
import type { Expectation } from "../shared/peer.ts";
import { examine, keepTicket, takeTicket, type TlsContext } from "./tls.ts";

export interface HandshakeOptions {
  readonly expected: Expectation;
  readonly context: TlsContext;
  readonly timeoutMs: number;
  readonly dial: DialHandler;
  /** Where tickets for this peer are kept; null when sessions are not resumed. */
  readonly endpoint: string | null;
}

export class TlsStream extends StreamSocket implements SocketHandler, Dial {
  private timer: ReturnType<typeof setTimeout> | null = null;
  private settled = false;

  constructor(
    faults: Faults,
    private readonly options: HandshakeOptions,
  ) {
    super(faults);
    this.handler = this;
  }

  /** Nobody has vouched for the peer yet. */
  get pending(): boolean {
    return !this.settled;
  }

  /** The TCP connection stands: the peer has its time from now. */
  begin(raw: RawSocket): void {
    const { context, endpoint, timeoutMs } = this.options;
    const ticket = endpoint === null ? null : takeTicket(context, endpoint);
    if (ticket !== null) setSession(raw, ticket);
    this.timer = setTimeout(
      () =>
        this.refuse(socketError("timeout", "ETIMEDOUT", `TLS handshake took longer than ${timeoutMs} ms`)),
      timeoutMs,
    );
  }

  examined(raw: RawSocket, error: Error | null): void {
    if (this.settled) return;
    try {
      const found = examine(raw, error, this.options.expected);
      if ("kind" in found) return this.refuse(found);
      this.tls = found;
      this.settle();
      this.handler = this.options.dial.opened(this);
    } catch (fault) {
      this.settle();
      this.handler = silentHandler;
      this.destroy();
      this.faults.report(fault);
    }
  }

  keepTicket(ticket: Buffer): void {
    const { context, endpoint } = this.options;
    if (endpoint !== null && this.tls !== null && !this.isClosed) keepTicket(context, endpoint, ticket);
  }

  /** Ends the connection and tells why, unless it is settled. */
  refuse(error: SocketError): void {
    if (this.settled) return;
    this.cancel();
    // Bun may find the first bytes bad while it is still being handed them: the dial hears of it later all the same.
    if (this.raw === null) setImmediate(() => this.options.dial.failed(error));
    else this.options.dial.failed(error);
  }

  /** As the dial of a server: gives up, unless it is settled. */
  cancel(): void {
    if (this.settled) return;
    this.settle();
    this.handler = silentHandler;
    this.destroy();
  }

  /** Forgets the dial: nobody is told. */
  settle(): void {
    this.settled = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  // As the handler of its own handshake:
  data(): void {
    this.refuse(socketError("tls", "EPROTO", "The peer sent data before the handshake was over"));
  }

  drain(): void {}

  end(): void {
    this.refuse(
      socketError("reset", "ECONNRESET", "The peer closed the connection during the TLS handshake"),
    );
  }

  close(error: SocketError | null): void {
    this.refuse(error ?? resetError);
  }
}

function setSession(raw: RawSocket, ticket: Buffer): void {
  // Untyped in bun-types, like the `session` event.
  if ("setSession" in raw && typeof raw.setSession === "function") raw.setSession(ticket);
}

export type RawTlsSocket = Bun.Socket<TlsStream>;

export const tlsEvents = {
  ...streamEvents,
  handshake(raw: RawTlsSocket, _ok: boolean, error: Error | null): void {
    raw.data.examined(raw, error);
  },
  session(raw: RawTlsSocket, ticket: Buffer): void {
    raw.data.keepTicket(ticket);
  },
};
