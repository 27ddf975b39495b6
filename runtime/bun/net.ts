/** The network of the Bun adapter: listeners, dials, the server side of TLS on an accepted socket, and UDP. */
import { closeSync } from "node:fs";
import type { Listener, Native, Net, Ports, Socket, SocketHandler } from "../contract.ts";
import { duplicateOf } from "./descriptors.ts";
import { connect } from "./dial.ts";
import { originalDestinations } from "./original_destination.ts";
import type { Faults } from "../shared/faults.ts";
import { createListening } from "../shared/listening.ts";
import { portError } from "../shared/port_error.ts";
import { type RawSocket, silentHandler, StreamSocket, streamEvents } from "./socket.ts";
import { secureServer } from "./secure.ts";
import { TlsContexts } from "./tls.ts";
import { adoptUdp, openUdp } from "./udp.ts";

type Accept = (socket: Socket) => SocketHandler;

export function createNet(faults: Faults): Net {
  const contexts = new TlsContexts();
  const originalOf = originalDestinations();
  return {
    listen: (options, accept) => {
      const { host, port, reusePort = false } = options;
      const socket = acceptEvents(accept, faults);
      try {
        // `reusePort` works but is missing from the types.
        const bound = { hostname: host, port, allowHalfOpen: true, reusePort, socket };
        return listenerOf(Bun.listen<StreamSocket>(bound));
      } catch (error) {
        throw portError(host, port, error);
      }
    },
    adopt: (descriptor, accept) => {
      const socket = acceptEvents(accept, faults);
      // Bun takes a descriptor here though the types ask for an address.
      const adopted = { fd: descriptor, hostname: "", port: 0, allowHalfOpen: true, socket };
      return listenerOf(Bun.listen<StreamSocket>(adopted));
    },
    connect: (options, dial) => connect(options, dial, { contexts, faults }),
    secureServer: (socket, options, received, dial) =>
      secureServer(socket, options, received, dial, { contexts, faults }),
    originalDestination: (socket) => {
      const descriptor = socket instanceof StreamSocket ? socket.descriptor : null;
      return descriptor === null ? null : originalOf(descriptor);
    },
    udp: (options, receive) => openUdp(options, receive, faults),
    adoptUdp: (descriptor, receive) => adoptUdp(descriptor, receive, faults),
  };
}

export function createPorts(native: Native): Ports {
  const listening = createListening(native);
  return {
    bind: (options) => {
      try {
        const { port, descriptor } = listening(options);
        return { port, descriptor, close: () => closeSync(descriptor) };
      } catch (error) {
        throw portError(options.host, options.port, error);
      }
    },
    duplicate: (descriptor) => duplicateOf(native, descriptor),
  };
}

function listenerOf(listener: Bun.TCPSocketListener<StreamSocket>): Listener {
  const port = typeof listener.port === "number" ? listener.port : 0;
  return { port, close: () => listener.stop(false) };
}

function acceptEvents(accept: Accept, faults: Faults): Bun.SocketHandler<StreamSocket> {
  return {
    ...streamEvents,
    open(raw: RawSocket): void {
      const stream = new StreamSocket(faults);
      raw.data = stream;
      stream.opened(raw);
      try {
        stream.handler = accept(stream);
      } catch (error) {
        stream.handler = silentHandler;
        stream.destroy();
        faults.report(error);
      }
    },
  };
}
