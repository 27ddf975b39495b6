/** UDP over Bun. A send to a peer that has gone makes Bun throw; here it loses the datagram, as UDP does. */
import type { ListenOptions, UdpSocket } from "../contract.ts";
import type { Faults } from "../shared/faults.ts";

export async function openUdp(
  options: ListenOptions,
  receive: (bytes: Uint8Array, address: string, port: number) => void,
  faults: Faults,
): Promise<UdpSocket> {
  // Missing in the types. 4 is LIBUS_LISTEN_REUSE_PORT, as node:dgram of Bun passes it.
  const shared = options.reusePort === true ? { flags: 4 } : {};
  const socket = await Bun.udpSocket({
    ...shared,
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
