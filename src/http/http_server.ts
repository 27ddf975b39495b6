/** The server side of HTTP on an accepted socket, once it is known which version the client speaks. */
import type { Socket } from "../../runtime/contract.ts";
import { Http1Server } from "./h1_server.ts";
import type { Http1ServerOptions } from "./h1_server_options.ts";
import { Http2Server, type Http2ServerOptions } from "./h2_server.ts";

export type HttpServerOptions = Http1ServerOptions & Http2ServerOptions;
export type HttpServer = Http1Server | Http2Server;

/** Set the result as the socket's handler and give it every byte, the preface of HTTP/2 too. */
export function serveHttp(
  socket: Socket,
  version: "http/1.1" | "h2",
  options: HttpServerOptions,
): HttpServer {
  return version === "h2" ? new Http2Server(socket, options) : new Http1Server(socket, options);
}
