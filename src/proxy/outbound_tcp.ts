/**
 * Outbound pipeline of an opaque connection: enter, pick an endpoint, reach it, then join the two. Where it leads was decided
 * before (`route/tcp_call.ts`). Another endpoint is tried as long as no byte has passed.
 */
import type { Outcome } from "../model/outcome.ts";
import { TcpAttempts, type TcpAttemptsOwner, type TcpHere } from "./attempt/tcp_attempts.ts";
import { outcomes } from "./failure/outcomes.ts";
import { ConnectionPlace, type PlaceOwner } from "./guard/connection_place.ts";
import { InboundTcp } from "./inbound_tcp.ts";
import { OutboundCall } from "./outbound_call.ts";
import type { PolicyVerdict } from "../policy/verdict.ts";
import { askArrived, connectionCall, type Arrived } from "./policy/ask_policies.ts";
import type { ExchangePolicies } from "./policy/exchange_policies.ts";
import { connectionRecord } from "./record/outbound_record.ts";
import { routedCall, type TcpCall, type TcpMeant } from "./route/tcp_call.ts";
import { Flow } from "./share/flow.ts";
import { shareSpent } from "./share/share_outcome.ts";
import type { Caller, LiveEndpoint } from "./state/live_service.ts";
import type { OutboundSource } from "./state/outbound_source.ts";
import type { Downstream } from "./tunnel/downstream.ts";
import { Pipe, type PipeEnd } from "./tunnel/pipe.ts";
import { SocketEnd } from "./tunnel/socket_end.ts";

export function serveOutboundTcp(downstream: Downstream, source: OutboundSource, call: TcpCall): void {
  new OutboundTcp(downstream, source, call).begin();
}

/** By its routes. TLS stays closed, and is routed by the server name that its client asks for, "" when by none. */
export function serveRoutedTcp(
  downstream: Downstream,
  source: OutboundSource,
  meant: TcpMeant,
  protocol: TcpCall["protocol"],
  serverName = "",
): void {
  const call = routedCall(meant, { protocol, detectedBy: "" }, serverName, source.parts.random);
  if (call.ok) serveOutboundTcp(downstream, source, call.value);
  else refuseOutboundTcp(downstream, source, meant.destination.key, call.problem);
}

/** It leads nowhere, and no endpoint was even looked for. It is recorded all the same; `service` is "" when none is known. */
export function refuseOutboundTcp(
  downstream: Downstream,
  source: OutboundSource,
  service: string,
  outcome: Outcome,
): void {
  const { shard, recorder } = source.parts;
  const record = connectionRecord(source, service, downstream.requestId);
  record.outcome = outcome;
  recorder.began(record);
  downstream.refuse(outcome);
  recorder.finish(record, shard.clock.now());
}

class OutboundTcp extends OutboundCall implements TcpAttemptsOwner, PlaceOwner, Arrived {
  finished = false;
  policies: ExchangePolicies | null = null;
  readonly #place: ConnectionPlace;
  readonly #attempts: TcpAttempts;
  #open = false;

  constructor(
    readonly downstream: Downstream,
    source: OutboundSource,
    readonly call: TcpCall,
  ) {
    const { destination, route, protocol, detectedBy } = call;
    const record = connectionRecord(source, destination.key, downstream.requestId);
    record.route = route;
    record.protocol = protocol;
    record.detected = detectedBy;
    super(source, downstream.flow ?? new Flow(source.key), record);
    this.#place = new ConnectionPlace(destination.connections, this.flow, this);
    this.#attempts = new TcpAttempts(source, record, this, this.flow, downstream.client);
    downstream.left = (outcome) => this.#left(outcome);
  }

  begin(): void {
    const { caller, destination } = this.call;
    this.source.parts.recorder.began(this.record);
    if (caller === null) return this.refuse(this.source.nobody());
    this.record.sourceId = caller.spiffeId;
    this.enter(destination);
  }

  /** Among the requests to the service; its connections are bounded besides. */
  protected entered(): void {
    if (!this.#place.begin(this.source.parts.shard.clock.now())) this.limitTripped("limits.connections");
  }

  placed(): void {
    const { policies, service } = this.call.destination.declared;
    const { protocol } = this.record;
    if (policies.length === 0) return this.#begin();
    const { parts, who } = this.source;
    const services = parts.calls(who.service, this.record.requestId);
    const about = { ...connectionCall(service, protocol, this.downstream.client), services };
    askArrived(parts, policies, this.record, about, this);
  }

  decided(verdict: PolicyVerdict): void {
    if (verdict.do === "error") return this.refuse(verdict.outcome);
    if (verdict.do !== "respond") return this.#begin();
    this.refuse(outcomes.policyDenied(verdict.policy, this.record.service, verdict.status));
  }

  #begin(): void {
    this.#attempts.first(this.call.target, this.source.parts.shard.clock.now());
  }

  turnedAway(limit: "pendingMax" | "pendingMs"): void {
    const { key, connections: gate } = this.call.destination;
    this.limitTripped(limit);
    this.refuse(shareSpent(key, { gate, flow: this.flow, of: "limits.connections", limit }));
  }

  /** It sets no deadline: its pipe watches whether it moves. */
  protected readonly passed = 0;
  protected readonly maySilent = true;
  protected late(): void {}

  opened(upstream: PipeEnd): void {
    const { parts } = this.source;
    this.record.firstByteMs = parts.shard.clock.now();
    this.#open = true;
    this.call.destination.streams.opened("tcp");
    this.downstream.left = null;
    const pipe = new Pipe(this.downstream.join(), upstream, {
      shard: parts.shard,
      ended: (ended, broken) => {
        parts.open.delete(ended);
        this.#over(broken, ended.downstream.bytes, ended.upstream.bytes);
      },
      onLimit: (limit) => this.limitTripped(limit),
    });
    const peer = upstream instanceof SocketEnd ? (upstream.socket.tls?.peer ?? null) : null;
    if (!pipe.over) parts.open.add(pipe, peer);
  }

  #over(outcome: Outcome | null, bytesIn: number, bytesOut: number): void {
    const { record } = this;
    const { recorder, shard } = this.source.parts;
    this.finished = true;
    this.leave();
    this.#place.leave();
    if (this.#open) this.call.destination.streams.closed("tcp");
    this.#attempts.close(outcome, bytesIn, bytesOut);
    record.outcome = outcome;
    record.bytesIn = bytesIn;
    record.bytesOut = bytesOut;
    recorder.finish(record, shard.clock.now());
    this.policies?.ended();
  }

  refuse(outcome: Outcome): void {
    this.downstream.refuse(outcome);
    this.#over(outcome, 0, 0);
  }

  #left(outcome: Outcome): void {
    this.#attempts.cancel(outcome);
    this.#over(outcome, 0, 0);
  }

  callHere(here: NonNullable<LiveEndpoint["here"]>): TcpHere {
    const { parts } = this.source;
    const { client } = this.downstream;
    const { requestId } = this.record;
    return new InboundTcp({
      parts,
      ...here,
      caller: this.call.caller as Caller,
      tls: false,
      client,
      requestId,
    });
  }
}
