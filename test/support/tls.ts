/** A TLS port as the mesh opens it: a plain listener that reads first and then turns each connection into TLS. */
import type { Listener, Runtime, Socket, SocketError, TlsServerOptions } from "../../runtime/contract.ts";
import { Recorder, type End } from "./sockets.ts";

export interface TlsListener {
  readonly listener: Listener;
  readonly port: number;
  readonly secured: End[];
  readonly refused: SocketError[];
}

/** `optionsFor` is asked for each connection, with the first bytes it sent and the socket that they came on. */
export function listenTls(
  runtime: Runtime,
  optionsFor: (first: Uint8Array, plain: Socket) => TlsServerOptions,
  opened: (end: End) => void = () => {},
): TlsListener {
  const secured: End[] = [];
  const refused: SocketError[] = [];
  const listener = runtime.net.listen({ host: "127.0.0.1", port: 0 }, (socket: Socket) => ({
    data(chunk) {
      let inside = true;
      runtime.net.secureServer(socket, optionsFor(chunk, socket), chunk, {
        opened(above) {
          const end = { socket: above, heard: new Recorder() };
          secured.push(end);
          opened(end);
          return end.heard;
        },
        failed(error) {
          if (inside) throw new Error("failed was called from inside secureServer");
          refused.push(error);
        },
      });
      inside = false;
    },
    drain() {},
    end: () => socket.destroy(),
    close() {},
  }));
  return { listener, port: listener.port, secured, refused };
}
