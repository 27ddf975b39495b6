/** Inbound side of an opaque connection: access rules, then the app on loopback. The same from another proxy and from this one. */
import { socketAddress } from "../base/socket_address.ts";
import type { Dial, Socket } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import { takesConnections } from "../model/service.ts";
import { proxyHeader } from "../wire/proxy_protocol.ts";
import type { PolicyVerdict } from "../policy/verdict.ts";
import { CallRecord } from "./record/call_record.ts";
import type { TcpTaker } from "./attempt/tcp_attempts.ts";
import { decideAccess } from "./guard/access.ts";
import { chooseApp, type Caller, type InboundService, type LocalApp } from "./state/live_service.ts";
import type { InboundLimits } from "./limit/inbound_limits.ts";
import type { Downstream } from "./tunnel/downstream.ts";
import { outcomes } from "./failure/outcomes.ts";
import { Pipe } from "./tunnel/pipe.ts";
import { askArrived, connectionCall, type Arrived } from "./policy/ask_policies.ts";
import type { ExchangePolicies } from "./policy/exchange_policies.ts";
import type { ProxyParts } from "./state/proxy_parts.ts";
import { SocketEnd } from "./tunnel/socket_end.ts";
import { dialOutcome } from "./upstream/dial_outcome.ts";

export interface InboundTcpOptions {
  readonly parts: ProxyParts;
  readonly service: InboundService;
  readonly app: LocalApp;
  readonly caller: Caller;
  readonly tls: boolean;
  /** Where the caller's client comes from: `10.0.0.7:51230`; "" when unknown. */
  readonly client: string;
  readonly requestId: string;
}

/** One opaque connection to a local app, with its record. */
export class InboundTcp implements Arrived {
  finished = false;
  policies: ExchangePolicies | null = null;
  #taker: TcpTaker | null = null;
  readonly #record: CallRecord;
  #dial: Dial | null = null;
  #open = false;
  /** What counts it among the connections to its app. */
  #counted: InboundLimits | null = null;

  constructor(readonly options: InboundTcpOptions) {
    const { parts, service, app, caller, tls, requestId } = options;
    const record = new CallRecord("inbound", "tcp", parts.shard.clock.now());
    record.service = service.key;
    record.source = caller.key;
    record.sourceId = caller.spiffeId;
    record.destinationId = service.local.spiffeId;
    record.tls = tls;
    record.requestId = requestId;
    record.protocol = service.local.protocol === "tls" ? "tls" : "tcp";
    record.endpoint = app.id;
    this.#record = record;
  }

