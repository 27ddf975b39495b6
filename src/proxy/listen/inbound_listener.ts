/**
 * The one mTLS port of a machine: accepts in clear text, reads the ClientHello, and goes on as TLS with the certificate of
 * the service that SNI names. Whatever is not TLS, or names no service of this machine, is told so in one line and goes.
 */
import type { Listener, Net, Socket, SocketHandler, TlsServerOptions } from "../../../runtime/contract.ts";
import { WheelEntry } from "../../base/timer_wheel.ts";
import { letGo } from "../../base/bytes.ts";
import { Buffered, type Hoarder } from "../../http/buffered.ts";
import { Carry } from "../../http/carry.ts";
import type { Shard } from "../../http/shard.ts";
import { strangerBounds, Strangers, type Stranger } from "../../http/strangers.ts";
import { limits } from "../../model/limits.ts";
import { readClientHello } from "../../wire/client_hello.ts";

/** How a connection goes on whose server name was read. */
export type Entrance =
  | {
      readonly do: "open";
      /** How to be the service of that name. */
      readonly tls: TlsServerOptions;
      /** The caller was verified. */
      readonly secured: (socket: Socket) => SocketHandler;
    }
  /** It stays closed; its handler gets what was read. */
  | { readonly do: "pass"; readonly closed: (socket: Socket) => SocketHandler };

export interface InboundOptions {
  readonly net: Pick<Net, "secureServer">;
  readonly shard: Shard;
  /** `none`: it is no name of ours, and the client is told so. `full`: there is no room for its connection, which is reset. */
  readonly choose: (serverName: string, socket: Socket) => Entrance | "none" | "full";
  /** Whom a connection counts for until its certificate was verified; default: its peer. */
  readonly addressOf?: (socket: Socket) => string;
  /** To a client that speaks no TLS; default: what tells that other proxies come in here. */
  readonly plainAnswer?: Uint8Array;
  /** Somebody who may not come in, in words. */
  readonly refused: (reason: string) => void;
  readonly onLimit: (limit: string) => void;
}

export interface InboundListenerOptions extends InboundOptions {
  readonly listening: Pick<Net, "listen">;
  readonly host: string;
  readonly port: number;
}

/** Throws a `ListenError` when the port cannot be had. */
export function listenInbound(options: InboundListenerOptions): Listener {
  const { listening, host, port } = options;
  return listening.listen({ host, port }, acceptInbound(options));
}

/** What one port, of however many listeners, makes of each connection. */
export function acceptInbound(options: InboundOptions): (socket: Socket) => SocketHandler {
  const { onLimit, shard, addressOf = ({ remoteAddress }) => remoteAddress } = options;
  // All event loops have the port, and share what comes to it evenly.
  const { loops } = shard.numbers;
  const strangers = new Strangers({ clock: shard.clock, bounds: strangerBounds.mesh, loops, onLimit });
  // An account of their own: nobody who is known waits for what strangers send.
  const begun = new Buffered({
    nowMs: () => shard.clock.now(),
    bytesMax: limits.meshStrangersBytesMax / loops,
  });
  const about = { ...options, begun };
  return (socket) => {
    const stranger = strangers.admit(addressOf(socket), () => socket.destroy());
    if (stranger !== null) return new Hello(socket, about, stranger);
    socket.destroy();
    return unheard;
  };
}

const plainAnswer = new TextEncoder().encode(
  "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n" +
    "heddle: this port speaks mutual TLS between proxies; local apps have listeners of their own (heddle status)\n",
);
/** TLS alerts (RFC 8446 section 6.2): unrecognized_name, decode_error. */
const unknownName = Uint8Array.of(0x15, 3, 3, 0, 2, 2, 112);
const malformed = Uint8Array.of(0x15, 3, 3, 0, 2, 2, 50);

/** Collects the first message of one connection. */
class Hello extends WheelEntry implements SocketHandler, Hoarder {
  readonly #received: Carry;
  #done = false;

  constructor(
    readonly socket: Socket,
    readonly options: InboundOptions & { readonly begun: Buffered },
    /** Until its certificate was verified. */
    readonly stranger: Stranger,
  ) {
    super();
    const { shard, begun } = options;
    this.#received = new Carry(begun, this);
    shard.wheel.arm(this, limits.clientHelloMs);
    shard.tick();
  }

  data(chunk: Uint8Array): void {
    if (this.#done) return;
    this.#read(chunk);
    const { begun } = this.options;
    if (begun.due) begun.relieve();
  }

  #read(chunk: Uint8Array): void {
    const all = this.#received.empty ? chunk : this.#received.takeWith(chunk);
    const hello = readClientHello(all);
    if (hello.kind === "hello") return this.#secure(hello.serverName, all);
    if (hello.kind === "plain")
      return this.#refuse(this.options.plainAnswer ?? plainAnswer, "a client that speaks no TLS");
    if (hello.kind === "malformed") return this.#refuse(malformed, hello.reason);
    if (all.length > limits.clientHelloBytesMax) {
      this.options.onLimit("clientHelloBytesMax");
      return this.#refuse(malformed, "a ClientHello that is too long");
    }
    this.#received.keep(all, 0, all !== chunk);
  }

  drain(): void {}

  end(): void {
    this.socket.destroy();
  }

  /** Strangers have sent too much. */
  giveWay(): void {
    this.options.onLimit("meshStrangersBytesMax");
    this.#forget();
    this.socket.reset();
  }

  close(): void {
    this.options.shard.wheel.forget(this);
    this.#forget();
    this.stranger.leave();
  }

  #forget(): void {
    const received = this.#received.take();
    if (received !== null) letGo(received);
  }

  expired(): void {
    this.options.onLimit("clientHelloMs");
    this.socket.destroy();
  }

  #secure(serverName: string, received: Uint8Array): void {
    const { stranger } = this;
    const { net, shard, choose, refused } = this.options;
    const entrance = choose(serverName, this.socket);
    if (entrance === "none") return this.#refuse(unknownName, `a client that wants "${serverName}"`);
    this.#done = true;
    if (entrance === "full") return this.socket.reset();
    shard.wheel.forget(this);
    if (entrance.do === "pass") return this.#pass(entrance.closed, received);
    const handshake = net.secureServer(this.socket, entrance.tls, received, {
      opened: (socket) => {
        stranger.leave();
        return entrance.secured(socket);
      },
      failed: (error) => {
        stranger.leave();
        refused(`a client of ${serverName}: ${error.message}`);
      },
    });
    stranger.end = () => handshake.cancel();
  }

  #pass(closed: (socket: Socket) => SocketHandler, received: Uint8Array): void {
    this.stranger.leave();
    const handler = closed(this.socket);
    this.socket.handler = handler;
    handler.data(received);
  }

  #refuse(answer: Uint8Array, reason: string): void {
    this.#done = true;
    this.options.refused(reason);
    this.socket.write(answer);
    this.socket.destroy();
  }
}

const unheard: SocketHandler = { data() {}, drain() {}, end() {}, close() {} };
