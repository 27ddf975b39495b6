/** What an exchange may know of the socket it came on. */
import type { Socket } from "../../../runtime/contract.ts";
import type { ConnectionInfo } from "../../http/exchange.ts";

export function connectionOf(socket: Socket, detectedBy = ""): ConnectionInfo {
  const { remoteAddress, remotePort, localPort, tls } = socket;
  const serverName = tls?.serverName ?? "";
  return { remoteAddress, remotePort, localPort, peer: tls?.peer ?? null, serverName, detectedBy };
}
