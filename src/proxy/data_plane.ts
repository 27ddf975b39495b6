/**
 * One shard of the data plane: listeners, the state in force, and everything that is open. A snapshot becomes a whole new
 * state beside the old one and is swapped in once; nothing that is under way notices. Revocation alone cuts.
 */
import type { Listener, Net, Random, Socket, SocketHandler } from "../../runtime/contract.ts";
import type { ConnectionInfo, ServerExchange } from "../http/exchange.ts";
import { Http1Server } from "../http/h1_server.ts";
import type { Shard } from "../http/shard.ts";
import { principalOf } from "../identity/spiffe_id.ts";
import { inboundTls, tcpAlpn } from "../identity/tls_options.ts";
import { isDenied } from "../identity/verify_peer.ts";
import type { MachineDocument } from "../model/document.ts";
import { limits } from "../model/limits.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { PolicyChain } from "../policy/chain.ts";
import type { Recorder } from "../telemetry/record.ts";
import type { Credentials } from "./credentials.ts";
import { Discovery } from "./discovery.ts";
import type { Caller } from "./inbound.ts";
import { serveInbound } from "./inbound_exchange.ts";
import { serveInboundTcp } from "./inbound_tcp.ts";
import { listenInbound } from "./listen/inbound_listener.ts";
import { listenOutbound, type OutboundAddress } from "./listen/outbound_listeners.ts";
import type { LocalApp } from "./live_service.ts";
import { localApps } from "./local_apps.ts";
import { OpenConnections } from "./open_connections.ts";
import { serveOutbound } from "./outbound.ts";
import { OutboundSource } from "./outbound_source.ts";
import { serveOutboundTcp } from "./outbound_tcp.ts";
import type { ProxyParts } from "./proxy_parts.ts";
import { RequestIds } from "./request_id.ts";
import { abandonedPools, createProxyState, poolsOf, type ProxyState } from "./state.ts";
import { WaitingSocket } from "./waiting_socket.ts";

export interface DataPlaneOptions {
  readonly net: Net;
  readonly shard: Shard;
  readonly random: Random;
  readonly recorder: Recorder;
  readonly credentials: Credentials;
  readonly policies: PolicyChain;
  /** Name of this machine in the mesh. */
  readonly node: string;
  readonly machine: MachineDocument;
  readonly inbound: { readonly host: string; readonly port: number };
  /** Where the local listeners bind. */
  readonly loopback: string;
  /** 0: any free ports. */
  readonly outboundFirstPort: number;
  /** A local app asked for a service that the snapshot does not have. */
  readonly wanted: (key: string) => void;
  readonly log: (text: string) => void;
}

export class DataPlane {
  /** Where local services find the mesh; known once it is open. */
  addresses: readonly OutboundAddress[] = [];
  /** The port that took effect; 0 before `open`. */
  inboundPort = 0;
  #listeners: readonly Listener[] = [];
  readonly #parts: ProxyParts;
  readonly #apps: ReadonlyMap<string, readonly LocalApp[]>;

