/**
 * What becomes of a connection from outside of the mesh at one listener of a gateway. Its client is nobody; what goes on carries the
 * gateway's identity, and every request meets the routes of that listener and nothing else.
 */
import type { Listener, Net, Socket, SocketHandler, TlsServerOptions } from "../../runtime/contract.ts";
import { socketAddress } from "../base/socket_address.ts";
import type { ServerExchange } from "../http/exchange.ts";
import { serveHttp, type HttpServer } from "../http/http_server.ts";
import { httpAlpn, sharedAlpn } from "../identity/tls_options.ts";
import { listenerService, type GatewayListener } from "../model/gateway.ts";
import { limits } from "../model/limits.ts";
import type { ServiceName } from "../model/service.ts";
import { noEdits } from "../wire/fields.ts";
import { profiles } from "../wire/h2/settings.ts";
import { connectionOf } from "./accept/connection_info.ts";
import { OutboundListener } from "./accept/outbound_listener.ts";
import { outcomes } from "./failure/outcomes.ts";
import { rescue } from "./failure/rescue.ts";
import type { GatewayCertificates } from "./listen/gateway_certificates.ts";
import { CountedSocket } from "./listen/counted_socket.ts";
import { listenInbound } from "./listen/inbound_listener.ts";
import { serveOutbound } from "./outbound.ts";
import { hostOf } from "./route/match_route.ts";
import { Flow } from "./share/flow.ts";
import { OutboundSource } from "./state/outbound_source.ts";
import type { ProxyParts } from "./state/proxy_parts.ts";

export interface GatewayListenerOptions {
  readonly parts: ProxyParts;
  readonly listening: Pick<Net, "listen">;
  /** Its identity. */
  readonly gateway: ServiceName;
  readonly listener: GatewayListener;
  readonly certificates: GatewayCertificates;
  /** This machine takes requests. */
  readonly isReady: () => boolean;
}

const plainAnswer = new TextEncoder().encode(
  "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nThis port speaks HTTPS.\n",
);

/** Throws a `ListenError` when the port cannot be had. */
export function listenGateway(options: GatewayListenerOptions): Listener {
  return new OutsideListener(options).listen();
}

class OutsideListener {
  readonly #source: OutboundSource;
  readonly #label: string;
  readonly #max: number;
  readonly #tls = new WeakMap<object, TlsServerOptions>();
  #open = 0;

  constructor(readonly options: GatewayListenerOptions) {
    const { parts, gateway, listener } = options;
    const only = listener.service ?? listenerService(gateway, listener);
    this.#source = new OutboundSource(parts, { service: gateway, refusal: null }, only, false, true);
    this.#label = `gateway ${gateway.name}:${listener.name}`;
    this.#max = Math.ceil(listener.connectionsMax / parts.shard.numbers.loops);
  }

  listen(): Listener {
    const { listening, listener } = this.options;
    const { protocol, address: host, port } = listener;
    if (protocol === "https") return this.#listenTls();
    if (protocol === "http")
      return listening.listen({ host, port }, (socket) => this.#serve(socket, "http/1.1"));
    const opaque = new OutboundListener(this.#source, false);
    return listening.listen({ host, port }, (socket) => {
      if (!this.#hasRoom(socket)) return nobody;
      const counted = new CountedSocket(socket, () => this.#open--);
      this.#open++;
      counted.handler = opaque.accept(counted);
      return counted.outer;
    });
  }

  #listenTls(): Listener {
    const { parts, listening, listener, certificates } = this.options;
    const { net, shard } = parts;
    return listenInbound({
      ...{ net, listening, shard, host: listener.address, port: listener.port, plainAnswer },
      choose: (serverName) => {
        const credential = certificates.credentialFor(serverName, listener.certificates);
        return credential === null ? null : this.#tlsOf(credential);
      },
      secured: (socket) => this.#serve(socket, socket.tls?.alpn === sharedAlpn ? "h2" : "http/1.1"),
      refused: () => {},
      onLimit: (limit) => this.#tripped(limit),
    });
  }

  #tlsOf(credential: TlsServerOptions["credential"]): TlsServerOptions {
    const known = this.#tls.get(credential);
    if (known !== undefined) return known;
    const made: TlsServerOptions = {
      ...{ credential, trustPem: [], alpn: [sharedAlpn, httpAlpn], peer: "none" },
      handshakeTimeoutMs: limits.tlsHandshakeMs,
      accept: () => null,
    };
    this.#tls.set(credential, made);
    return made;
  }

  /** Before anything of it takes memory. */
  #hasRoom(socket: Socket): boolean {
    if (this.#open < this.#max) return true;
    this.#tripped("gatewayConnections");
    socket.reset();
    return false;
  }

  #serve(socket: Socket, version: "http/1.1" | "h2"): SocketHandler {
    if (!this.#hasRoom(socket)) return nobody;
    const { shard, open } = this.options.parts;
    const client = socketAddress(socket.remoteAddress, socket.remotePort);
    const flow = new Flow(this.#source.key, client);
    this.#open++;
    const server: HttpServer = serveHttp(socket, version, {
      shard,
      profile: profiles.edge,
      connection: { ...connectionOf(socket), outside: true, secure: socket.tls !== null },
      handler: (exchange) => this.#exchange(exchange, flow),
      onLimit: (limit) => this.#tripped(limit),
      onClosed: () => {
        this.#open--;
        open.delete(server);
      },
    });
    open.add(server, null);
    return server;
  }

  #exchange(exchange: ServerExchange, flow: Flow): void {
    const { listener, isReady } = this.options;
    const { path, method, upgrade } = exchange.request;
    if (upgrade === "connect") return this.#refuse(exchange);
    if (path === listener.ready && (method === "GET" || method === "HEAD"))
      return answer(exchange, isReady() ? 200 : 503, []);
    const { redirectPort } = listener;
    if (redirectPort === undefined) return serveOutbound(exchange, this.#source, flow);
    answer(exchange, 308, ["location", secureLocation(exchange, redirectPort)]);
  }

  /** Nobody from outside says where a tunnel leads. */
  #refuse(exchange: ServerExchange): void {
    rescue(exchange, outcomes.noTunnelHere(this.#label), this.options.parts.ids.next(), false);
  }

  #tripped(limit: string): void {
    this.options.parts.recorder.limitTripped(limit, this.#label);
  }
}

function answer(exchange: ServerExchange, status: number, set: readonly string[]): void {
  exchange.respond(status, null, { remove: noEdits.remove, set, add: noEdits.add }, 0);
  exchange.end(null);
}

function secureLocation({ request }: ServerExchange, port: number): string {
  const { authority, target } = request;
  const shown = port === 443 ? "" : `:${port}`;
  return `https://${hostOf(authority)}${shown}${target.startsWith("/") ? target : "/"}`;
}

const nobody: SocketHandler = { data() {}, drain() {}, end() {}, close() {} };
