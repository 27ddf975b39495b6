/**
 * The way in for local apps: what an accepted connection of one outbound listener becomes. The called service says what it
 * speaks; where it does not, the first bytes do, and what they decided is counted. Each way ends in a pipeline.
 */
import { socketAddress } from "../../base/socket_address.ts";
import type { Socket, SocketHandler } from "../../../runtime/contract.ts";
import type { ServerExchange } from "../../http/exchange.ts";
import { serveHttp, type HttpServer } from "../../http/http_server.ts";
import { limits } from "../../model/limits.ts";
import { serviceKey } from "../../model/service.ts";
import { serverNameAsked } from "../../wire/client_hello.ts";
import { beginsHttp2, whatIsSpoken } from "../../wire/first_bytes.ts";
import { profiles } from "../../wire/h2/settings.ts";
import { readProxyHeader } from "../../wire/proxy_protocol.ts";
import { connectionOf } from "./connection_info.ts";
import { FirstBytes } from "./first_bytes.ts";
import type { LiveDestination } from "../state/live_service.ts";
import { DownstreamSocket } from "../tunnel/downstream.ts";
import { serveOutbound } from "../outbound.ts";
import { serveOutboundConnect } from "./outbound_connect.ts";
import type { OutboundSource } from "../state/outbound_source.ts";
import { refuseOutboundTcp, serveOutboundTcp, serveRoutedTcp } from "../outbound_tcp.ts";
import { Flow } from "../share/flow.ts";
import { wholeCall, type TcpCall, type TcpMeant } from "../route/tcp_call.ts";

type Detected = "http/1.1" | "h2" | "tls" | "tcp";

export class OutboundListener {
  readonly #listener: string;

  constructor(
    readonly source: OutboundSource,
    /** Whoever connects sends the PROXY protocol first. */
    readonly proxyProtocol: boolean,
  ) {
    this.#listener = `outbound ${source.key}`;
  }

  accept(socket: Socket): SocketHandler {
    const client = socketAddress(socket.remoteAddress, socket.remotePort);
    return this.proxyProtocol ? this.#readProxyHeader(socket) : this.#enter(socket, client);
  }

