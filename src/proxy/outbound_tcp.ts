/**
 * Outbound side of an opaque connection: pick an endpoint, open a stream of the shared connection to it (or an mTLS
 * connection of its own, or in process for an endpoint of this machine), then join the two. Another endpoint is tried as
 * long as no byte has passed.
 */
import type { Dial } from "../../runtime/contract.ts";
import type { ClientConnection, OutgoingRequest, ResponseHead } from "../http/exchange.ts";
import { tcpAlpn } from "../identity/tls_options.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import type { FieldEdits } from "../wire/fields.ts";
import { proxyHeader } from "../wire/proxy_protocol.ts";
import { CallRecord } from "./record/call_record.ts";
import { clientField, requestIdField } from "./fields/heddle_fields.ts";
import { InboundTcp, type TcpTaker } from "./inbound_tcp.ts";
import type { Entrant } from "./guard/admission.ts";
import type { Caller, LiveEndpoint } from "./state/live_service.ts";
import type { NearSide } from "./tunnel/near_side.ts";
import { outcomes } from "./failure/outcomes.ts";
import { proxyFailure } from "./failure/proxy_failure.ts";
import { peerText, type OutboundSource } from "./state/outbound_source.ts";
import { Pipe, type PipeEnd } from "./tunnel/pipe.ts";
import { SocketEnd } from "./tunnel/socket_end.ts";
import type { Claim } from "./share/claim.ts";
import { Flow } from "./share/flow.ts";
import { shareSpent } from "./share/share_outcome.ts";
import { tlsCall, type TcpCall, type TcpMeant } from "./route/tcp_call.ts";
import { StreamEnd, type StreamOpening } from "./tunnel/stream_end.ts";
import { dialOutcome } from "./upstream/dial_outcome.ts";
import type { Pool, Taker } from "./upstream/pool.ts";

export function serveOutboundTcp(near: NearSide, source: OutboundSource, call: TcpCall): void {
  new OutboundTcp(near, source, call).begin();
}

/** TLS that stays closed: routed by the server name that its client asks for, "" when by none. */
export function serveOutboundTls(
  near: NearSide,
  source: OutboundSource,
  meant: TcpMeant,
  serverName: string,
): void {
  const call = tlsCall(meant, serverName, source.parts.random);
  if ("flag" in call) refuseOutboundTcp(near, source, meant.destination.key, call);
  else serveOutboundTcp(near, source, call);
}

/** It leads nowhere, and no endpoint was even looked for. It is recorded all the same; `service` is "" when none is known. */
export function refuseOutboundTcp(
  near: NearSide,
  source: OutboundSource,
  service: string,
  outcome: Outcome,
): void {
  const { shard, recorder, ids } = source.parts;
  const record = new CallRecord("outbound", "tcp", shard.clock.now());
  record.service = service;
  record.source = source.key;
  record.requestId = near.requestId ?? ids.next();
  record.protocol = "tcp";
  record.outcome = outcome;
  recorder.tcpOpened(record);
  near.refuse(outcome);
  recorder.finish(record, shard.clock.now());
}

class OutboundTcp implements TcpTaker, Taker, StreamOpening, Entrant {
  readonly flow: Flow;
  place: Claim<Taker> | null = null;
  readonly #record: CallRecord;
  #endpoint: LiveEndpoint | null = null;
  #tried: readonly LiveEndpoint[] = [];
  #attemptMs = 0;
  #inbound: InboundTcp | null = null;
  #dial: Dial | null = null;
  #pool: Pool | null = null;
  #stream: StreamEnd | null = null;
  #admitted: Claim<Entrant> | null = null;
  #open = false;

  constructor(
    readonly near: NearSide,
    readonly source: OutboundSource,
    readonly call: TcpCall,
  ) {
    near.left = (outcome) => this.#left(outcome);
    this.flow = near.flow ?? new Flow(source.key);
    const { destination, route, protocol, detectedBy } = call;
    const { parts } = source;
    const record = new CallRecord("outbound", "tcp", parts.shard.clock.now());
    record.service = destination.key;
    record.source = source.key;
    record.requestId = near.requestId ?? parts.ids.next();
    record.route = route;
    record.protocol = protocol;
    record.detected = detectedBy;
    this.#record = record;
  }

