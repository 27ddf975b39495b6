/**
 * The one mTLS port of this machine: a plain accept, the ClientHello, then TLS with the certificate of the service that it
 * names. Nothing of a connection is served before both sides have proved who they are.
 */
import type { Listener, Net, Socket, SocketHandler, TlsServerOptions } from "../../../runtime/contract.ts";
import { WheelEntry } from "../../base/timer_wheel.ts";
import type { Shard } from "../../http/shard.ts";
import { limits } from "../../model/limits.ts";
import { readClientHello } from "../../wire/client_hello.ts";

export interface InboundListenerOptions {
  readonly net: Net;
  readonly shard: Shard;
  readonly host: string;
  readonly port: number;
  /** The service that a client means by this server name, with its side of TLS; null: refused. */
  readonly tlsFor: (serverName: string) => { readonly key: string; readonly tls: TlsServerOptions } | null;
  /** A verified connection for the service; returns its handler. */
  readonly serve: (key: string, socket: Socket) => SocketHandler;
  readonly onRefused: (reason: string) => void;
  readonly onLimit: (limit: string) => void;
}

export function listenInbound(options: InboundListenerOptions): Listener {
  const { net, host, port } = options;
  return net.listen({ host, port }, (socket) => new Greeting(socket, options));
}

const plainAnswer =
  "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nThis port takes mutual TLS from heddle proxies only; call a service through the outbound listener of your own machine.\n";

/** Gathers the ClientHello. */
class Greeting extends WheelEntry implements SocketHandler {
  #bytes: Uint8Array = new Uint8Array(0);
  #done = false;

  constructor(
    readonly socket: Socket,
    readonly options: InboundListenerOptions,
  ) {
    super();
    options.shard.wheel.arm(this, limits.clientHelloMs);
    options.shard.tick();
  }

  data(chunk: Uint8Array): void {
    if (this.#done) return;
    const all = new Uint8Array(this.#bytes.length + chunk.length);
    all.set(this.#bytes);
    all.set(chunk, this.#bytes.length);
    this.#bytes = all;
    const result = readClientHello(all);
    if (result.kind === "more") return;
    if (result.kind === "hello") return this.#secure(result.serverName);
    if (result.kind === "plain") this.socket.write(new TextEncoder().encode(plainAnswer));
    this.#refuse(result.kind === "plain" ? "a client that speaks no TLS" : result.reason);
  }

  #secure(serverName: string): void {
    const found = this.options.tlsFor(serverName);
    if (found === null)
      return this.#refuse(
        serverName === "" ? "a client that names no service" : `no service ${serverName} runs here`,
      );
    this.#end();
    const { net, serve, onRefused } = this.options;
    net.secureServer(this.socket, found.tls, this.#bytes, {
      opened: (socket) => serve(found.key, socket),
      failed: (error) => onRefused(error.message),
    });
  }

  #refuse(reason: string): void {
    this.#end();
    this.options.onRefused(reason);
    this.socket.shutdown();
    this.socket.destroy();
  }

  #end(): void {
    this.#done = true;
    this.options.shard.wheel.forget(this);
  }

  expired(): void {
    this.options.onLimit("clientHelloMs");
    this.#refuse("no ClientHello in time");
  }

  drain(): void {}

  end(): void {
    if (!this.#done) this.#refuse("the client left before its ClientHello");
  }

  close(): void {
    this.#end();
  }
}
