/**
 * One port of a gateway, with the listeners that share it. In clear text the host of each request chooses among them; of TLS the server
 * name of the ClientHello does, and each request has to be for the listener and the certificate that its connection was opened with: one
 * for another is answered 421, so that the client opens a connection for it (RFC 9110 section 15.5.20, Gateway API GEP-3567).
 */
import type {
  Listener,
  Net,
  Socket,
  SocketError,
  SocketHandler,
  TlsCredential,
} from "../../runtime/contract.ts";
import { socketAddress } from "../base/socket_address.ts";
import type { ServerExchange } from "../http/exchange.ts";
import { serveHttp, type HttpServer } from "../http/http_server.ts";
import { sharedAlpn } from "../identity/tls_options.ts";
import type { GatewayListener } from "../model/gateway.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import type { ServiceName } from "../model/service.ts";
import { beginsHttp2 } from "../wire/first_bytes.ts";
import { readProxyHeader } from "../wire/proxy_protocol.ts";
import { profiles } from "../wire/h2/settings.ts";
import { connectionOf } from "./accept/connection_info.ts";
import { FirstBytes, type FirstBytesOptions } from "./accept/first_bytes.ts";
import { outcomes } from "./failure/outcomes.ts";
import { OutsideListener, type OutsideListenerOptions } from "./gateway_listener.ts";
import { ByHostname } from "./listen/by_hostname.ts";
import { Crowd } from "./listen/crowd.ts";
import { CountedSocket } from "./listen/counted_socket.ts";
import { acceptInbound, type Entrance } from "./listen/inbound_listener.ts";
import { hostOf } from "./route/match_route.ts";
import { Flow } from "./share/flow.ts";

export interface GatewayPortOptions extends Omit<OutsideListenerOptions, "listener"> {
  readonly address: string;
  readonly port: number;
}

const plainAnswer = new TextEncoder().encode(
  "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nThis port speaks HTTPS.\n",
);

/** What a TLS connection was opened for, and what became of its last request's host: hosts are mostly the same on one connection. */
interface OpenedFor {
  readonly name: string;
  readonly shown: TlsCredential;
  /** "" for a client that asked for none. */
  readonly serverName: string;
  host: string;
  /** null: not judged yet. */
  among: ByHostname<OutsideListener> | null;
  /** The listener as it is now, or why the request is not for it. */
  verdict: OutsideListener | Outcome | null;
}

/** Where a connection comes from: what its peer is, or says. */
type Origin = Pick<Socket, "remoteAddress" | "remotePort">;

/** null: it was not said. */
function originOf(client: string): Origin | null {
  const colon = client.lastIndexOf(":");
  if (colon < 0) return null;
  const remoteAddress = client.slice(0, colon).replace(/^\[|\]$/g, "");
  return { remoteAddress, remotePort: Number(client.slice(colon + 1)) };
}

class AwaitedHeader extends FirstBytes {
  constructor(
    readonly gone: () => void,
    socket: Socket,
    options: FirstBytesOptions,
  ) {
    super(socket, options);
  }

  override close(error: SocketError | null): void {
    this.gone();
    super.close(error);
  }
}

export class GatewayPort {
  /** By what they say, so that a listener that stays goes on counting. */
  #listeners = new Map<string, OutsideListener>();
  #byHostname = new ByHostname<OutsideListener>([]);
  readonly #crowd = new Crowd();
  readonly #acceptTls: (socket: Socket) => SocketHandler;
  /** Where relayed connections come from, until their TLS says where they go. */
  readonly #origins = new WeakMap<Socket, Origin>();
  /** Connections of which nobody said yet whose they are. */
  #unsaid = 0;
  #told = "";
  /** Connections in clear text, which belong to no listener before their first request. */
  #open = 0;

