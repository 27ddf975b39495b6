/** UDP over Bun. A send to a peer that has gone makes Bun throw; here it loses the datagram, as UDP does. */
import type { ListenOptions, UdpSocket } from "../contract.ts";
import type { Faults } from "../shared/faults.ts";

type Receive = (bytes: Uint8Array, address: string, port: number) => void;

export async function openUdp(options: ListenOptions, receive: Receive, faults: Faults): Promise<UdpSocket> {
  // Missing in the types. 4 is LIBUS_LISTEN_REUSE_PORT, as node:dgram of Bun passes it.
  const shared = options.reusePort === true ? { flags: 4 } : {};
  return await made({ ...shared, hostname: options.host, port: options.port }, receive, faults);
}

/** Missing in the types, too: a descriptor that is bound already. */
export async function adoptUdp(descriptor: number, receive: Receive, faults: Faults): Promise<UdpSocket> {
  const socket = await made({ fd: descriptor }, receive, faults);
  return { ...socket, descriptor };
}

async function made(
  where: { readonly hostname?: string; readonly port?: number; readonly fd?: number },
  receive: Receive,
  faults: Faults,
): Promise<UdpSocket> {
  const socket = await Bun.udpSocket({
    ...where,
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
    descriptor: (socket as { fd?: number }).fd ?? null,
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
