/**
 * What becomes of a connection from outside of the mesh at one listener of a gateway. Its client is nobody; what goes on carries the
 * gateway's identity, and every request meets the routes of that listener and nothing else.
 */
import type { Socket, SocketHandler, TlsCredential, TlsServerOptions } from "../../runtime/contract.ts";
import type { ServerExchange } from "../http/exchange.ts";
import { httpAlpn, sharedAlpn } from "../identity/tls_options.ts";
import { listenerService, type GatewayListener } from "../model/gateway.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import type { ServiceName } from "../model/service.ts";
import { noEdits } from "../wire/fields.ts";
import { OutboundListener } from "./accept/outbound_listener.ts";
import { outcomes } from "./failure/outcomes.ts";
import { rescue } from "./failure/rescue.ts";
import type { GatewayCertificates } from "./listen/gateway_certificates.ts";
import { serveOutbound } from "./outbound.ts";
import { hostOf } from "./route/match_route.ts";
import type { Flow } from "./share/flow.ts";
import { relay } from "./relay.ts";
import { OutboundSource } from "./state/outbound_source.ts";
import { relayFor } from "./state/relays.ts";
import type { ProxyParts } from "./state/proxy_parts.ts";

export interface OutsideListenerOptions {
  readonly parts: ProxyParts;
  /** Its identity. */
  readonly gateway: ServiceName;
  readonly listener: GatewayListener;
  readonly certificates: GatewayCertificates;
  /** This machine takes requests. */
  readonly isReady: () => boolean;
}

export class OutsideListener {
  readonly source: OutboundSource;
  readonly label: string;
  readonly hostname?: string;
  /** Open at a time in this event loop. */
  readonly connectionsMax: number;
  /** Connections that are open here. */
  open = 0;
  readonly #opaque: OutboundListener;
  readonly #tls = new WeakMap<TlsCredential, TlsServerOptions>();

  constructor(readonly options: OutsideListenerOptions) {
    const { parts, gateway, listener } = options;
    const only = listener.service ?? listenerService(gateway, listener);
    this.source = new OutboundSource(parts, { service: gateway, refusal: null }, only, false, true);
    this.#opaque = new OutboundListener(this.source, false);
    this.label = `gateway ${gateway.name}:${listener.name}`;
    if (listener.hostname !== undefined) this.hostname = listener.hostname;
    this.connectionsMax = Math.ceil(listener.connectionsMax / parts.shard.numbers.loops);
  }

  get protocol(): GatewayListener["protocol"] {
    return this.options.listener.protocol;
  }

  get isFull(): boolean {
    return this.open >= this.connectionsMax;
  }

  /** It stays closed. */
  passOn(socket: Socket): SocketHandler {
    return this.#opaque.accept(socket);
  }

  /** The same, for one whose client, at that address, asks for that name; null: it leads nowhere. */
  handlerFor(serverName: string, client: string): ((socket: Socket) => SocketHandler) | null {
    const { listener, parts } = this.options;
    if (listener.meshNetwork === undefined) return (socket) => this.passOn(socket);
    const to = parts.state === null ? null : relayFor(parts.state.relays, listener, { serverName, client });
    return to === null ? null : (socket) => relay(socket, this.source, to, serverName);
  }

  /** What a client that asks for that name is shown; null: there is nothing to show. */
  tlsFor(serverName: string): TlsServerOptions | null {
    const { certificates, listener } = this.options;
    const credential = certificates.credentialFor(serverName, listener.certificates);
    if (credential === null) return null;
    const known = this.#tls.get(credential);
    if (known !== undefined) return known;
    const { minVersion } = listener;
    const made: TlsServerOptions = {
      ...{ credential, trustPem: [], alpn: [sharedAlpn, httpAlpn], peer: "none" },
      handshakeTimeoutMs: limits.tlsHandshakeMs,
      accept: () => null,
      ...(minVersion === undefined ? {} : { minVersion }),
    };
    this.#tls.set(credential, made);
    return made;
  }

  /** A client that was shown this should ask for that host on another connection. */
  isOfAnother(host: string, shown: TlsCredential): boolean {
    const { certificates, listener } = this.options;
    return certificates.isOfAnother(host, shown, listener.certificates);
  }

  /** Tells a load balancer that asks whether this machine takes requests. False: it is no such request. */
  tellsReady(exchange: ServerExchange): boolean {
    const { listener, isReady } = this.options;
    const { path, method } = exchange.request;
    if (path !== listener.ready || (method !== "GET" && method !== "HEAD")) return false;
    answer(exchange, isReady() ? 200 : 503, []);
    return true;
  }

  serve(exchange: ServerExchange, flow: Flow): void {
    // Nobody from outside says where a tunnel leads.
    if (exchange.request.upgrade === "connect")
      return this.refuse(exchange, outcomes.noTunnelHere(this.label));
    if (this.tellsReady(exchange)) return;
    const { redirectPort } = this.options.listener;
    if (redirectPort === undefined) return serveOutbound(exchange, this.source, flow);
    answer(exchange, 308, ["location", secureLocation(exchange, redirectPort)]);
  }

  refuse(exchange: ServerExchange, outcome: Outcome): void {
    rescue(exchange, outcome, this.options.parts.ids.next(), false);
  }

  tripped(limit: string): void {
    this.options.parts.recorder.limitTripped(limit, this.label);
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
