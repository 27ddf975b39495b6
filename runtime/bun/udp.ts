/** UDP over Bun. A send to a peer that has gone makes Bun throw; here it loses the datagram, as UDP does. */
import type { UdpSocket } from "../contract.ts";
import type { Faults } from "../shared/faults.ts";

export async function openUdp(
  options: { readonly host: string; readonly port: number },
  receive: (bytes: Uint8Array, address: string, port: number) => void,
  faults: Faults,
): Promise<UdpSocket> {
  const socket = await Bun.udpSocket({
    hostname: options.host,
    port: options.port,
    // As in socket.ts: a `slice` is to be a copy.
    binaryType: "uint8array",
    socket: {
      data(_socket, bytes, port, address) {
        try {
          receive(bytes, address, port);
        } catch (error) {
          faults.report(error);
        }
      },
      // An ICMP "port unreachable" for something we sent.
      error: () => {},
    },
  });
  return {
    port: socket.port,
    send(bytes, address, port) {
      try {
        socket.send(bytes, port, address);
      } catch {
        // Lost.
      }
    },
    close: () => socket.close(),
  };
}
