/** An opaque connection of a local app: pick an endpoint, dial it with mTLS (or the local app), join the two. */
import type { DialHandler, Socket, SocketError, SocketHandler } from "../../runtime/contract.ts";
import { outboundTls, tcpAlpn } from "../identity/tls_options.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import { serverNameOf } from "../model/service.ts";
import type { ExchangeRecord } from "../telemetry/record.ts";
import type { EndpointState } from "./balance/endpoint_state.ts";
import { checkAccess } from "./inbound.ts";
import type { OutboundContext } from "./outbound.ts";
import type { LiveDestination } from "./state.ts";
import { TcpPipe } from "./tcp.ts";
import { tcpRecord } from "./tcp_record.ts";

/** Serves a connection that was accepted for the local service `source`, to the service `key`. Returns its handler. */
export function serveTcpOutbound(
  context: OutboundContext,
  source: string,
  key: string,
  socket: Socket,
  opened: (pipe: TcpPipe) => void,
): SocketHandler {
  socket.pause();
  const record = tcpRecord("outbound", context.shard.clock.now());
  record.service = key;
  record.source = source;
  record.sourceId = context.state()?.locals.get(source)?.local.spiffeId ?? "";
  record.requestId = context.requestIds.next();
  const call = new TcpCall(context, record, socket, opened);
  const destination = context.state()?.destinations.get(key);
  if (destination !== undefined) call.dial(destination);
  else {
    context.discover(key, () => {
      const found = context.state()?.destinations.get(key);
      if (found !== undefined) call.dial(found);
      else
        call.refuse({
          flag: "NC",
          side: "mesh",
          repeat: "no",
          status: 404,
          detail: `there is no service "${key}" in this mesh`,
        });
    });
  }
  return call;
}

class TcpCall implements SocketHandler, DialHandler {
  #tried: EndpointState[] = [];
  #current: EndpointState | null = null;
  #over = false;
  #startedMs = 0;

  constructor(
    readonly context: OutboundContext,
    readonly record: ExchangeRecord,
    readonly client: Socket,
    readonly joined: (pipe: TcpPipe) => void,
  ) {}

  dial(destination: LiveDestination): void {
    if (this.#over) return;
    const { context, record } = this;
    const { shard } = context;
    const picked = destination.whole.pick(this.#tried, shard.clock.now());
    if (picked === null || this.#tried.includes(picked)) {
      const detail =
        picked === null
          ? `no instance of ${destination.key} is ready`
          : `no instance of ${destination.key} could be reached`;
      return this.refuse({
        flag: picked === null ? "UH" : "UF",
        side: "upstream",
        repeat: "yes",
        status: 503,
        detail,
      });
    }
    this.#current = picked;
    this.#startedMs = shard.clock.now();
    record.endpoint = picked.endpoint.id;
    record.destinationId = destination.destination.spiffeId;
    this.#destination = destination;
    const state = context.state();
    const local =
      state?.snapshot.node === picked.endpoint.node ? state.locals.get(destination.key) : undefined;
    record.tls = local === undefined;
    if (local !== undefined) {
      const denied = checkAccess(local, record, "", "");
      if (denied !== null) return this.refuse(denied);
      const { host, port } = local.machine;
      context.stateOptions.net.connect({ host, port, timeoutMs: limits.connectLocalMs }, this);
      return;
    }
    const { credentials, net } = context.stateOptions;
    const credential = credentials.of(record.source);
    if (credential === null) {
      return this.refuse({
        flag: "ID",
        side: "mesh",
        repeat: "no",
        status: 503,
        detail: `${record.source} has no valid certificate to show`,
      });
    }
    const { address, port } = picked.endpoint;
    const { spiffeId, service } = destination.destination;
    const tls = outboundTls(credential, credentials.trust(), {
      spiffeId,
      serverName: serverNameOf(service),
      alpn: tcpAlpn,
    });
    net.connect({ host: address, port, timeoutMs: limits.connectMeshMs, tls }, this);
  }

  #destination: LiveDestination | null = null;

  opened(upstream: Socket): SocketHandler {
    if (this.#over) {
      upstream.destroy();
      return { data() {}, drain() {}, end() {}, close() {} };
    }
    const { shard } = this.context;
    this.#current?.answered(shard.clock.now() - this.#startedMs, shard.clock.now());
    this.#current?.started();
    const current = this.#current;
    const pipe = new TcpPipe(this.client, upstream, (error) => {
      current?.ended();
      this.record.bytesIn = pipe.bytesIn;
      this.record.bytesOut = pipe.bytesOut;
      if (error !== null)
        this.record.outcome = {
          flag: "UR",
          side: "upstream",
          repeat: "no",
          status: 502,
          detail: error.message,
        };
      this.#finish();
    });
    this.client.handler = pipe.left;
    this.joined(pipe);
    this.client.resume();
    return pipe.right;
  }

  failed(error: SocketError): void {
    const current = this.#current;
    if (this.#over || current === null || this.#destination === null) return;
    current.failed(this.context.shard.clock.now());
    this.#tried.push(current);
    this.record.attempts.push({
      endpoint: current.endpoint.id,
      ms: 0,
      result: error.kind === "tls" ? "ID" : "UF",
    });
    this.dial(this.#destination);
  }

  refuse(outcome: Outcome): void {
    this.record.outcome = outcome;
    this.client.reset();
    this.#finish();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.context.recorder.finish(this.record, this.context.shard.clock.now());
  }

  // As the handler of the client while nothing is joined: it is paused, only its end is heard.
  data(): void {}
  drain(): void {}
  end(): void {}

  close(): void {
    if (this.#over) return;
    this.record.outcome = {
      flag: "DC",
      side: "downstream",
      repeat: "no",
      status: 499,
      detail: "the app closed the connection before it was connected",
    };
    this.#finish();
  }
}