  begin(taker: TcpTaker): void {
    const { parts, service, caller, client } = this.options;
    this.#taker = taker;
    parts.recorder.began(this.#record);
    const refusal = this.#refusal(service, caller);
    if (refusal !== null) return this.#fail(taker, refusal);
    const { policies } = service.local;
    if (policies === undefined) return this.#reach(taker);
    const services = parts.calls(service.local.service, this.#record.requestId);
    const about = { ...connectionCall(service.local.service, this.#record.protocol, client), services };
    askArrived(parts, policies, this.#record, about, this);
  }

  decided(verdict: PolicyVerdict): void {
    const taker = this.#taker as TcpTaker;
    const { key } = this.options.service;
    if (verdict.do === "error") this.#fail(taker, verdict.outcome);
    else if (verdict.do === "respond")
      this.#fail(taker, outcomes.policyDenied(verdict.policy, key, verdict.status));
    else this.#reach(taker);
  }

  #reach(taker: TcpTaker): void {
    const { parts, service, app } = this.options;
    const { host, port, outside } = app;
    const secured = outside?.tls?.("") ?? null;
    if (secured !== null && !secured.ok)
      return this.#fail(taker, outcomes.noTls(service.key, secured.problem));
    const timeoutMs = outside === undefined ? limits.connectLocalMs : limits.passThroughConnectMs;
    this.#dial = parts.net.connect(
      { host, port, timeoutMs, ...(secured === null ? {} : { tls: secured.value }) },
      {
        opened: (socket) => {
          const upstream = this.#upstreamEnd(socket);
          this.#record.firstByteMs = parts.shard.clock.now();
          this.#open = true;
          service.streams.opened("tcp");
          taker.opened(upstream);
          return upstream;
        },
        failed: (error) =>
          this.#fail(taker, dialOutcome(`the app of ${service.key} (${socketAddress(host, port)})`, error)),
      },
    );
  }

  /** The caller left before there was a connection. */
  cancel(outcome: Outcome): void {
    this.#dial?.cancel();
    this.finish(outcome, 0, 0);
  }

  finish(outcome: Outcome | null, bytesIn: number, bytesOut: number): void {
    const { parts, service } = this.options;
    this.finished = true;
    if (this.#open) service.streams.closed("tcp");
    this.#counted?.connections.less(this.options.app.id);
    this.#record.outcome = outcome;
    this.#record.bytesIn = bytesIn;
    this.#record.bytesOut = bytesOut;
    parts.recorder.finish(this.#record, parts.shard.clock.now());
    this.policies?.ended();
  }

  /** An app that wants it hears first who its client is. */
  #upstreamEnd(socket: Socket): SocketEnd {
    const { app, client, service, caller } = this.options;
    const upstream = new SocketEnd(socket, "upstream");
    upstream.spend = service.limits?.pacing(caller.key) ?? null;
    if (app.proxyProtocol === null) return upstream;
    const header = proxyHeader(app.proxyProtocol, client, socketAddress(app.host, app.port));
    upstream.take(header, 0, header.length);
    return upstream;
  }

  #refusal(service: InboundService, caller: Caller): Outcome | null {
    if (!takesConnections(service.local.protocol)) {
      const detail = `${service.key} speaks ${service.local.protocol}, not opaque TCP`;
      return { flag: "DPE", side: "downstream", repeat: "no", status: 421, detail };
    }
    const verdict = decideAccess(service.local.access, caller.spiffeId, "", "", this.options.client);
    this.#record.access = verdict;
    if (verdict.verdict !== "deny") {
      return service.limits === null ? null : this.#overLimit(service.limits);
    }
    const detail = `${caller.key} may not connect to ${service.key}: rule ${verdict.rule}`;
    return { flag: "AD", side: "downstream", repeat: "no", status: 403, detail };
  }

  #overLimit(limits: InboundLimits): Outcome | null {
    const asked = { caller: this.options.caller.key, path: "", fields: null };
    const refusal = limits.admit(asked, this.#record.startedMs) ?? limits.connect(this.options.app.id);
    if (refusal === null) this.#counted = limits;
    return refusal;
  }

  #fail(taker: TcpTaker, outcome: Outcome): void {
    this.finish(outcome, 0, 0);
    taker.failed(outcome);
  }
}

/** An opaque connection from another proxy. */
export function serveInboundTcp(
  downstream: Downstream,
  parts: ProxyParts,
  caller: Caller,
  serverName: string,
): void {
  const service = parts.state?.inbound.get(serverName);
  const app = service === undefined ? null : chooseApp(service, parts.random);
  if (service === undefined || app === null) return downstream.refuse(outcomes.notHere(serverName));
  const { client } = downstream;
  const requestId = downstream.requestId ?? parts.ids.next();
  const call = new InboundTcp({ parts, service, app, caller, tls: true, client, requestId });
  downstream.left = (outcome) => call.cancel(outcome);
  call.begin({
    opened: (upstream) => {
      const pipe = new Pipe(downstream.join(), upstream, {
        shard: parts.shard,
        ended: (ended, broken) => {
          parts.open.delete(ended);
          call.finish(broken, ended.downstream.bytes, ended.upstream.bytes);
        },
        onLimit: (limit) => parts.recorder.limitTripped(limit, "inbound"),
      });
      if (!pipe.over) parts.open.add(pipe, downstream.peer);
    },
    failed: (outcome) => downstream.refuse(outcome),
  });
}