  begin(): void {
    const { source } = this;
    const { destination, caller } = this.call;
    const { recorder } = source.parts;
    recorder.tcpOpened(this.#record);
    if (caller === null) return this.#giveUp(outcomes.noIdentity(source.key));
    this.#record.sourceId = caller.spiffeId;
    const claim = this.flow.claimOn(destination.admission);
    const answer = destination.admission.ask(claim, this, this.#record.startedMs);
    if (answer === "enters") return this.#enter(claim);
    if (answer === "full") this.#turnAway("pendingMax");
    else recorder.limitTripped("requestsMax", `outbound ${source.key}`);
  }

  admitted(): void {
    this.#enter(this.flow.claimOn(this.call.destination.admission));
  }

  overdue(): void {
    this.#turnAway("pendingMs");
  }

  #turnAway(limit: "pendingMax" | "pendingMs"): void {
    const { source, call, flow } = this;
    source.parts.recorder.limitTripped(limit, `outbound ${source.key}`);
    const { key, admission } = call.destination;
    this.#giveUp(shareSpent(key, { gate: admission, flow, of: "requestsMax", limit }));
  }

  #enter(claim: Claim<Entrant>): void {
    const nowMs = this.source.parts.shard.clock.now();
    this.#admitted = claim;
    this.call.target.destination.budget.request(nowMs);
    this.#attempt(nowMs);
  }

  #attempt(nowMs: number): void {
    const { destination, balancer } = this.call.target;
    const endpoint = balancer.pick(this.#tried, nowMs);
    if (endpoint === null) return this.#giveUp(outcomes.noEndpoint(destination));
    this.#endpoint = endpoint;
    this.#attemptMs = nowMs;
    endpoint.load.started();
    this.#record.endpoint = endpoint.endpoint.id;
    this.#record.tls = endpoint.here === null;
    this.#record.destinationId = endpoint.here === null ? "" : destination.destination.spiffeId;
    if (endpoint.here !== null) return this.#enterHere(endpoint.here);
    if (destination.destination.transport === "own") return this.#dialProxy(endpoint);
    this.#pool = this.source.poolOf(destination, endpoint, "shared");
    this.#pool.acquire(this, nowMs);
  }

