/**
 * Inbound pipeline: one call to a service of this machine, from another proxy or from this one. The order is identity,
 * access rules, the app on loopback, record; it is the same for both, so no way in passes the rules by.
 */
import type {
  ClientConnection,
  ClientStream,
  OutgoingRequest,
  ResponseHead,
  ResponseSink,
} from "../http/exchange.ts";
import { fitsStream, passesUpgrade } from "../http/upgrade.ts";
import { takesRequests } from "../model/service.ts";
import type { Outcome } from "../model/outcome.ts";
import { usualLevel, type PriorityLevel } from "../model/priority.ts";
import type { FieldEdits, Fields } from "../wire/fields.ts";
import { isGrpc } from "../wire/grpc.ts";
import { readsAsItIs, readTarget } from "../wire/target.ts";
import { ArrivedCall } from "./arrived_call.ts";
import type { CallSink } from "./attempt/call_sink.ts";
import { decideAccess } from "./guard/access.ts";
import type { CallRecord } from "./record/call_record.ts";
import type { Caller, InboundService, LocalApp } from "./state/live_service.ts";
import { noteGrpcStatus, noteStream } from "./answer/notes.ts";
import type { StreamKind } from "../model/stream_kind.ts";
import { outcomes } from "./failure/outcomes.ts";
import type { Concurrency } from "./limit/concurrency.ts";
import type { InboundLimits } from "./limit/inbound_limits.ts";
import { PacedStream, type PacedStreamOptions } from "./limit/paced_stream.ts";
import { Turn, type TurnOwner } from "./limit/turn.ts";
import { changed, forApp, withDeadline, withoutOwnFields } from "./rewrite/arriving.ts";
import type { Claim } from "./share/claim.ts";
import type { Flow } from "./share/flow.ts";
import type { Pool } from "./upstream/pool.ts";
import type { Taker } from "./upstream/pool_terms.ts";

/** One object for each call, beside its record: nothing else is made for it. */
export class InboundCall extends ArrivedCall implements ResponseSink, Taker, TurnOwner {
  place: Claim<Taker> | null = null;
  #pool: Pool | null = null;
  /** The answer is one of gRPC, and the status in its head, if it has only a head. */
  #grpc = false;
  #grpcHead = "";
  /** What its answer turned out to be, while it is open. */
  streamKind: StreamKind | null = null;
  /** As the caller's proxy says: how much it matters, and where a client from outside of the mesh comes from. */
  priority: PriorityLevel = usualLevel;
  client = "";
  /** Its stream, where a rate of bytes is in force. */
  #paced: PacedStream | null = null;
  /** Its place among those that the service serves at a time. */
  #turn: Turn | null = null;

  /**
   * Whoever starts a call says in `record` what only it knows: request id, path (without the query), protocol, and whether the call
   * came over mTLS. `flow`: the client that calls. `request` and `edits` are without fields of heddle's own, but for the request id.
   */
  constructor(
    parts: ArrivedCall["parts"],
    service: InboundService,
    readonly app: LocalApp,
    readonly caller: Caller,
    readonly flow: Flow,
    record: CallRecord,
    request: OutgoingRequest,
    edits: FieldEdits,
    /** The caller's client spoke HTTP/2. */
    readonly spokeHttp2: boolean,
    sink: CallSink,
  ) {
    super(parts, service, record, request, edits, sink);
    record.service = service.key;
    record.source = caller.key;
    record.sourceId = caller.spiffeId;
    record.destinationId = service.local.spiffeId;
    record.method = request.method;
    record.endpoint = app.id;
  }