  constructor(readonly options: DataPlaneOptions) {
    const { net, shard, random, recorder, credentials, policies, machine, node, wanted } = options;
    this.#parts = {
      net,
      random,
      shard,
      recorder,
      credentials,
      policies,
      ids: new RequestIds(random),
      discovery: new Discovery({ shard, wanted }),
      open: new OpenConnections(),
      state: null,
    };
    this.#apps = localApps(machine.services, node, this.#parts);
  }

  get state(): ProxyState | null {
    return this.#parts.state;
  }

  /** Opens the listeners. Throws when a port is taken, naming its holder; nothing stays open then. */
  open(): void {
    const { net, machine, loopback, outboundFirstPort } = this.options;
    const inbound = this.#listenInbound();
    try {
      const { listeners, addresses } = listenOutbound({
        net,
        services: machine.services,
        host: loopback,
        firstPort: outboundFirstPort,
        accept: (service, only) => this.#acceptLocal(service, only),
      });
      this.#listeners = [inbound, ...listeners];
      this.addresses = addresses;
      this.inboundPort = inbound.port;
    } catch (error) {
      inbound.close();
      throw error;
    }
  }

  /** Puts a snapshot in force. What of it cannot be used is logged and refused where it would be; throws, and changes nothing, when it cannot be read at all. */
  apply(snapshot: Snapshot): void {
    const { shard, random, log } = this.options;
    const { open, discovery } = this.#parts;
    const old = this.#parts.state;
    const input = { random, nowMs: shard.clock.now(), apps: this.#apps };
    const { state, problems } = createProxyState(old, snapshot, input);
    for (const problem of problems) log(problem);
    this.#parts.state = state;
    if (old !== null) for (const pool of abandonedPools(old, state)) pool.retire();
    if (old !== null && isTrustChanged(old.snapshot, snapshot)) this.credentialsChanged();
    open.cut(state.denied);
    discovery.arrived((key) => state.destinations.has(key));
  }

  /** A credential or the trusted roots were replaced: what shows or trusts the old ones takes nothing new. */
  credentialsChanged(): void {
    if (this.state !== null) for (const pool of poolsOf(this.state)) pool.refresh();
  }

  /** Takes nothing new, lets what is open finish, ends the rest at the deadline. */
  async close(deadlineMs: number): Promise<void> {
    const { open, discovery, shard } = this.#parts;
    for (const listener of this.#listeners) listener.close();
    discovery.close();
    open.retire();
    await new Promise<void>((done) => {
      const timer = shard.clock.after(deadlineMs, done);
      open.whenEmpty(() => {
        timer.cancel();
        done();
      });
    });
    open.destroy();
    if (this.state !== null) for (const pool of poolsOf(this.state)) pool.retire();
    for (const apps of this.#apps.values()) for (const app of apps) app.pool.retire();
  }

  // ------------------------------------------------------------------------------------------ from local apps

  #acceptLocal(service: ServiceName, only: ServiceName | null): (socket: Socket) => SocketHandler {
    const source = new OutboundSource(this.#parts, service, only);
    if (only === null) return (socket) => this.#serveLocalHttp(socket, source);
    const key = serviceKey(only);
    return (socket) => this.#serveOnly(socket, source, key);
  }

  /** The called service decides what the connection speaks; while it is not known, the connection waits. */
  #serveOnly(socket: Socket, source: OutboundSource, key: string): SocketHandler {
    const known = this.state?.destinations.get(key);
    if (known !== undefined) {
      return known.destination.protocol === "tcp"
        ? serveOutboundTcp(socket, source, known)
        : this.#serveLocalHttp(socket, source);
    }
    const waiting = new WaitingSocket(socket);
    const waits = this.#parts.discovery.wait(key, (there) => {
      if (waiting.gone) return;
      if (!there) return waiting.refuse();
      socket.resume();
      socket.handler = this.#serveOnly(socket, source, key);
    });
    if (!waits) waiting.refuse();
    return waiting;
  }

  #serveLocalHttp(socket: Socket, source: OutboundSource): SocketHandler {
    const { shard, open, recorder } = this.#parts;
    const server: Http1Server = new Http1Server(socket, {
      shard,
      connection: connectionOf(socket),
      handler: (exchange) => serveOutbound(exchange, source),
      hostOptional: source.only !== null,
      onLimit: (limit) => recorder.limitTripped(limit, `outbound ${source.key}`),
      onClosed: () => open.delete(server),
    });
    open.add(server, null);
    return server;
  }

  // --------------------------------------------------------------------------------------- from other proxies

  #listenInbound(): Listener {
    const { net, shard, recorder, credentials } = this.#parts;
    const { inbound, log } = this.options;
    return listenInbound({
      net,
      shard,
      ...inbound,
      choose: (serverName) => {
        const service = this.state?.inbound.get(serverName);
        const credential = service === undefined ? null : credentials.of(service.key);
        return credential === null ? null : inboundTls(credential, credentials.trust());
      },
      secured: (socket, serverName) => this.#serveProxy(socket, serverName),
      refused: (reason) => log(`inbound: refused ${reason}`),
      onLimit: (limit) => recorder.limitTripped(limit, "inbound"),
    });
  }

  #serveProxy(socket: Socket, serverName: string): SocketHandler {
    const caller = this.#callerOf(socket);
    if (caller === null || socket.tls?.serverName !== serverName) {
      const waiting = new WaitingSocket(socket);
      waiting.refuse();
      return waiting;
    }
    if (socket.tls.alpn === tcpAlpn) return serveInboundTcp(socket, this.#parts, caller, serverName);
    return this.#serveProxyHttp(socket, caller, serverName);
  }

  #serveProxyHttp(socket: Socket, caller: Caller, serverName: string): SocketHandler {
    const { shard, open, recorder } = this.#parts;
    const { clock } = shard;
    const peer = socket.tls?.peer ?? null;
    const retireAtMs = clock.now() + limits.connectionAgeMs;
    const endsMs = clock.now() + (peer?.notAfterMs ?? 0) - clock.wallMs();
    const server: Http1Server = new Http1Server(socket, {
      shard,
      connection: connectionOf(socket),
      handler: (exchange: ServerExchange) => {
        const nowMs = clock.now();
        // Whoever renews connects anew long before its certificate ends; this caller is nobody any more.
        if (nowMs > endsMs) return server.destroy();
        if (nowMs > retireAtMs) server.retire();
        serveInbound(exchange, this.#parts, caller, serverName);
      },
      onLimit: (limit) => recorder.limitTripped(limit, "inbound"),
      onClosed: () => open.delete(server),
    });
    open.add(server, peer);
    return server;
  }

  /** Exactly the verified URI; null for whoever is no service, or was revoked. */
  #callerOf(socket: Socket): Caller | null {
    const peer = socket.tls?.peer ?? null;
    const spiffeId = peer?.uris[0];
    const { state } = this;
    if (state === null || spiffeId === undefined || peer === null || isDenied(peer, state.denied))
      return null;
    const principal = principalOf(spiffeId, state.snapshot.trustDomain);
    return principal?.kind === "service" ? { key: serviceKey(principal.service), spiffeId } : null;
  }
}

function isTrustChanged(old: Snapshot, next: Snapshot): boolean {
  const trusted = (snapshot: Snapshot): string =>
    JSON.stringify([snapshot.bundle.rootsPem, snapshot.deniedIds, snapshot.deniedSerials]);
  return trusted(old) !== trusted(next);
}

function connectionOf(socket: Socket): ConnectionInfo {
  const { remoteAddress, remotePort, localPort, tls } = socket;
  return { remoteAddress, remotePort, localPort, peer: tls?.peer ?? null, serverName: tls?.serverName ?? "" };
}
