/**
 * The server side of TLS on an accepted plain socket: the way one port serves several identities, and the way certificates
 * rotate, because a TLS listener of Bun holds one certificate for its life.
 */
import type { Dial, DialHandler, Socket, SocketHandler, TlsServerOptions } from "../contract.ts";
import { resetError, socketError, socketErrorOf } from "../shared/errors.ts";
import type { Faults } from "../shared/faults.ts";
import { tlsEvents, TlsStream } from "./handshake.ts";
import { StreamSocket } from "./socket.ts";
import type { TlsContexts } from "./tls.ts";

/** Bounds what a client may send before a server knows it: its hello and its certificates. */
const handshakeBytesMax = 64 * 1024;

/** Counts the bytes below TLS while the handshake lasts; Bun shows them to the socket that was there before. */
class HandshakeMeter implements SocketHandler {
  constructor(
    private readonly stream: TlsStream,
    private bytes: number,
  ) {}

  data(chunk: Uint8Array): void {
    if (!this.stream.pending) return;
    // The chunk that ends the handshake may bring much of what follows it: only what came before it counts.
    const before = this.bytes;
    this.bytes += chunk.length;
    if (before <= handshakeBytesMax) return;
    const message = `The peer sent more than ${handshakeBytesMax} bytes during the TLS handshake`;
    this.stream.refuse(socketError("tls", "ERR_HANDSHAKE_TOO_LONG", message));
  }

  drain(): void {}
  end(): void {}
  close(): void {}
}

export function secureServer(
  socket: Socket,
  options: TlsServerOptions,
  received: Uint8Array,
  dial: DialHandler,
  { contexts, faults }: { readonly contexts: TlsContexts; readonly faults: Faults },
): Dial {
  if (!(socket instanceof StreamSocket)) throw new TypeError("Cannot secure a socket of another adapter");
  const context = contexts.server(options);
  const stream = new TlsStream(faults, {
    expected: {
      peer: options.peer,
      trusts: options.trustPem.length > 0,
      serverName: null,
      accept: options.accept,
      ...(options.minVersion === undefined ? {} : { minVersion: options.minVersion }),
    },
    context,
    timeoutMs: options.handshakeTimeoutMs,
    dial,
    endpoint: null,
  });
  const raw = socket.isClosed ? null : socket.abandon(new HandshakeMeter(stream, received.length));
  if (raw === null) {
    setImmediate(() => stream.refuse(resetError));
    return stream;
  }
  // `initialData`, `isServer` and `allowHalfOpen` work but are missing from the types.
  const upgrade = {
    isServer: true,
    allowHalfOpen: true,
    initialData: Buffer.from(received),
    data: stream,
    tls: context.tls,
    socket: tlsEvents,
  };
  try {
    const [, secured] = raw.upgradeTLS<TlsStream>(upgrade);
    stream.opened(secured);
    stream.begin(secured);
  } catch (error) {
    raw.terminate();
    setImmediate(() => stream.refuse(socketErrorOf(error)));
  }
  return stream;
}
