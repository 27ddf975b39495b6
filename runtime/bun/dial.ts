/** Dialling: TCP and then, if asked, TLS. One of `opened` and `failed` is called, later; after `cancel` none. */
import type { ConnectOptions, Dial, DialHandler, SocketError, SocketHandler } from "../contract.ts";
import { socketError, socketErrorOf } from "./errors.ts";
import type { Faults } from "./faults.ts";
import { type RawTlsSocket, tlsEvents, TlsStream } from "./handshake.ts";
import { type RawSocket, silentHandler, StreamSocket, streamEvents } from "./socket.ts";
import type { TlsContexts } from "./tls.ts";

/** Waits for the TCP connection. As the stream's handler it hears of a failure first. */
class Attempt implements SocketHandler, Dial {
  private settled = false;
  private readonly timer: ReturnType<typeof setTimeout>;

  constructor(
    private readonly stream: StreamSocket,
    private readonly dial: DialHandler,
    private readonly faults: Faults,
    options: ConnectOptions,
  ) {
    const message = `Connecting to ${options.host}:${options.port} took longer than ${options.timeoutMs} ms`;
    this.timer = setTimeout(() => this.fail(socketError("timeout", "ETIMEDOUT", message)), options.timeoutMs);
    stream.handler = this;
  }

  /** True once: the connection stands and is still wanted. */
  connected(): boolean {
    clearTimeout(this.timer);
    if (this.settled) return false;
    this.settled = true;
    return true;
  }

  openedPlain(): void {
    if (!this.connected()) return;
    this.stream.handler = silentHandler;
    try {
      this.stream.handler = this.dial.opened(this.stream);
    } catch (error) {
      this.stream.destroy();
      this.faults.report(error);
    }
  }

  cancel(): void {
    clearTimeout(this.timer);
    const waiting = !this.settled || (this.stream instanceof TlsStream && this.stream.pending);
    this.settled = true;
    if (waiting) this.giveUp();
  }

  fail(error: SocketError): void {
    if (this.settled) return;
    clearTimeout(this.timer);
    this.settled = true;
    this.giveUp();
    this.dial.failed(error);
  }

  private giveUp(): void {
    if (this.stream instanceof TlsStream) this.stream.settle();
    this.stream.handler = silentHandler;
    this.stream.destroy();
  }

  data(): void {}
  drain(): void {}
  end(): void {}
  close(error: SocketError | null): void {
    this.fail(error ?? socketError("other", "ECONNABORTED", "The connection was given up"));
  }
}

export function connect(
  options: ConnectOptions,
  dial: DialHandler,
  contexts: TlsContexts,
  faults: Faults,
): Dial {
  const target = {
    hostname: options.host,
    port: options.port,
    allowHalfOpen: true,
    ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
  };
  const stream =
    options.tls === undefined ? new StreamSocket(faults) : clientStream(options, dial, contexts, faults);
  const attempt = new Attempt(stream, dial, faults, options);
  const failed = (error: unknown): void => stream.onClose(error);
  const connectError = (_raw: unknown, error: Error): void => queueMicrotask(() => failed(error));
  try {
    if (stream instanceof TlsStream) {
      const tls = contexts.client(options.tls ?? never()).tls;
      const open = (raw: RawTlsSocket): void => {
        if (attempt.connected()) {
          stream.handler = stream;
          stream.begin(raw);
        }
        stream.opened(raw);
      };
      Bun.connect({ ...target, data: stream, tls, socket: { ...tlsEvents, open, connectError } }).catch(
        failed,
      );
    } else {
      const open = (raw: RawSocket): void => {
        stream.opened(raw);
        attempt.openedPlain();
      };
      Bun.connect({ ...target, data: stream, socket: { ...streamEvents, open, connectError } }).catch(failed);
    }
  } catch (error) {
    setImmediate(() => attempt.fail(socketErrorOf(error)));
  }
  return attempt;
}

function never(): never {
  throw new Error("A TLS stream without TLS options");
}

function clientStream(
  options: ConnectOptions,
  dial: DialHandler,
  contexts: TlsContexts,
  faults: Faults,
): StreamSocket {
  const tls = options.tls ?? never();
  const verified = tls.verify === "chain";
  return new TlsStream(faults, {
    expected: {
      peer: verified ? "required" : "unverified",
      trusts: tls.trustPem.length > 0,
      serverName: tls.serverName,
      accept: tls.accept,
    },
    context: contexts.client(tls),
    timeoutMs: tls.handshakeTimeoutMs,
    dial,
    endpoint: verified ? `${options.host}:${options.port}` : null,
  });
}