  #readProxyHeader(socket: Socket): SocketHandler {
    const decide = (bytes: Uint8Array): boolean => {
      const read = readProxyHeader(bytes);
      if (read.kind === "more") return false;
      if (read.kind === "malformed") {
        this.source.parts.log(
          `${this.#listener}: refused a connection without a proper PROXY header: ${read.reason}`,
        );
        socket.reset();
        return true;
      }
      const rest = bytes.slice(read.length);
      socket.handler = this.#enter(socket, read.client);
      if (rest.length > 0) socket.handler.data(rest);
      return true;
    };
    return this.#firstBytes(socket, limits.firstByteMs, decide);
  }

  #enter(socket: Socket, client: string): SocketHandler {
    const { only } = this.source;
    if (only === null) return this.#http(socket);
    return this.#enterOnly(socket, client, serviceKey(only));
  }

  /** The called service decides what the connection speaks; while it is not known, the connection waits. */
  #enterOnly(socket: Socket, client: string, key: string): SocketHandler {
    const { parts } = this.source;
    const { state } = parts;
    const known = state?.destinations.get(key);
    if (state !== null && known !== undefined)
      return this.#serve(socket, client, { destination: known, caller: this.source.callerIn(state) });
    const waiting = new DownstreamSocket(socket, client);
    // Nobody asks the controller for a service.
    if (this.source.who.service === null) {
      refuseOutboundTcp(waiting, this.source, key, this.source.nobody());
      return waiting;
    }
    const forget = parts.discovery.find(key, this.source.key, (absence) => {
      waiting.left = null;
      if (absence !== null) return refuseOutboundTcp(waiting, this.source, key, absence);
      socket.resume();
      waiting.handOver(this.#enterOnly(socket, client, key));
    });
    if (forget === null) return waiting;
    waiting.left = (outcome) => {
      forget();
      refuseOutboundTcp(waiting, this.source, key, outcome);
    };
    return waiting;
  }

  #serve(socket: Socket, client: string, meant: TcpMeant): SocketHandler {
    switch (meant.destination.declared.protocol) {
      case "http":
      case "http2":
      case "grpc":
        return this.#http(socket);
      case "tcp":
        return this.#tcp(socket, client, meant);
      case "tls":
        return this.#tls(socket, client, meant);
      case "detect":
        return this.#detect(socket, client, meant);
    }
  }

  // ------------------------------------------------------------------------------------------------- HTTP

  /** HTTP/2 by prior knowledge, anything else is read as HTTP/1. */
  #http(socket: Socket): SocketHandler {
    return this.#firstBytes(socket, limits.firstByteMs, (bytes, over) => {
      const http2 = beginsHttp2(bytes);
      if (http2 === "undecided" && over === null) return false;
      if (bytes.length === 0) socket.destroy();
      else this.#beginHttp(socket, bytes, http2 === "yes");
      return true;
    });
  }

  #beginHttp(socket: Socket, bytes: Uint8Array, http2: boolean, detectedBy = ""): void {
    const { shard, open, recorder } = this.source.parts;
    const flow = new Flow(this.source.key, String(socket.remotePort));
    const server: HttpServer = serveHttp(socket, http2 ? "h2" : "http/1.1", {
      shard,
      profile: profiles.local,
      connection: connectionOf(socket, detectedBy),
      handler: (exchange) => this.#exchange(exchange, flow),
      hostOptional: this.source.only !== null,
      onLimit: (limit) => recorder.limitTripped(limit, this.#listener),
      onClosed: () => open.delete(server),
    });
    open.add(server, null);
    socket.handler = server;
    server.data(bytes);
  }

  #exchange(exchange: ServerExchange, flow: Flow): void {
    if (exchange.request.upgrade === "connect") serveOutboundConnect(exchange, this.source, flow);
    else serveOutbound(exchange, this.source, flow);
  }

  // ----------------------------------------------------------------------------------------------- opaque

  #opaque(socket: Socket, client: string, call: TcpCall): SocketHandler {
    const downstream = new DownstreamSocket(socket, client);
    socket.handler = downstream;
    serveOutboundTcp(downstream, this.source, call);
    return socket.handler;
  }

  #tcp(socket: Socket, client: string, meant: TcpMeant): SocketHandler {
    const downstream = new DownstreamSocket(socket, client);
    socket.handler = downstream;
    serveRoutedTcp(downstream, this.source, meant, "tcp");
    return socket.handler;
  }

  /** Routed by the server name of the ClientHello, which goes on unread. */
  #tls(socket: Socket, client: string, meant: TcpMeant): SocketHandler {
    return this.#firstBytes(socket, limits.clientHelloMs, (bytes, over) => {
      const serverName = serverNameAsked(bytes, over !== null);
      if (serverName === null) return false;
      const downstream = new DownstreamSocket(socket, client, bytes.slice());
      socket.handler = downstream;
      serveRoutedTcp(downstream, this.source, meant, "tls", serverName);
      return true;
    });
  }

  // --------------------------------------------------------------------------------------------- detection

  #detect(socket: Socket, client: string, meant: TcpMeant): SocketHandler {
    const { destination } = meant;
    if (destination.declared.serverFirst) {
      this.#detected(destination, "tcp", "port");
      return this.#opaque(socket, client, wholeCall(meant, "tcp", "port"));
    }
    return this.#firstBytes(socket, limits.detectMs, (bytes, over) => {
      const spoken = whatIsSpoken(bytes);
      if (spoken === "undecided" && over === null) return false;
      const by = over ?? "bytes";
      if (spoken === "http/1.1" || spoken === "h2") {
        this.#detected(destination, spoken, by);
        this.#beginHttp(socket, bytes, spoken === "h2", by);
        return true;
      }
      const protocol = spoken === "tls" ? "tls" : "tcp";
      this.#detected(destination, protocol, by);
      const downstream = new DownstreamSocket(socket, client, bytes.slice());
      socket.handler = downstream;
      serveOutboundTcp(downstream, this.source, wholeCall(meant, protocol, by));
      return true;
    });
  }

  #detected(destination: LiveDestination, protocol: Detected, by: string): void {
    this.source.parts.recorder.detected(destination.key, protocol, by);
  }

  #firstBytes(
    socket: Socket,
    withinMs: number,
    decide: (bytes: Uint8Array, over: "time" | "end" | null) => boolean,
  ): FirstBytes {
    const { shard, recorder } = this.source.parts;
    const onLimit = (limit: string): void => recorder.limitTripped(limit, this.#listener);
    return new FirstBytes(socket, { shard, withinMs, onLimit, decide });
  }
}
