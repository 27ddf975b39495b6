/**
 * CONNECT of a local app (`https_proxy`, or a client that tunnels): leads to opaque services, by name. Where TLS routes decide, the
 * server name behind it does the rest.
 */
import { socketAddress } from "../../base/socket_address.ts";
import type { ServerExchange } from "../../http/exchange.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import { takesConnections } from "../../model/service.ts";
import { serverNameAsked } from "../../wire/client_hello.ts";
import { outcomes } from "../failure/outcomes.ts";
import { refuseOutboundTcp, serveRoutedTcp } from "../outbound_tcp.ts";
import type { TcpMeant } from "../route/tcp_call.ts";
import type { Flow } from "../share/flow.ts";
import type { OutboundSource, Seeker } from "../state/outbound_source.ts";
import { DownstreamExchange } from "../tunnel/downstream.ts";
import { DownstreamTunnel } from "../tunnel/downstream_tunnel.ts";

export function serveOutboundConnect(exchange: ServerExchange, source: OutboundSource, flow: Flow): void {
  const { remoteAddress, remotePort } = exchange.connection;
  const client = socketAddress(remoteAddress, remotePort);
  const about = { client, flow, requestId: source.parts.ids.next() };
  const downstream = new DownstreamExchange(exchange, { ...about, inside: false });
  /** What records call the service. */
  let service = "";
  const refuse = (outcome: Outcome): void => refuseOutboundTcp(downstream, source, service, outcome);
  const seeker: Seeker = {
    refuse,
    waits: (name) => (service = name),
    found: (destination, caller) => {
      const { protocol } = destination.declared;
      service = destination.key;
      if (!takesConnections(protocol)) return refuse(outcomes.noConnect(destination));
      const meant = { destination, caller };
      const isTls = protocol === "tls";
      if (isTls && destination.tlsRoutes.length > 0) return openTunnel(exchange, source, meant, about);
      serveRoutedTcp(downstream, source, meant, isTls ? "tls" : "tcp");
    },
  };
  const forget = source.seek(exchange.request.authority, seeker);
  if (forget === null) return;
  downstream.left = (outcome) => {
    forget();
    refuse(outcome);
  };
}

/** Its routes ask for the server name, which a client says once it was answered. */
function openTunnel(
  exchange: ServerExchange,
  source: OutboundSource,
  meant: TcpMeant,
  about: { readonly client: string; readonly flow: Flow; readonly requestId: string },
): void {
  const tunnel = new DownstreamTunnel(exchange, {
    ...about,
    shard: source.parts.shard,
    withinMs: limits.clientHelloMs,
    decide: (bytes, over) => {
      const serverName = serverNameAsked(bytes, over);
      if (serverName === null) return false;
      serveRoutedTcp(tunnel, source, meant, "tls", serverName);
      return true;
    },
    lost: (outcome) => refuseOutboundTcp(tunnel, source, meant.destination.key, outcome),
  });
  tunnel.open();
}
