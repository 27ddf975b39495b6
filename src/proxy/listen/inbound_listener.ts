/**
 * The one mTLS port of a machine: accepts in clear text, reads the ClientHello, and goes on as TLS with the certificate of
 * the service that SNI names. Whatever is not TLS, or names no service of this machine, is told so in one line and goes.
 */
import type { Listener, Net, Socket, SocketHandler, TlsServerOptions } from "../../../runtime/contract.ts";
import { joined } from "../../base/bytes.ts";
import { WheelEntry } from "../../base/timer_wheel.ts";
import type { Shard } from "../../http/shard.ts";
import { strangerBounds, Strangers, type Stranger } from "../../http/strangers.ts";
import { limits } from "../../model/limits.ts";
import { readClientHello } from "../../wire/client_hello.ts";

export interface InboundListenerOptions {
  readonly net: Pick<Net, "secureServer">;
  readonly listening: Pick<Net, "listen">;
  readonly shard: Shard;
  readonly host: string;
  readonly port: number;
  /** How to be the service of that name; null when it is none of ours. */
  readonly choose: (serverName: string) => TlsServerOptions | null;
  /** The caller was verified. */
  readonly secured: (socket: Socket, serverName: string) => SocketHandler;
  /** Somebody who may not come in, in words. */
  readonly refused: (reason: string) => void;
  readonly onLimit: (limit: string) => void;
}

/** Throws a `ListenError` when the port cannot be had. */
export function listenInbound(options: InboundListenerOptions): Listener {
  const { listening, host, port, onLimit, shard } = options;
  const strangers = new Strangers({ clock: shard.clock, bounds: strangerBounds.mesh, onLimit });
  return listening.listen({ host, port }, (socket) => {
    const stranger = strangers.admit(socket.remoteAddress, () => socket.destroy());
    if (stranger === null) socket.destroy();
    return new Hello(socket, stranger, options);
  });
}

const plainAnswer = new TextEncoder().encode(
  "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n" +
    "heddle: this port speaks mutual TLS between proxies; local apps have listeners of their own (heddle status)\n",
);
/** TLS alerts (RFC 8446 section 6.2): unrecognized_name, decode_error. */
const unknownName = Uint8Array.of(0x15, 3, 3, 0, 2, 2, 112);
const malformed = Uint8Array.of(0x15, 3, 3, 0, 2, 2, 50);

/** Collects the first message of one connection. */
class Hello extends WheelEntry implements SocketHandler {
  #received: Uint8Array | null = null;
  #done = false;

  constructor(
    readonly socket: Socket,
    /** Until its certificate was verified; null: there was no room for it. */
    readonly stranger: Stranger | null,
    readonly options: InboundListenerOptions,
  ) {
    super();
    const { shard } = options;
    shard.wheel.arm(this, limits.clientHelloMs);
    shard.tick();
  }

  data(chunk: Uint8Array): void {
    if (this.#done) return;
    const before = this.#received;
    const all = before === null ? chunk : joined(before, chunk);
    const hello = readClientHello(all);
    if (hello.kind === "hello") return this.#secure(hello.serverName, all);
    if (hello.kind === "plain") return this.#refuse(plainAnswer, "a client that speaks no TLS");
    if (hello.kind === "malformed") return this.#refuse(malformed, hello.reason);
    if (all.length > limits.clientHelloBytesMax) {
      this.options.onLimit("clientHelloBytesMax");
      return this.#refuse(malformed, "a ClientHello that is too long");
    }
    this.#received = before === null ? chunk.slice() : all;
  }

  drain(): void {}

  end(): void {
    this.socket.destroy();
  }

  close(): void {
    this.options.shard.wheel.forget(this);
    this.stranger?.leave();
  }

  expired(): void {
    this.options.onLimit("clientHelloMs");
    this.socket.destroy();
  }

  #secure(serverName: string, received: Uint8Array): void {
    const { stranger } = this;
    const { net, shard, choose, secured, refused } = this.options;
    const tls = choose(serverName);
    if (tls === null) return this.#refuse(unknownName, `a client that wants "${serverName}"`);
    this.#done = true;
    shard.wheel.forget(this);
    const handshake = net.secureServer(this.socket, tls, received, {
      opened: (socket) => {
        stranger?.leave();
        return secured(socket, serverName);
      },
      failed: (error) => {
        stranger?.leave();
        refused(`a client of ${serverName}: ${error.message}`);
      },
    });
    if (stranger !== null) stranger.end = () => handshake.cancel();
  }

  #refuse(answer: Uint8Array, reason: string): void {
    this.#done = true;
    this.options.refused(reason);
    this.socket.write(answer);
    this.socket.destroy();
  }
}
