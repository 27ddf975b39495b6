/** Dialling: TCP and then, if asked, TLS. One of `opened` and `failed` is called, later; after `cancel` none. */
import type {
  ConnectOptions,
  Dial,
  DialHandler,
  SocketError,
  SocketHandler,
  TlsClientOptions,
} from "../contract.ts";
import { socketError, socketErrorOf } from "../shared/errors.ts";
import type { Faults } from "../shared/faults.ts";
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

  /** Calls the host. However it says no, and however often, the dial fails once and later. */
  start(call: () => Promise<unknown>): void {
    try {
      call().catch((error: unknown) => this.stream.onClose(error));
    } catch (error) {
      setImmediate(() => this.fail(socketErrorOf(error)));
    }
  }

  readonly connectError = (_raw: unknown, error: Error): void => {
    queueMicrotask(() => this.stream.onClose(error));
  };

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

interface Wiring {
  readonly contexts: TlsContexts;
  readonly faults: Faults;
}

export function connect(options: ConnectOptions, dial: DialHandler, wiring: Wiring): Dial {
  return options.tls === undefined
    ? dialPlain(options, dial, wiring.faults)
    : dialTls(options, options.tls, dial, wiring);
}

function targetOf(options: ConnectOptions) {
  const { host, port, localAddress } = options;
  return {
    hostname: host,
    port,
    allowHalfOpen: true,
    ...(localAddress === undefined ? {} : { localAddress }),
  };
}

function dialPlain(options: ConnectOptions, dial: DialHandler, faults: Faults): Dial {
  const stream = new StreamSocket(faults);
  const attempt = new Attempt(stream, dial, faults, options);
  const open = (raw: RawSocket): void => {
    stream.opened(raw);
    attempt.openedPlain();
  };
  const socket = { ...streamEvents, open, connectError: attempt.connectError };
  const { unix } = options;
  attempt.start(() =>
    unix === undefined
      ? Bun.connect({ ...targetOf(options), data: stream, socket })
      : Bun.connect({ unix, allowHalfOpen: true, data: stream, socket }),
  );
  return attempt;
}

function dialTls(options: ConnectOptions, tls: TlsClientOptions, dial: DialHandler, wiring: Wiring): Dial {
  const { contexts, faults } = wiring;
  const verified = tls.verify === "chain";
  const context = contexts.client(tls);
  const stream = new TlsStream(faults, {
    expected: {
      peer: verified ? "required" : "unverified",
      trusts: tls.trustPem.length > 0,
      serverName: tls.serverName,
      accept: tls.accept,
    },
    context,
    timeoutMs: tls.handshakeTimeoutMs,
    dial,
    endpoint: verified ? `${options.host}:${options.port}` : null,
  });
  const attempt = new Attempt(stream, dial, faults, options);
  const open = (raw: RawTlsSocket): void => {
    if (attempt.connected()) {
      stream.handler = stream;
      stream.begin(raw);
    }
    stream.opened(raw);
  };
  const socket = { ...tlsEvents, open, connectError: attempt.connectError };
  attempt.start(() => Bun.connect({ ...targetOf(options), data: stream, tls: context.tls, socket }));
  return attempt;
}
