/**
 * TLS between proxies of two networks, at a gateway of one of them: passed on, unopened, to the machine that the client asks for. Nobody
 * is known here; who calls whom is proven by the two that speak TLS.
 */
import type { Socket, SocketHandler } from "../../runtime/contract.ts";
import { addressText, type Address } from "../base/socket_address.ts";
import { PassedConnection } from "./passed_connection.ts";
import type { OutboundSource } from "./state/outbound_source.ts";

/** What records call where such a connection goes: no key of a service, which has a dot. */
const relayed = "mesh";

export function relay(
  socket: Socket,
  source: OutboundSource,
  to: Address,
  serverName: string,
): SocketHandler {
  const endpoint = `${serverName} (${addressText(to)})`;
  return new PassedConnection(socket, source, { to, as: relayed, endpoint }).begin(null);
}
