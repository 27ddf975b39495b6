/** The first bytes of a TLS connection to a control port; hands the socket over to TLS with them. */
import type { Net, Socket, SocketHandler, TlsServerOptions } from "../../runtime/contract.ts";
import { WheelEntry } from "../base/timer_wheel.ts";
import { limits } from "../model/limits.ts";
import type { ControlIdentity } from "./control.ts";
import type { Shard } from "../http/shard.ts";
import type { Stranger } from "../http/strangers.ts";

export interface SecureStartOptions {
  readonly net: Net;
  readonly shard: Shard;
  readonly identity: () => ControlIdentity;
  readonly peer: "required" | "optional";
  readonly stranger: Stranger | null;
  readonly secured: (socket: Socket) => SocketHandler;
}

export class SecureStart extends WheelEntry implements SocketHandler {
  constructor(
    readonly socket: Socket,
    readonly options: SecureStartOptions,
  ) {
    super();
    options.shard.wheel.arm(this, limits.clientHelloMs);
    options.shard.tick();
  }

  /** Nothing came in time. */
  expired(): void {
    this.socket.destroy();
  }

  data(chunk: Uint8Array): void {
    this.options.shard.wheel.forget(this);
    const { net, identity, peer, stranger, secured } = this.options;
    const { credential, rootsPem } = identity();
    if (credential === null) return this.socket.destroy();
    const tls: TlsServerOptions = {
      credential,
      trustPem: rootsPem,
      alpn: ["http/1.1"],
      peer,
      handshakeTimeoutMs: limits.tlsHandshakeMs,
      accept: (session) =>
        session.peer !== null && session.peer.uris.length !== 1
          ? "the certificate has not exactly one URI name"
          : null,
    };
    const handshake = net.secureServer(this.socket, tls, chunk, {
      opened: secured,
      failed: () => stranger?.leave(),
    });
    if (stranger !== null) stranger.end = () => handshake.cancel();
  }

  drain(): void {}

  end(): void {
    this.socket.destroy();
  }

  close(): void {
    this.options.shard.wheel.forget(this);
    this.options.stranger?.leave();
  }
}
