/** UDP over `node:dgram`. A send to a peer that has gone loses the datagram, as UDP does. */
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { ListenOptions, UdpSocket } from "../contract.ts";
import type { Faults } from "../shared/faults.ts";

export function openUdp(
  options: ListenOptions,
  receive: (bytes: Uint8Array, address: string, port: number) => void,
  faults: Faults,
): Promise<UdpSocket> {
  const socket = createSocket({
    type: isIPv6(options.host) ? "udp6" : "udp4",
    reusePort: options.reusePort === true,
  });
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.on("message", (message, { address, port }) => {
      try {
        // A `slice` of a Buffer would be a view and not a copy.
        receive(new Uint8Array(message.buffer, message.byteOffset, message.length), address, port);
      } catch (error) {
        faults.report(error);
      }
    });
    socket.bind(options.port, options.host, () => {
      socket.off("error", reject);
      // An ICMP "port unreachable" for something we sent.
      socket.on("error", () => {});
      resolve({
        port: socket.address().port,
        descriptor: null,
        send: (bytes, address, port) => socket.send(bytes, port, address, () => {}),
        close: () => void socket.close(),
      });
    });
  });
}
