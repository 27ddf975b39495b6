/**
 * One shard of the data plane: listeners, the current state, and everything that is open. Snapshots come in, traffic goes
 * through, nothing of what is open ends because of a new snapshot.
 */
import type { Listener, Net, Random, Socket, SocketHandler } from "../../runtime/contract.ts";
import type { ServerExchange } from "../http/exchange.ts";
import { Http1Server } from "../http/h1_server.ts";
import type { Shard } from "../http/shard.ts";
import { inboundTls, tcpAlpn } from "../identity/tls_options.ts";
import type { MachineDocument, MachineService, Upstream } from "../model/document.ts";
import { serviceKey } from "../model/service.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { PolicyChain } from "../policy/chain.ts";
import type { Recorder } from "../telemetry/record.ts";
import type { Credentials } from "./credentials.ts";
import { Discovery } from "./discovery.ts";
import { serveInbound } from "./inbound.ts";
import { listenInbound } from "./listen/inbound_listener.ts";
import { serviceKeyOf } from "./listen/mesh_name.ts";
import { refuseUnknown, serveOutbound, type OutboundContext } from "./outbound.ts";
import { RequestIds } from "./request_id.ts";
import { createState, retireState, type ProxyState, type StateOptions } from "./state.ts";
import type { TcpPipe } from "./tcp.ts";
import { serveTcpInbound } from "./tcp_inbound.ts";
import { serveTcpOutbound } from "./tcp_outbound.ts";

export interface DataPlaneOptions {
  readonly net: Net;
  readonly shard: Shard;
  readonly random: Random;
  readonly recorder: Recorder;
  readonly credentials: Credentials;
  readonly policies: PolicyChain;
  readonly machine: MachineDocument;
  readonly inbound: { readonly host: string; readonly port: number };
  /** Where the local listeners bind. */
  readonly loopback: string;
  readonly outboundFirstPort: number;
  /** A local app asked for a service that the snapshot does not have. */
  readonly wanted: (key: string) => void;
  readonly log: (text: string) => void;
}

/** Where a local service finds the mesh. */
export interface OutboundAddress {
  readonly service: string;
  readonly host: string;
  readonly port: number;
  /** Key of the one service it leads to; null: the HTTP listener, by name. */
  readonly upstream: string | null;
}

export class DataPlane {
  readonly addresses: OutboundAddress[] = [];
  readonly #listeners: Listener[] = [];
  readonly #connections = new Set<Http1Server>();
  readonly #pipes = new Set<TcpPipe>();
  readonly #context: OutboundContext;
  readonly #discovery: Discovery;
  #state: ProxyState | null = null;