  constructor(readonly options: GatewayPortOptions) {
    const { net, shard } = options.parts;
    this.#acceptTls = acceptInbound({
      ...{ net, shard, plainAnswer },
      choose: (serverName, socket) => this.#choose(serverName, this.#originOf(socket)),
      addressOf: (socket) => this.#originOf(socket).remoteAddress,
      refused: () => {},
      onLimit: (limit) => this.#some.tripped(limit),
    });
  }

  #originOf(socket: Socket): Origin {
    return this.#origins.get(socket) ?? socket;
  }

  get gateway(): ServiceName {
    return this.options.gateway;
  }

  /** From the next connection on, or the next request of one in clear text. At least one; all of TLS, of HTTP, or one of tcp. */
  change(listeners: readonly GatewayListener[]): void {
    const before = this.#listeners;
    this.#listeners = new Map(
      listeners.map((listener) => {
        const key = JSON.stringify(listener);
        return [key, before.get(key) ?? new OutsideListener({ ...this.options, listener })];
      }),
    );
    this.#byHostname = new ByHostname([...this.#listeners.values()]);
  }

  /** Throws a `ListenError` when the port cannot be had. */
  listen(listening: Pick<Net, "listen">): Listener {
    const { address: host, port } = this.options;
    return listening.listen({ host, port }, (socket) => this.#accept(socket));
  }

  /** Of all, for what is no one's yet. */
  get #some(): OutsideListener {
    const [first] = this.#listeners.values();
    return first as OutsideListener;
  }

  get #most(): number {
    let most = 0;
    for (const { connectionsMax } of this.#listeners.values()) most += connectionsMax;
    return most;
  }

  #accept(socket: Socket): SocketHandler {
    const listener = this.#some;
    return listener.options.listener.proxyProtocol === true
      ? this.#readHeader(socket, listener)
      : this.#enter(socket, socket);
  }

  /** Whose connection it is; a load balancer's own (its checks) says nobody's. */
  #readHeader(socket: Socket, listener: OutsideListener): SocketHandler {
    if (this.#unsaid >= this.#most) return this.#reset(socket, listener);
    const { shard } = this.options.parts;
    this.#unsaid++;
    let isSaid = false;
    const said = (): void => {
      if (!isSaid) this.#unsaid--;
      isSaid = true;
    };
    return new AwaitedHeader(said, socket, {
      ...{ shard, withinMs: limits.firstByteMs, onLimit: (limit) => listener.tripped(limit) },
      decide: (bytes) => {
        const read = readProxyHeader(bytes);
        if (read.kind === "more") return false;
        said();
        if (read.kind === "malformed") this.#misread(socket, read.reason);
        else {
          const rest = bytes.slice(read.length);
          socket.handler = this.#enter(socket, originOf(read.client) ?? socket);
          if (rest.length > 0) socket.handler.data(rest);
        }
        return true;
      },
    });
  }

  #misread(socket: Socket, reason: string): void {
    socket.reset();
    const told = `${this.#some.label}: refused a connection without a proper PROXY header: ${reason}`;
    if (told !== this.#told) this.options.parts.log(told);
    this.#told = told;
  }

  #enter(socket: Socket, from: Origin): SocketHandler {
    const listener = this.#some;
    if (listener.protocol === "http") return this.#acceptPlain(socket, from);
    if (listener.protocol !== "https" && this.#listeners.size === 1 && listener.hostname === undefined)
      return this.#passOn(listener, socket, from);
    if (from !== socket) this.#origins.set(socket, from);
    return this.#acceptTls(socket);
  }

  #passOn(
    listener: OutsideListener,
    socket: Socket,
    from: Origin,
    handler = (counted: Socket): SocketHandler => listener.passOn(counted),
  ): SocketHandler {
    if (listener.isFull) return this.#reset(socket, listener, from);
    const counted = new CountedSocket(socket, () => listener.open--, from);
    listener.open++;
    counted.handler = handler(counted);
    return counted.outer;
  }

  // ------------------------------------------------------------------------------------------------ clear text

  /** HTTP/2 by prior knowledge, anything else is read as HTTP/1. */
  #acceptPlain(socket: Socket, from: Origin): SocketHandler {
    const { shard } = this.options.parts;
    const listener = this.#some;
    if (this.#open >= this.#most) return this.#reset(socket, listener, from);
    const counted = new CountedSocket(
      socket,
      () => {
        this.#open--;
        silent();
      },
      from,
    );
    this.#open++;
    const silent = this.#crowd.add(from.remoteAddress, { retire: () => counted.destroy() });
    counted.handler = new FirstBytes(counted, {
      ...{ shard, withinMs: limits.firstByteMs, onLimit: (limit) => listener.tripped(limit) },
      decide: (bytes, over) => {
        const http2 = beginsHttp2(bytes);
        if (http2 === "undecided" && over === null) return false;
        silent();
        if (bytes.length === 0) socket.destroy();
        else this.#begin(counted, listener, http2 === "yes").data(bytes);
        return true;
      },
    });
    return counted.outer;
  }

  #begin(socket: Socket, first: OutsideListener, http2: boolean): HttpServer {
    const server = this.#serve(socket, http2 ? "h2" : "http/1.1", first, (exchange, flow) => {
      const { authority } = exchange.request;
      const listener = this.#byHostname.find(hostOf(authority));
      if (listener !== null) return listener.serve(exchange, flow);
      // A load balancer asks by an address.
      for (const each of this.#listeners.values()) if (each.tellsReady(exchange)) return;
      first.refuse(exchange, outcomes.noHostHere(first.label, hostOf(authority)));
    });
    socket.handler = server;
    return server;
  }

  // ------------------------------------------------------------------------------------------------------- TLS

  #choose(serverName: string, from: Origin): Entrance | "none" | "full" {
    const listener = this.#byHostname.find(serverName);
    if (listener === null) return "none";
    if (listener.isFull) {
      this.#tooMany(listener, from);
      return "full";
    }
    if (listener.protocol !== "https") {
      const handler = listener.handlerFor(serverName, from.remoteAddress);
      if (handler === null) return "none";
      return { do: "pass", closed: (socket) => this.#passOn(listener, socket, from, handler) };
    }
    const tls = listener.tlsFor(serverName);
    if (tls === null) return "none";
    return { do: "open", tls, secured: (socket) => this.#secured(socket, from, listener, tls.credential) };
  }

  #secured(socket: Socket, from: Origin, listener: OutsideListener, shown: TlsCredential): SocketHandler {
    if (listener.isFull) return this.#reset(socket, listener, from);
    const version = socket.tls?.alpn === sharedAlpn ? "h2" : "http/1.1";
    const serverName = socket.tls?.serverName ?? "";
    const { name } = listener.options.listener;
    const opened: OpenedFor = { name, shown, serverName, host: "", among: null, verdict: null };
    listener.open++;
    return this.#serve(
      socket,
      version,
      listener,
      (exchange, flow) => {
        const verdict = this.#listenerFor(hostOf(exchange.request.authority), opened);
        if (verdict instanceof OutsideListener) verdict.serve(exchange, flow);
        else listener.refuse(exchange, verdict);
      },
      () => listener.open--,
      from,
    );
  }

  #listenerFor(host: string, opened: OpenedFor): OutsideListener | Outcome {
    if (opened.verdict === null || host !== opened.host || opened.among !== this.#byHostname) {
      opened.host = host;
      opened.among = this.#byHostname;
      opened.verdict = this.#judge(host, opened);
    }
    return opened.verdict;
  }

  /** A listener that was changed since is the one that its name says; one that is gone is another's, or nobody's. */
  #judge(host: string, { name, shown, serverName }: OpenedFor): OutsideListener | Outcome {
    const found = this.#byHostname.find(host);
    const { label } = this.#some;
    if (found === null) return outcomes.noHostHere(label, host);
    // Who asked for no name takes the certificate that there is.
    const isOther = serverName !== "" && found.isOfAnother(host, shown);
    return isOther || found.options.listener.name !== name ? outcomes.misdirected(label, host) : found;
  }

  // ------------------------------------------------------------------------------------------------------ both

  #serve(
    socket: Socket,
    version: "http/1.1" | "h2",
    listener: OutsideListener,
    take: (exchange: ServerExchange, flow: Flow) => void,
    closed?: () => void,
    { remoteAddress, remotePort }: Origin = socket,
  ): HttpServer {
    const { shard, open } = this.options.parts;
    const client = socketAddress(remoteAddress, remotePort);
    const about = { remoteAddress, remotePort, outside: true, secure: socket.tls !== null };
    const flow = new Flow(listener.source.key, client);
    const server: HttpServer = serveHttp(socket, version, {
      shard,
      profile: profiles.edge,
      connection: { ...connectionOf(socket), ...about },
      handler: (exchange) => take(exchange, flow),
      onLimit: (limit) => listener.tripped(limit),
      onClosed: () => {
        closed?.();
        left();
        open.delete(server);
      },
    });
    const left = this.#crowd.add(remoteAddress, server);
    open.add(server, null);
    return server;
  }

  /** Before anything of it takes memory. */
  #reset(socket: Socket, listener: OutsideListener, from: Origin = socket): SocketHandler {
    this.#tooMany(listener, from);
    socket.reset();
    return nobody;
  }

  #tooMany(listener: OutsideListener, from: Origin): void {
    listener.tripped("gatewayConnections");
    this.#crowd.thin(from.remoteAddress, this.options.parts.shard.clock.now());
  }
}

const nobody: SocketHandler = { data() {}, drain() {}, end() {}, close() {} };
