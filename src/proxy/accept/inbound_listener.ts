/**
 * The way in for other proxies: one mTLS port for every service of the machine. Who calls is what its certificate says; the
 * protocol that TLS agreed on says what follows: HTTP/2 shared by many calls, HTTP/1.1, or one opaque connection.
 */
import type { Listener, Net, PeerCertificate, Socket, SocketHandler } from "../../../runtime/contract.ts";
import type { ServerExchange } from "../../http/exchange.ts";
import { serveHttp, type HttpServer } from "../../http/http_server.ts";
import { principalOf } from "../../identity/spiffe_id.ts";
import { inboundTls, sharedAlpn, tcpAlpn } from "../../identity/tls_options.ts";
import { isDenied } from "../../identity/verify_peer.ts";
import { limits } from "../../model/limits.ts";
import { serviceKey } from "../../model/service.ts";
import { readProxyHeader } from "../../wire/proxy_protocol.ts";
import { profiles } from "../../wire/h2/settings.ts";
import { connectionOf } from "./connection_info.ts";
import { clientField } from "../fields/heddle_fields.ts";
import type { Caller } from "../state/live_service.ts";
import { requestIdOf, serveInbound } from "./inbound_exchange.ts";
import { serveInboundTcp } from "../inbound_tcp.ts";
import { FirstBytes } from "./first_bytes.ts";
import { listenInbound } from "../listen/inbound_listener.ts";
import { DownstreamExchange, DownstreamSocket } from "../tunnel/downstream.ts";
import type { ProxyParts } from "../state/proxy_parts.ts";
import { CallerFlows } from "../share/caller_flows.ts";
import type { Flow } from "../share/flow.ts";

/** Throws a `ListenError` when the port cannot be had. */
export function openInboundListener(
  parts: ProxyParts,
  listening: Pick<Net, "listen">,
  address: { readonly host: string; readonly port: number },
): Listener {
  return new InboundListener(parts).listen(listening, address);
}

class InboundListener {
  readonly #flows = new CallerFlows();

  constructor(readonly parts: ProxyParts) {}

  listen(
    listening: Pick<Net, "listen">,
    address: { readonly host: string; readonly port: number },
  ): Listener {
    const { net, shard, recorder, credentials, log } = this.parts;
    return listenInbound({
      net,
      listening,
      shard,
      ...address,
      choose: (serverName) => {
        const service = this.parts.state?.inbound.get(serverName);
        const credential = service === undefined ? null : credentials.of(service.shows ?? service.key);
        if (credential === null) return "none";
        const tls = inboundTls(credential, credentials.trust());
        return { do: "open", tls, secured: (socket) => this.#enter(socket, serverName) };
      },
      refused: (reason) => log(`inbound: refused ${reason}`),
      onLimit: (limit) => recorder.limitTripped(limit, "inbound"),
    });
  }

  #enter(socket: Socket, serverName: string): SocketHandler {
    const caller = this.#callerOf(socket);
    if (caller === null || socket.tls?.serverName !== serverName) {
      const downstream = new DownstreamSocket(socket, "");
      downstream.refuse();
      return downstream;
    }
    return socket.tls.alpn === tcpAlpn
      ? this.#serveOwn(socket, caller, serverName)
      : this.#serveHttp(socket, caller, serverName);
  }

  /** One opaque connection; a PROXY header before its bytes says who the client of the other proxy is. */
  #serveOwn(socket: Socket, caller: Caller, serverName: string): SocketHandler {
    const decide = (bytes: Uint8Array): boolean => {
      const read = readProxyHeader(bytes);
      if (read.kind !== "header") {
        if (read.kind === "malformed") socket.reset();
        return false;
      }
      const rest = bytes.length > read.length ? bytes.slice(read.length) : null;
      const downstream = new DownstreamSocket(socket, read.client, rest);
      socket.handler = downstream;
      serveInboundTcp(downstream, this.parts, caller, serverName);
      return true;
    };
    const { shard, recorder } = this.parts;
    const onLimit = (limit: string): void => recorder.limitTripped(limit, "inbound");
    return new FirstBytes(socket, { shard, withinMs: limits.firstByteMs, onLimit, decide });
  }

  #serveHttp(socket: Socket, caller: Caller, serverName: string): SocketHandler {
    const { shard, open, recorder } = this.parts;
    const { clock } = shard;
    const peer = socket.tls?.peer ?? null;
    const retireAtMs = clock.now() + limits.connectionAgeMs;
    const endsMs = clock.now() + (peer?.notAfterMs ?? 0) - clock.wallMs();
    const { remoteAddress } = socket;
    const flow = this.#flows.opened(remoteAddress, caller.key);
    const version = socket.tls?.alpn === sharedAlpn ? "h2" : "http/1.1";
    const server: HttpServer = serveHttp(socket, version, {
      shard,
      profile: profiles.mesh,
      connection: connectionOf(socket),
      handler: (exchange: ServerExchange) => {
        const nowMs = clock.now();
        // Whoever renews connects anew long before its certificate ends; this caller is nobody any more.
        if (nowMs > endsMs) return server.destroy();
        if (nowMs > retireAtMs) server.retire();
        this.#serve(exchange, caller, serverName, flow);
      },
      onLimit: (limit) => recorder.limitTripped(limit, "inbound"),
      onClosed: () => {
        this.#flows.closed(remoteAddress, caller.key);
        open.delete(server);
      },
    });
    open.add(server, peer);
    return server;
  }

  #serve(exchange: ServerExchange, caller: Caller, serverName: string, flow: Flow): void {
    const { parts } = this;
    if (exchange.request.upgrade !== "connect")
      return serveInbound(exchange, parts, caller, serverName, flow);
    const client = exchange.request.fields.get(clientField) ?? "";
    const requestId = requestIdOf(exchange, parts);
    const downstream = new DownstreamExchange(exchange, { client, flow, requestId, inside: true });
    serveInboundTcp(downstream, parts, caller, serverName);
  }

  /** Exactly the verified URI; null for whoever is no service, or was revoked. */
  #callerOf(socket: Socket): Caller | null {
    const peer: PeerCertificate | null = socket.tls?.peer ?? null;
    const spiffeId = peer?.uris[0];
    const { state } = this.parts;
    if (state === null || spiffeId === undefined || peer === null || isDenied(peer, state.denied))
      return null;
    const principal = principalOf(spiffeId, state.snapshot.trustDomain);
    return principal?.kind === "service" ? { key: serviceKey(principal.service), spiffeId } : null;
  }
}