  constructor(readonly options: DataPlaneOptions) {
    const { net, shard, random, recorder, credentials, policies, machine } = options;
    this.#discovery = new Discovery(shard.clock, options.wanted);
    const stateOptions: StateOptions = {
      net,
      shard,
      random,
      credentials,
      machine: machine.services,
      onLimit: (limit, listener) => recorder.limitTripped(limit, listener),
    };
    this.#context = {
      shard,
      random,
      recorder,
      policies,
      stateOptions,
      requestIds: new RequestIds(random),
      state: () => this.#state,
      discover: (key, found) => this.#discovery.wait(key, found),
    };
  }

  get state(): ProxyState | null {
    return this.#state;
  }

  /** Opens the listeners. Throws when a port is taken, naming its holder; nothing stays open then. */
  open(): void {
    try {
      this.#openInbound();
      this.options.machine.services.forEach((service, at) => this.#openOutbound(service, at));
    } catch (error) {
      for (const listener of this.#listeners.splice(0)) listener.close();
      throw error;
    }
  }

  /** Makes the snapshot current. */
  apply(snapshot: Snapshot): void {
    const previous = this.#state;
    const next = createState(this.#context.stateOptions, previous, snapshot);
    this.#state = next;
    if (previous !== null) retireState(previous, next);
    this.#cutDenied(snapshot.deniedIds);
    this.#discovery.arrived((key) => next.destinations.has(key));
  }

  /** A credential was replaced: connections that show the old one take nothing new. */
  credentialsChanged(): void {
    for (const destination of this.#state?.destinations.values() ?? []) {
      for (const endpoint of destination.endpoints.values())
        for (const pool of endpoint.pools.values()) pool.refresh();
    }
  }

  /** Takes nothing new, lets what is open finish, ends the rest at the deadline. */
  async close(deadlineMs: number): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    for (const connection of this.#connections) connection.retire();
    const { clock } = this.options.shard;
    const until = clock.now() + deadlineMs;
    while (this.#connections.size + this.#pipes.size > 0 && clock.now() < until) {
      await new Promise<void>((resolve) => clock.after(20, resolve));
    }
    for (const connection of this.#connections) connection.destroy();
    for (const pipe of this.#pipes) pipe.destroy();
    if (this.#state !== null) retireState(this.#state, null);
  }

  // ------------------------------------------------------------------------------------------ inbound

  #openInbound(): void {
    const { net, shard, inbound, recorder, credentials, log } = this.options;
    const listener = listenInbound({
      net,
      shard,
      host: inbound.host,
      port: inbound.port,
      tlsFor: (serverName) => {
        const local = this.#state?.localsByName.get(serverName);
        const credential = local === undefined ? null : credentials.of(local.key);
        return local === undefined || credential === null
          ? null
          : { key: local.key, tls: inboundTls(credential, credentials.trust()) };
      },
      serve: (key, socket) => this.#serveSecured(key, socket),
      onRefused: (reason) => log(`inbound: refused ${reason}`),
      onLimit: (limit) => recorder.limitTripped(limit, "inbound"),
    });
    this.#listeners.push(listener);
  }

  #serveSecured(key: string, socket: Socket): SocketHandler {
    if (socket.tls?.alpn === tcpAlpn)
      return serveTcpInbound(this.#context, key, socket, (pipe) => this.#keepPipe(pipe));
    return this.#serveHttp(socket, key, false, (exchange) => serveInbound(this.#context, key, exchange));
  }

  // ----------------------------------------------------------------------------------------- outbound

  #openOutbound(service: MachineService, at: number): void {
    const key = serviceKey(service.service);
    const { loopback, outboundFirstPort } = this.options;
    const port = service.httpPort ?? outboundFirstPort + at;
    const { namespace } = service.service;
    this.#listen(loopback, port, key, null, (socket) =>
      this.#serveHttp(socket, key, false, (exchange) => {
        const called = serviceKeyOf(exchange.request.authority, namespace);
        if (called === null) refuseUnknown(this.#context, key, exchange);
        else serveOutbound(this.#context, key, called, exchange);
      }),
    );
    for (const upstream of service.upstreams)
      if (upstream.port !== null) this.#openUpstream(key, upstream, upstream.port);
  }

  /** An explicit port. What the service speaks is known from the snapshot when a connection comes. */
  #openUpstream(source: string, upstream: Upstream, port: number): void {
    const key = serviceKey(upstream.service);
    this.#listen(upstream.host, port, source, key, (socket) => {
      const protocol = this.#state?.destinations.get(key)?.destination.protocol ?? "tcp";
      if (protocol === "tcp")
        return serveTcpOutbound(this.#context, source, key, socket, (pipe) => this.#keepPipe(pipe));
      return this.#serveHttp(socket, source, true, (exchange) =>
        serveOutbound(this.#context, source, key, exchange),
      );
    });
  }

  #listen(
    host: string,
    port: number,
    service: string,
    upstream: string | null,
    accept: (socket: Socket) => SocketHandler,
  ): void {
    const listener = this.options.net.listen({ host, port }, accept);
    this.#listeners.push(listener);
    this.addresses.push({ service, host, port: listener.port, upstream });
  }

  #serveHttp(
    socket: Socket,
    name: string,
    hostOptional: boolean,
    handler: (exchange: ServerExchange) => void,
  ): Http1Server {
    const { remoteAddress, remotePort, localPort, tls } = socket;
    const server: Http1Server = new Http1Server(socket, {
      shard: this.options.shard,
      connection: {
        remoteAddress,
        remotePort,
        localPort,
        peer: tls?.peer ?? null,
        serverName: tls?.serverName ?? "",
      },
      handler,
      hostOptional,
      onLimit: (limit) => this.options.recorder.limitTripped(limit, name),
      onClosed: () => this.#connections.delete(server),
    });
    this.#connections.add(server);
    return server;
  }

  #keepPipe(pipe: TcpPipe): void {
    this.#pipes.add(pipe);
    pipe.whenOver(() => this.#pipes.delete(pipe));
  }

  /** Revocation is the one change that cuts what is open. */
  #cutDenied(deniedIds: readonly string[]): void {
    if (deniedIds.length === 0) return;
    const denied = new Set(deniedIds);
    for (const connection of this.#connections) {
      const id = connection.options.connection.peer?.uris[0];
      if (id !== undefined && denied.has(id)) connection.destroy();
    }
    for (const pipe of this.#pipes) if (denied.has(pipe.peerId)) pipe.destroy();
    for (const destination of this.#state?.destinations.values() ?? []) {
      if (!denied.has(destination.destination.spiffeId)) continue;
      for (const endpoint of destination.endpoints.values())
        for (const pool of endpoint.pools.values()) pool.destroy();
    }
  }
}