  #enterHere(here: NonNullable<LiveEndpoint["here"]>): void {
    const { parts } = this.source;
    const { client } = this.near;
    const { requestId } = this.#record;
    const caller = this.call.caller as Caller;
    this.#inbound = new InboundTcp({ parts, ...here, caller, tls: false, client, requestId });
    this.#inbound.begin(this);
  }

  #dialProxy(endpoint: LiveEndpoint): void {
    const { source } = this;
    const { destination } = this.call.target;
    const tls = source.tls(destination, tcpAlpn);
    if (typeof tls === "string")
      return this.failed({ flag: "ID", side: "mesh", repeat: "no", status: 503, detail: tls });
    const { address, port } = endpoint.endpoint;
    this.#dial = source.parts.net.connect(
      { host: address, port, timeoutMs: limits.connectMeshMs, tls },
      {
        opened: (socket) => {
          this.#verified();
          const far = new SocketEnd(socket, "upstream");
          // The connection has no head: the other proxy learns so who the client is.
          const header = proxyHeader(2, this.near.client, this.near.client);
          far.take(header, 0, header.length);
          this.opened(far);
          return far;
        },
        failed: (error) => this.failed(dialOutcome(peerText(destination, endpoint), error)),
      },
    );
  }

  // --------------------------------------------------------------------------- a stream of the shared connection

  connected(connection: ClientConnection): void {
    this.#verified();
    this.#stream = new StreamEnd(connection, this.#request(), this.#edits(), this);
  }

  /** A connection stands whose certificate said whom it leads to. */
  #verified(): void {
    this.#record.destinationId = this.call.target.destination.destination.spiffeId;
  }

  unreachable(outcome: Outcome): void {
    this.failed(outcome);
  }

  answered(head: ResponseHead): void {
    const stream = this.#stream as StreamEnd;
    this.#stream = null;
    if (head.tunnel) return this.opened(stream);
    // A head is good until its stream ends.
    const failure = proxyFailure(head) ?? outcomes.noTunnel(this.call.destination.key, head.status);
    stream.cancel();
    this.failed(failure);
  }

  #edits(): FieldEdits {
    const { client } = this.near;
    const set = [requestIdField, this.#record.requestId];
    if (client !== "") set.push(clientField, client);
    return { remove: [], set, add: [] };
  }

  #request(): OutgoingRequest {
    const { serverName } = this.call.target.destination;
    return {
      method: "CONNECT",
      target: "",
      // The SNI of the connection names the service already; the port is the far machine's business.
      authority: `${serverName}:0`,
      fields: null,
      nominated: null,
      contentLength: 0,
      upgrade: "connect",
      expectContinue: false,
    };
  }

  // ----------------------------------------------------------------------------------------------- how it went

  opened(far: PipeEnd): void {
    const { parts } = this.source;
    const nowMs = parts.shard.clock.now();
    this.#endpoint?.load.answered(nowMs - this.#attemptMs, nowMs);
    this.#note("ok", nowMs);
    this.#record.firstByteMs = nowMs;
    this.#open = true;
    this.call.destination.streams.opened("tcp");
    this.near.left = null;
    const pipe = new Pipe(this.near.join(), far, {
      shard: parts.shard,
      ended: (ended, broken) => {
        parts.open.delete(ended);
        this.#finish(broken, ended.near.bytes, ended.far.bytes);
      },
      onLimit: (limit) => parts.recorder.limitTripped(limit, `outbound ${this.source.key}`),
    });
    const peer = far instanceof SocketEnd ? (far.socket.tls?.peer ?? null) : null;
    if (!pipe.over) parts.open.add(pipe, peer);
  }

  failed(outcome: Outcome): void {
    const { parts } = this.source;
    const nowMs = parts.shard.clock.now();
    const endpoint = this.#endpoint as LiveEndpoint;
    this.#note(outcome.flag, nowMs);
    if (outcome.side === "upstream") endpoint.load.failed(nowMs);
    this.#endAttempt();
    this.#inbound = null;
    if (this.#mayRepeat(outcome, endpoint, nowMs)) {
      this.#tried = [...this.#tried, endpoint];
      return this.#attempt(nowMs);
    }
    this.#giveUp(outcome);
  }

  /** No byte has passed: whatever broke before the tunnel stood may be tried elsewhere. */
  #mayRepeat(outcome: Outcome, endpoint: LiveEndpoint, nowMs: number): boolean {
    const { balancer } = this.call.target;
    if (outcome.repeat === "no" || this.#tried.length + 1 >= limits.attemptsMax) return false;
    return (
      balancer.endpoints.some((each) => each !== endpoint) && this.call.target.destination.budget.take(nowMs)
    );
  }

  #note(result: string, nowMs: number): void {
    const cause = this.#tried.length === 0 ? "first" : "connect";
    this.source.parts.recorder.attempt(this.call.destination.key, cause, result);
    if (result === "ok" && this.#tried.length === 0) return;
    const attempt = { endpoint: this.#record.endpoint, ms: nowMs - this.#attemptMs, result };
    this.#record.attempts = [...this.#record.attempts, attempt];
  }

  #endAttempt(): void {
    this.#endpoint?.load.ended();
    this.#endpoint = null;
    this.#pool?.leave(this);
    this.#pool = null;
    this.#stream = null;
  }

  #left(outcome: Outcome): void {
    this.#dial?.cancel();
    this.#stream?.cancel();
    this.#inbound?.cancel(outcome);
    this.#inbound = null;
    this.#finish(outcome, 0, 0);
  }

  #giveUp(outcome: Outcome): void {
    this.near.refuse(outcome);
    this.#finish(outcome, 0, 0);
  }

  #finish(outcome: Outcome | null, bytesIn: number, bytesOut: number): void {
    const { parts } = this.source;
    this.#endAttempt();
    const { admission } = this.call.destination;
    if (this.#admitted === null) admission.forget(this);
    else admission.leave(this.#admitted);
    if (this.#open) this.call.destination.streams.closed("tcp");
    this.#inbound?.finish(outcome, bytesIn, bytesOut);
    this.#record.outcome = outcome;
    this.#record.bytesIn = bytesIn;
    this.#record.bytesOut = bytesOut;
    parts.recorder.finish(this.#record, parts.shard.clock.now());
  }
}
