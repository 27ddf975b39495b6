/**
 * CONNECT of a local app (`https_proxy`, or a client that tunnels): leads to opaque services, by name. Where TLS routes decide, the
 * server name behind it does the rest.
 */
import { socketAddress } from "../../base/socket_address.ts";
import type { ServerExchange } from "../../http/exchange.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import { serviceKey, takesConnections } from "../../model/service.ts";
import { serverNameAsked } from "../../wire/client_hello.ts";
import type { LiveDestination } from "../state/live_service.ts";
import { NearExchange } from "../tunnel/near_side.ts";
import { NearTunnel } from "../tunnel/near_tunnel.ts";
import { outcomes } from "../failure/outcomes.ts";
import type { OutboundSource } from "../state/outbound_source.ts";
import { refuseOutboundTcp, serveOutboundTcp, serveOutboundTls } from "../outbound_tcp.ts";
import type { Flow } from "../share/flow.ts";
import type { ProxyState } from "../state/state.ts";
import { wholeCall, type TcpMeant } from "../route/tcp_call.ts";

export function serveOutboundConnect(exchange: ServerExchange, source: OutboundSource, flow: Flow): void {
  const { parts } = source;
  const { state } = parts;
  const { remoteAddress, remotePort } = exchange.connection;
  const client = socketAddress(remoteAddress, remotePort);
  const about = { client, flow, requestId: parts.ids.next() };
  const near = new NearExchange(exchange, { ...about, inside: false });
  const refuse = (outcome: Outcome, key = ""): void => refuseOutboundTcp(near, source, key, outcome);
  if (state === null) return refuse(outcomes.noSnapshot());
  const { authority } = exchange.request;
  const connect = (state: ProxyState, destination: LiveDestination): void => {
    const caller = source.callerIn(state);
    if (caller === null) return refuse(outcomes.noIdentity(source.key));
    const { protocol } = destination.destination;
    if (!takesConnections(protocol)) return refuse(outcomes.noConnect(destination), destination.key);
    if (destination.tlsRoutes.length > 0) return openTunnel(exchange, source, { destination, caller }, about);
    serveOutboundTcp(near, source, wholeCall({ destination, caller }, protocol === "tls" ? "tls" : "tcp"));
  };
  if (source.callerIn(state) === null) return refuse(outcomes.noIdentity(source.key));
  const found = source.find(state, authority);
  if (found === null) return refuse(outcomes.noName(authority));
  if (!("name" in found)) return connect(state, found);
  const key = serviceKey(found);
  const forget = parts.discovery.find(key, source.key, (absence) => {
    const known = parts.state;
    const destination = absence === null ? known?.destinations.get(key) : undefined;
    if (known === null || destination === undefined)
      refuse(absence ?? outcomes.noService(key), source.labelOf(key));
    else connect(known, destination);
  });
  if (forget === null) return;
  near.left = (outcome) => {
    forget();
    refuse(outcome, source.labelOf(key));
  };
}

/** Its routes ask for the server name, which a client says once it was answered. */
function openTunnel(
  exchange: ServerExchange,
  source: OutboundSource,
  meant: TcpMeant,
  about: { readonly client: string; readonly flow: Flow; readonly requestId: string },
): void {
  const tunnel = new NearTunnel(exchange, {
    ...about,
    shard: source.parts.shard,
    withinMs: limits.clientHelloMs,
    decide: (bytes, over) => {
      const serverName = serverNameAsked(bytes, over);
      if (serverName === null) return false;
      serveOutboundTls(tunnel, source, meant, serverName);
      return true;
    },
    lost: (outcome) => refuseOutboundTcp(tunnel, source, meant.destination.key, outcome),
  });
  tunnel.open();
}
