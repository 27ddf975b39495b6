/** The network of the Deno adapter: listeners, dials, the server side of TLS on an accepted socket, and UDP. */
import { createServer, type Server } from "node:net";
import { closeSync } from "node:fs";
import type { Listener, Native, Net, Ports, Socket, SocketHandler } from "../contract.ts";
import type { Faults } from "../shared/faults.ts";
import { createListening } from "../shared/listening.ts";
import { portError } from "../shared/port_error.ts";
import { connect } from "./dial.ts";
import { secureServer } from "./secure.ts";
import { StreamSocket } from "./socket.ts";
import { openUdp } from "./udp.ts";

type Accept = (socket: Socket) => SocketHandler;

export function createNet(native: Native, faults: Faults): Net {
  const listening = createListening(native);
  const adopt = (descriptor: number, accept: Accept): Server => {
    const server = createServer({ allowHalfOpen: true }, (raw) => new StreamSocket(raw, faults).meet(accept));
    server.on("error", (error) => faults.report(error));
    return server.listen({ fd: descriptor });
  };
  return {
    listen(options, accept): Listener {
      try {
        const bound = listening(options);
        const server = adopt(bound.descriptor, accept);
        return { port: bound.port, close: () => void server.close() };
      } catch (error) {
        throw portError(options.host, options.port, error);
      }
    },
    adopt(descriptor, accept): Listener {
      const server = adopt(descriptor, accept);
      return { port: 0, close: () => void server.close() };
    },
    connect: (options, dial) => connect(options, dial, faults),
    secureServer: (socket, options, received, dial) => secureServer(socket, options, received, dial, faults),
    // It shows no descriptors of sockets.
    originalDestination: () => null,
    udp: (options, receive) => openUdp(options, receive, faults),
    adoptUdp: () => Promise.reject(new Error("Deno goes on with no UDP socket of another process")),
  };
}

export function createPorts(native: Native): Ports {
  const listening = createListening(native);
  const libc = native.library("libc.so.6", { dup: { args: ["i32"], returns: "i32" } });
  return {
    duplicate: (descriptor) => libc.dup(descriptor),
    bind(options) {
      try {
        const bound = listening(options);
        return { ...bound, close: () => closeSync(bound.descriptor) };
      } catch (error) {
        throw portError(options.host, options.port, error);
      }
    },
  };
}
