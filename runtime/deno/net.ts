/** The network of the Deno adapter: listeners, dials, the server side of TLS on an accepted socket, and UDP. */
import { createServer, type Server, type Socket as RawSocket } from "node:net";
import type { Listener, ListenError, Native, Net, Socket, SocketError, SocketHandler } from "../contract.ts";
import { socketErrorOf } from "../shared/errors.ts";
import type { Faults } from "../shared/faults.ts";
import { holderOf } from "../shared/holder.ts";
import { connect } from "./dial.ts";
import { createListening } from "./listening.ts";
import { secureServer } from "./secure.ts";
import { silentHandler, StreamSocket } from "./socket.ts";
import { openUdp } from "./udp.ts";

type Accept = (socket: Socket) => SocketHandler;

class PortError extends Error implements ListenError {
  override readonly name = "ListenError";
  constructor(
    message: string,
    readonly socketError: SocketError,
    readonly holder: string | null,
  ) {
    super(message);
  }
}

export function createNet(native: Native, faults: Faults): Net {
  const listening = createListening(native);
  const adopt = (descriptor: number, accept: Accept): Server => {
    const server = createServer({ allowHalfOpen: true }, (raw) => accepted(raw, accept, faults));
    server.on("error", (error) => faults.report(error));
    return server.listen({ fd: descriptor });
  };
  return {
    listen({ host, port, reusePort = false }, accept): Listener {
      try {
        const bound = listening(host, port, reusePort);
        const server = adopt(bound.descriptor, accept);
        return { port: bound.port, close: () => void server.close() };
      } catch (error) {
        throw portError(host, port, error);
      }
    },
    adopt(descriptor, accept): Listener {
      const server = adopt(descriptor, accept);
      return { port: 0, close: () => void server.close() };
    },
    connect: (options, dial) => connect(options, dial, faults),
    secureServer: (socket, options, received, dial) => secureServer(socket, options, received, dial, faults),
    udp: (options, receive) => openUdp(options, receive, faults),
  };
}

function accepted(raw: RawSocket, accept: Accept, faults: Faults): void {
  const stream = new StreamSocket(raw, faults);
  try {
    stream.handler = accept(stream);
  } catch (error) {
    stream.handler = silentHandler;
    stream.destroy();
    faults.report(error);
  }
}

function portError(host: string, port: number, error: unknown): PortError {
  const cause = socketErrorOf(error);
  const holder = cause.kind === "in-use" ? holderOf(host, port) : null;
  const detail =
    cause.kind === "in-use" ? `the port is taken by ${holder ?? "another process"}` : cause.message;
  return new PortError(`Cannot listen on ${host}:${port}: ${detail}`, cause, holder);
}
