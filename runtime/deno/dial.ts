/** Dialling: TCP and then, if asked, TLS. One of `opened` and `failed` is called, later; after `cancel` none. */
import { connect as connectPlain, type Socket as RawSocket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ConnectOptions, Dial, DialHandler, SocketError, TlsClientOptions } from "../contract.ts";
import { socketError, socketErrorOf } from "../shared/errors.ts";
import type { Faults } from "../shared/faults.ts";
import { Handshake } from "./handshake.ts";
import { StreamSocket } from "./socket.ts";
import { tlsSettings } from "./tls.ts";

/** Waits for the TCP connection, and hands it to `connected`. */
class Attempt implements Dial {
  #settled = false;
  #next: Dial | null = null;
  readonly #raw: RawSocket;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(
    options: ConnectOptions,
    private readonly failed: (error: SocketError) => void,
    connected: (raw: RawSocket) => Dial | null,
  ) {
    const { host, port, localAddress, unix, timeoutMs } = options;
    const late = `Connecting to ${host}:${port} took longer than ${timeoutMs} ms`;
    this.#timer = setTimeout(() => this.#fail(socketError("timeout", "ETIMEDOUT", late)), timeoutMs);
    const raw = connectPlain({
      ...(unix === undefined ? { host, port } : { path: unix }),
      allowHalfOpen: true,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    this.#raw = raw;
    const onError = (error: unknown): void => this.#fail(socketErrorOf(error));
    raw.on("error", onError);
    raw.once("connect", () => {
      if (this.#settled) return;
      this.#settle();
      raw.off("error", onError);
      this.#next = connected(raw);
    });
  }

  cancel(): void {
    this.#next?.cancel();
    if (this.#settled) return;
    this.#settle();
    this.#raw.destroy();
  }

  #fail(error: SocketError): void {
    if (this.#settled) return;
    this.cancel();
    this.failed(error);
  }

  #settle(): void {
    this.#settled = true;
    clearTimeout(this.#timer);
  }
}

export function connect(options: ConnectOptions, dial: DialHandler, faults: Faults): Dial {
  const { tls } = options;
  const connected = (raw: RawSocket): Dial | null =>
    tls === undefined ? openPlain(raw, dial, faults) : openTls(raw, tls, dial, faults);
  return new Attempt(options, (error) => dial.failed(error), connected);
}

function openPlain(raw: RawSocket, dial: DialHandler, faults: Faults): null {
  new StreamSocket(raw, faults).meet((stream) => dial.opened(stream));
  return null;
}

function openTls(raw: RawSocket, tls: TlsClientOptions, dial: DialHandler, faults: Faults): Dial {
  const secured = connectTls({
    ...tlsSettings(tls),
    socket: raw,
    allowHalfOpen: true,
    ...(tls.serverName === "" ? {} : { servername: tls.serverName }),
    // No SPIFFE certificate carries the name that was dialled; whom it names is for `accept`.
    checkServerIdentity: () => undefined,
  } as Parameters<typeof connectTls>[0]);
  const handshake = new Handshake(secured, {
    expected: {
      peer: tls.verify === "chain" ? "required" : "unverified",
      trusts: tls.trustPem.length > 0,
      serverName: tls.serverName,
      accept: tls.accept,
    },
    timeoutMs: tls.handshakeTimeoutMs,
    dial,
    faults,
  });
  secured.on("secureConnect", () => handshake.over());
  return handshake;
}