  /** Leads to `started` or `failed` of the sink, maybe from inside. */
  begin(): void {
    const { service } = this;
    const { recorder, shedder } = this.parts;
    recorder.began(this.record);
    if (shedder.sheds && !shedder.admits(this.#level)) return this.failed(this.#shed());
    if (!takesRequests(service.local.protocol))
      return this.failed(outcomes.opaqueHere(service.key, service.local.protocol));
    if (!readsAsItIs(service.local) && !this.#readPath())
      return this.failed(outcomes.escapedSlash(service.key));
    if (!this.isLetIn()) return;
    if (this.request.upgrade !== null && !this.#mayUpgrade(this.request.upgrade)) return;
    const refusal = service.limits === null ? null : this.#overLimit(service.limits);
    if (refusal !== null) return this.failed(refusal);
    const { policies } = service.local;
    if (policies === undefined) this.enterGate();
    else this.ask(policies);
  }

  /** False: it was refused. */
  protected isLetIn(): boolean {
    const { access } = this.service.local;
    const { spiffeId } = this.caller;
    const verdict = decideAccess(access, spiffeId, this.request.method, this.record.path, this.client);
    this.record.access = verdict;
    if (verdict.verdict !== "deny") return true;
    const { method, path } = this.record;
    this.failed(outcomes.denied(this.caller.key, `${method} ${path}`, this.service.key, verdict.rule));
    return false;
  }

  protected enterGate(): void {
    const gate = this.service.limits?.concurrency ?? null;
    if (gate !== null && !this.#isStream) return this.#apply(gate);
    this.proceed();
  }

  /** Declared as one: it would keep its place for ever. */
  get #isStream(): boolean {
    return this.service.local.stream || this.request.upgrade !== null;
  }

  #apply(gate: Concurrency): void {
    const { recorder } = this.parts;
    const tripped = (limit: string, listener: string): void => recorder.limitTripped(limit, listener);
    this.#turn = new Turn(gate, this.service.key, this, tripped);
    this.#turn.begin(this.#level, this.record.startedMs);
  }

  get #level(): PriorityLevel {
    return this.service.limits?.levelOf(this.caller.key, this.priority) ?? this.priority;
  }

  /** It was let in. */
  proceed(): void {
    this.#pool = this.app.pools[this.#appVersion()];
    this.#pool.acquire(this, this.#turn === null ? this.record.startedMs : this.parts.shard.clock.now());
  }

  #shed(): Outcome {
    const { key } = this.service;
    this.parts.recorder.limitTripped("shedDelayMs", `inbound ${key}`);
    return outcomes.shed(key, this.#level);
  }

  #overLimit(limits: InboundLimits): Outcome | null {
    const { path, startedMs } = this.record;
    return limits.admit({ caller: this.caller.key, path, fields: this.request.fields }, startedMs);
  }

  connected(connection: ClientConnection): void {
    const { edits, record, caller, sink, deadlineMs } = this;
    const waitedMs = deadlineMs === null ? 0 : this.parts.shard.clock.now() - record.startedMs;
    if (deadlineMs !== null && waitedMs >= deadlineMs) {
      this.#pool?.unused(connection);
      return this.#ranOut(deadlineMs);
    }
    let fields = forApp(edits, record.requestId, this.app.outside === undefined ? caller.key : "");
    if (deadlineMs !== null && waitedMs >= 1)
      fields = withDeadline(fields, this.request.fields, deadlineMs - waitedMs);
    this.stream = connection.start(this.request, fields, this);
    const spend = this.service.limits?.pacing(caller.key) ?? null;
    if (spend !== null) this.#paced = this.#pace(this.stream, spend);
    const taker = this.watched(this.#paced ?? this.stream);
    if (this.body === null) sink.started(taker);
    else this.body.goOnTo(taker);
  }

  #pace(stream: ClientStream, spend: PacedStreamOptions["spend"]): PacedStream {
    const { shard } = this.parts;
    return new PacedStream({ stream, shard, spend, writable: () => this.sink.writable() });
  }

  #ranOut(deadlineMs: number): void {
    this.failed(outcomes.deadlinePassed(this.service.key, deadlineMs));
  }

