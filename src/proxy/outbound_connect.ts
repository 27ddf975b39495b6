/** CONNECT of a local app (`https_proxy`, or a client that tunnels): leads to opaque services, by name. */
import type { ServerExchange } from "../http/exchange.ts";
import type { Outcome } from "../model/outcome.ts";
import { serviceKey, takesConnections } from "../model/service.ts";
import type { LiveDestination } from "./live_service.ts";
import { NearExchange } from "./near_side.ts";
import { outcomes } from "./outcomes.ts";
import type { OutboundSource } from "./outbound_source.ts";
import { refuseOutboundTcp, serveOutboundTcp } from "./outbound_tcp.ts";
import { wholeCall } from "./tcp_call.ts";

export function serveOutboundConnect(exchange: ServerExchange, source: OutboundSource): void {
  const { parts } = source;
  const { state } = parts;
  const { remoteAddress, remotePort } = exchange.connection;
  const near = new NearExchange(exchange, {
    client: `${remoteAddress}:${remotePort}`,
    requestId: parts.ids.next(),
    inside: false,
  });
  const refuse = (outcome: Outcome, key = ""): void => refuseOutboundTcp(near, source, key, outcome);
  if (state === null) return refuse(outcomes.noSnapshot());
  if (source.callerIn(state) === null) return refuse(outcomes.noIdentity(source.key));
  const { authority } = exchange.request;
  const connect = (destination: LiveDestination): void => {
    const { protocol } = destination.destination;
    if (!takesConnections(protocol)) return refuse(outcomes.noConnect(destination), destination.key);
    serveOutboundTcp(near, source, wholeCall(destination, protocol === "tls" ? "tls" : "tcp"));
  };
  const found = source.find(state, authority);
  if (found === null) return refuse(outcomes.noName(authority));
  if (!("name" in found)) return connect(found);
  const key = serviceKey(found);
  const waits = parts.discovery.wait(key, (there) => {
    const destination = there ? parts.state?.destinations.get(key) : undefined;
    if (destination === undefined) refuse(outcomes.noService(key), key);
    else connect(destination);
  });
  if (!waits) refuse(outcomes.noService(key), key);
}
