/** The server side of TLS on an accepted plain socket. */
import { TLSSocket } from "node:tls";
import type { Dial, DialHandler, Socket, TlsServerOptions } from "../contract.ts";
import { resetError } from "../shared/errors.ts";
import type { Faults } from "../shared/faults.ts";
import { Handshake } from "./handshake.ts";
import { StreamSocket } from "./socket.ts";
import { tlsSettings } from "./tls.ts";

export function secureServer(
  socket: Socket,
  options: TlsServerOptions,
  received: Uint8Array,
  dial: DialHandler,
  faults: Faults,
): Dial {
  if (!(socket instanceof StreamSocket)) throw new Error("Cannot secure a socket of another adapter");
  if (socket.isClosed) {
    const telling = setImmediate(() => dial.failed(resetError));
    return { cancel: () => clearImmediate(telling) };
  }
  const raw = socket.abandon();
  raw.pause();
  raw.unshift(received.slice());
  const secured = new TLSSocket(raw, {
    ...tlsSettings(options),
    isServer: true,
    requestCert: options.peer !== "none",
    allowHalfOpen: true,
  } as ConstructorParameters<typeof TLSSocket>[1]);
  const { peer, trustPem, accept, handshakeTimeoutMs, minVersion } = options;
  const handshake = new Handshake(secured, {
    expected: {
      ...{ peer, trusts: trustPem.length > 0, serverName: null, accept },
      ...(minVersion === undefined ? {} : { minVersion }),
    },
    timeoutMs: handshakeTimeoutMs,
    dial,
    faults,
  });
  // Missing from Node's types: a TLSSocket of a server says so by `secure`, a client's by `secureConnect`.
  secured.on("secure" as "secureConnect", () => handshake.over());
  return handshake;
}