  /** Whoever started the call has left out what the service does not take; what it takes may need HTTP/1.1. False: it was refused. */
  #mayUpgrade(upgrade: string): boolean {
    const { local, key } = this.service;
    if (!passesUpgrade(upgrade, local.upgrades ?? [])) {
      this.failed(outcomes.noUpgrade(key, upgrade));
      return false;
    }
    const { method, contentLength } = this.request;
    const fits = fitsStream(upgrade, method, contentLength) || this.#appVersion() === "http/1.1";
    if (!fits) this.request = changed(this.request, { upgrade: null });
    return true;
  }

  /** Rules and the app see the path as the service reads it, whatever the proxy of the caller did. */
  #readPath(): boolean {
    const request = this.request;
    const read = readTarget(this.service.local, request.target);
    if (read === null) return false;
    if (read.target === request.target) return true;
    this.request = changed(request, { target: read.target });
    this.record.path = read.path;
    return true;
  }

  /** What is declared counts; where nothing is, the app is taken to speak what its client spoke. */
  #appVersion(): "http/1.1" | "h2" {
    const { protocol } = this.service.local;
    if (protocol === "detect") return this.spokeHttp2 ? "h2" : "http/1.1";
    return protocol === "http" ? "http/1.1" : "h2";
  }

  unreachable(outcome: Outcome): void {
    this.failed(outcome);
  }

  /** The caller gave up. */
  cancel(detail: string): void {
    if (this.finished) return;
    this.stream?.cancel();
    this.#turn?.givenUp();
    this.finish({ flag: "DC", side: "downstream", repeat: "no", status: 499, detail });
  }

  /** The caller does not take the answer that the app began. */
  refuse(outcome: Outcome): void {
    if (this.finished) return;
    this.stream?.cancel();
    this.record.status = 0;
    this.failed(outcome);
  }

  // ------------------------------------------------------------------------------------- the answer of the app

  informational(status: number, fields: Fields): void {
    this.sink.informational(status, fields);
  }

  head(head: ResponseHead): void {
    const { sink, service } = this;
    this.record.status = head.status;
    this.record.firstByteMs = this.parts.shard.clock.now();
    this.#grpc = isGrpc(head.fields);
    if (this.#grpc) this.#grpcHead = head.fields.get("grpc-status") ?? "";
    if (this.#grpc || head.tunnel || head.contentLength < 0) {
      const { upgrade } = this.request;
      const { streams } = service;
      this.streamKind = noteStream(this.record, head, { upgrade, grpc: this.#grpc, streams });
    }
    // Of gRPC nobody can tell a stream by its head.
    if (this.#turn !== null && !head.tunnel) this.#turn.answered(head.status, this.streamKind !== null);
    const shown = withoutOwnFields(head);
    if (this.policies?.sees(shown) === true) this.show(shown, this.policies);
    else sink.head(shown);
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.held !== null) return this.held.data(bytes, start, end);
    this.record.bytesOut += end - start;
    if (this.watches) this.policies?.passes("response", bytes, start, end);
    this.sink.data(bytes, start, end);
    this.#paced?.received(end - start);
  }

  end(trailers: Fields | null): void {
    if (this.held !== null) return this.held.end(trailers);
    if (this.#grpc) noteGrpcStatus(this.record, trailers, this.#grpcHead);
    this.sink.end(trailers);
    this.finish(null);
  }

  failed(outcome: Outcome): void {
    if (this.held !== null) {
      this.held.broken = outcome;
      return;
    }
    this.sink.failed(outcome);
    if (this.record.status === 0) this.record.status = outcome.status;
    this.finish(outcome);
  }

  writable(): void {
    if (this.#paced !== null) return this.#paced.roomAgain();
    this.sink.writable();
  }

  protected finish(outcome: Outcome | null): void {
    if (this.finished) return;
    this.finished = true;
    const { service, sink } = this;
    const { shard, recorder } = this.parts;
    this.#pool?.leave(this);
    this.#turn?.end();
    this.#paced?.close();
    this.body?.body.close();
    this.held?.drop();
    if (this.streamKind !== null) service.streams.closed(this.streamKind);
    this.record.outcome = outcome;
    this.record.bytesIn = sink.bytesSent;
    recorder.finish(this.record, shard.clock.now());
    this.policies?.ended();
  }
}
