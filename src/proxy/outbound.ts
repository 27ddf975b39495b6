/**
 * Outbound pipeline: one exchange from a local service to a chosen endpoint of another. The order of the stages is this file
 * and nowhere else: find the service, match the route, ask the policies, pick an endpoint, take a connection, forward, try
 * again where that is safe, record. Without a policy that answers later, a request passes in one turn of the event loop.
 */
import type { Timer } from "../../runtime/contract.ts";
import { WheelEntry } from "../base/timer_wheel.ts";
import type {
  ClientConnection,
  ClientStream,
  OutgoingRequest,
  RequestHead,
  ResponseHead,
  ServerExchange,
} from "../http/exchange.ts";
import { fitsStream, passesUpgrade } from "../http/upgrade.ts";
import { grpcCode } from "../model/grpc_code.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import { serviceKey, takesRequests } from "../model/service.ts";
import type { PolicyVerdict } from "../policy/chain.ts";
import { noEdits, type FieldEdits, type Fields } from "../wire/fields.ts";
import {
  attemptField,
  failureFields,
  flowField,
  heddleFields,
  requestIdField,
  spokeField,
} from "./fields/heddle_fields.ts";
import { readSlashes, type NormalTarget } from "../wire/target.ts";
import { grpcTimeoutMs, grpcTimeoutText, isGrpc } from "../wire/grpc.ts";
import { CallRecord } from "./record/call_record.ts";
import {
  allowedMethods,
  answerVia,
  hopsLeft,
  interimEdits,
  maxForwardsField,
  passesInterim,
  viaOf,
} from "./fields/hops.ts";
import type { Entrant } from "./guard/admission.ts";
import { InboundCall, type CallSink } from "./inbound.ts";
import type {
  Caller,
  InboundService,
  LiveDestination,
  LiveEndpoint,
  LiveRoute,
  LocalApp,
  Target,
} from "./state/live_service.ts";
import { outcomes } from "./failure/outcomes.ts";
import { streamOf, type StreamKind } from "./answer/open_streams.ts";
import type { OutboundSource, PoolKind } from "./state/outbound_source.ts";
import type { Forget } from "./find/discovery.ts";
import { proxyFailure } from "./failure/proxy_failure.ts";
import { isRequestId } from "./fields/request_id.ts";
import { RequestBody, type BodyOwner } from "./attempt/request_body.ts";
import { answerOfPolicy, breakOff, rescue } from "./failure/rescue.ts";
import { chooseBackend } from "./route/choose_backend.ts";
import type { ProxyState } from "./state/state.ts";
import { matchRoute } from "./route/match_route.ts";
import type { Claim } from "./share/claim.ts";
import type { Flow } from "./share/flow.ts";
import { shareSpent } from "./share/share_outcome.ts";
import type { Pool, Taker } from "./upstream/pool.ts";

export function serveOutbound(exchange: ServerExchange, source: OutboundSource, flow: Flow): void {
  new OutboundExchange(exchange, source, flow).begin();
}

const noUpgrades: readonly string[] = [];
const nothingTried: readonly LiveEndpoint[] = [];

class OutboundExchange extends WheelEntry implements CallSink, Taker, BodyOwner, Entrant {
  place: Claim<Taker> | null = null;
  readonly #record: CallRecord;
  readonly #body: RequestBody;
  /** What heddle itself adds to every attempt, and to the answer. */
  #edits: FieldEdits;
  readonly #answerEdits: FieldEdits;
  /** The one that was in force when it began, or when its service became known: from its first decision to its last. */
  #state: ProxyState | null = null;
  #caller: Caller | null = null;
  /** What it was called for, and what counts it there once it was let in. */
  #destination: LiveDestination | null = null;
  #admitted: Claim<Entrant> | null = null;
  #route: LiveRoute | null = null;
  #policyEdits: FieldEdits = noEdits;
  /** What goes on instead of the target that came, and whether a policy wrote it. */
  #newTarget: NormalTarget | null = null;
  #rewritten = false;
  #target: Target | null = null;
  /** Of the attempt under way; null between attempts. */
  #endpoint: LiveEndpoint | null = null;
  #tried: readonly LiveEndpoint[] = nothingTried;
  #cause = "first";
  #budgetSpent = false;
  #attemptMs = 0;
  #call: InboundCall | null = null;
  #pool: Pool | null = null;
  #stream: ClientStream | null = null;
  /** The other proxy asked for another attempt: the rest of its answer passes by unseen. */
  #passingBy: Outcome | null = null;
  #head: ResponseHead | null = null;
  /** The whole exchange must be over by then, milliseconds after it began; null for no limit. */
  #timeoutMs: number | null = null;
  /** Its client speaks gRPC. */
  readonly #grpc: boolean;
  /** What its answer turned out to be, while it is open. */
  #streamKind: StreamKind | null = null;
  #finished = false;
  /** Ends the wait for a service that is not known yet. */
  #forget: Forget | null = null;
  /** Until the next attempt begins. */
  #backoff: Timer | null = null;
  /** Body bytes of both directions when the idle timer was set. */
  #seenBytes = 0;

  constructor(
    readonly exchange: ServerExchange,
    readonly source: OutboundSource,
    readonly flow: Flow,
  ) {
    super();
    const { request } = exchange;
    const { parts, key } = source;
    const record = new CallRecord("outbound", "http", parts.shard.clock.now());
    const given = request.fields.get(requestIdField);
    const requestId = given !== null && isRequestId(given) ? given : parts.ids.next();
    record.requestId = requestId;
    record.source = key;
    record.method = request.method;
    record.path = request.path;
    record.protocol = request.version;
    record.detected = exchange.connection.detectedBy ?? "";
    this.#record = record;
    const set = [requestIdField, requestId];
    const via = viaOf(request.version);
    this.#answerEdits = { remove: noEdits.remove, set, add: answerVia };
    this.#edits = via === answerVia ? this.#answerEdits : { remove: noEdits.remove, set, add: via };
    this.#body = new RequestBody(exchange, this, parts.shard.buffered, true);
    this.#grpc = request.version === "HTTP/2" && isGrpc(request.fields);
  }

  get bytesSent(): number {
    return this.#body.bytes;
  }

  // ------------------------------------------------------------------------------------- the order of the stages

  begin(): void {
    const { source, exchange } = this;
    exchange.watch(this);
    const { state } = source.parts;
    if (state === null) return this.#refuse(outcomes.noSnapshot());
    if (!this.#isCaller(state)) return;
    const { authority } = exchange.request;
    const found = source.find(state, authority);
    if (found === null) this.#refuse(outcomes.noName(authority));
    else if ("name" in found) this.#discover(serviceKey(found));
    else this.#enter(found);
  }

  /** Whether this machine may act as the service that calls. False: it was refused. */
  #isCaller(state: ProxyState): boolean {
    const { source } = this;
    const caller = source.callerIn(state);
    this.#state = state;
    this.#caller = caller;
    if (caller === null) this.#refuse(outcomes.noIdentity(source.key));
    else this.#record.sourceId = caller.spiffeId;
    return caller !== null;
  }

  #enter(destination: LiveDestination): void {
    const record = this.#record;
    const { request } = this.exchange;
    record.service = destination.key;
    if ((request.method === "TRACE" || request.method === "OPTIONS") && this.#endsHere(request)) return;
    if (!takesRequests(destination.destination.protocol)) return this.#refuse(outcomes.notHttp(destination));
    if (!this.#readSlashes(destination)) return this.#refuse(outcomes.escapedSlash(destination.key));
    if (this.#newTarget !== null) record.path = this.#newTarget.path;
    this.#destination = destination;
    const claim = this.flow.claimOn(destination.admission);
    const answer = destination.admission.ask(claim, this, this.source.parts.shard.clock.now());
    if (answer === "enters") return this.#admit(destination, claim);
    if (answer === "full") this.#turnAway("pendingMax");
    else this.#limitTripped("requestsMax");
  }

  /** Its turn came, after it had waited. */
  admitted(): void {
    const destination = this.#destination as LiveDestination;
    this.#admit(destination, this.flow.claimOn(destination.admission));
  }

  overdue(): void {
    this.#turnAway("pendingMs");
  }

  #admit(destination: LiveDestination, claim: Claim<Entrant>): void {
    const record = this.#record;
    const { request } = this.exchange;
    this.#admitted = claim;
    const { method, fields } = request;
    const asked = this.#newTarget === null ? request : { method, path: record.path, fields };
    const route = matchRoute(destination.routes, asked);
    record.route = route === null ? "unmatched" : route.name;
    if (route === null) return this.#refuse(outcomes.noRoute(destination.key, method, record.path));
    this.#route = route;
    this.#timeoutMs = this.#grpc
      ? earlier(route.requestTimeoutMs, grpcTimeoutMs(request.fields))
      : route.requestTimeoutMs;
    this.#arm();
    if (route.policies.length === 0) this.#takeBackend(route);
    else this.#askPolicies(route, destination);
  }

  #takeBackend(route: LiveRoute): void {
    const { backends, totalWeight } = route;
    const unit = backends.length > 1 ? this.source.parts.random.unit() : 0;
    const backend = chooseBackend(backends, totalWeight, unit);
    const target = backend === null ? "no backend has any weight" : backend.target;
    if (typeof target === "string") return this.#refuse(outcomes.badBackend(route.name, target));
    this.#lead(target, this.source.parts.shard.clock.now());
  }

  /** The service that was chosen reads the path in its own way, whoever wrote it. */
  #lead(target: Target, nowMs: number): void {
    const { destination } = target;
    if ((this.#rewritten || destination !== this.#destination) && !this.#readSlashes(destination)) {
      const { service } = this.#record;
      return this.#refuse(
        this.#rewritten ? outcomes.badPath(service) : outcomes.escapedSlash(destination.key),
      );
    }
    this.#target = target;
    destination.budget.request(nowMs);
    this.#attempt(nowMs);
  }

  #attempt(nowMs: number): void {
    const { destination, balancer } = this.#target as Target;
    if (this.exchange.request.upgrade !== null && !this.#mayUpgrade(destination)) return;
    const endpoint = balancer.pick(this.#tried, nowMs);
    if (endpoint === null) return this.#refuse(outcomes.noEndpoint(destination));
    this.#endpoint = endpoint;
    this.#attemptMs = nowMs;
    if (destination.destination.stream) this.exchange.bePatient();
    endpoint.load.started();
    this.#record.endpoint = endpoint.endpoint.id;
    this.#record.tls = endpoint.here === null;
    // Whom it reaches is known once a connection stands whose certificate said so.
    this.#record.destinationId = endpoint.here === null ? "" : destination.destination.spiffeId;
    if (endpoint.here === null) {
      this.#pool = this.source.poolOf(destination, endpoint, this.#transport(destination));
      this.#pool.acquire(this, nowMs);
    } else {
      this.#call = this.#inProcess(endpoint.here.service, endpoint.here.app);
      this.#call.begin();
    }
  }

  connected(connection: ClientConnection): void {
    this.#record.destinationId = (this.#target as Target).destination.destination.spiffeId;
    this.started(connection.start(this.#outgoing(), this.#requestEdits(), this));
  }

  started(stream: ClientStream): void {
    this.#stream = stream;
    this.#body.attach(stream);
  }

  // --------------------------------------------------------------------------------------------------- stages

  #discover(key: string): void {
    const { parts } = this.source;
    this.#record.service = this.source.labelOf(key);
    this.#forget = parts.discovery.find(key, this.source.key, (absence) => {
      this.#forget = null;
      const { state } = parts;
      const found = absence === null ? state?.destinations.get(key) : undefined;
      if (state === null || found === undefined) this.#refuse(absence ?? outcomes.noService(key));
      else if (this.#isCaller(state)) this.#enter(found);
    });
  }

  /** Answers what is meant for the next hop, which is this one (RFC 9110 sections 7.6.2 and 9.3.8). */
  #endsHere(request: RequestHead): boolean {
    const left = request.method === "TRACE" ? 0 : hopsLeft(request.fields);
    if (left === null) return false;
    if (left > 0) {
      const { remove, set, add } = this.#edits;
      this.#edits = { remove, set: [...set, maxForwardsField, String(left - 1)], add };
      return false;
    }
    if (left < 0) this.#refuse(outcomes.badMaxForwards());
    else if (request.method === "TRACE") this.#refuse(outcomes.noTrace());
    else this.#answerOptions();
    return true;
  }

  #answerOptions(): void {
    const { exchange } = this;
    const { remove, set } = this.#answerEdits;
    this.#record.status = 200;
    exchange.respond(200, null, { remove, set: [...set, "allow", allowedMethods], add: noEdits.add }, 0);
    exchange.end(null);
    this.#finish(null);
  }

  /** Routes, policies, rules and the app all see the path as the service reads it. False: it takes none like this. */
  #readSlashes({ destination }: LiveDestination): boolean {
    if (destination.escapedSlashes === "keep") return true;
    const { target } = this.#newTarget ?? this.exchange.request;
    const read = readSlashes(destination.escapedSlashes, target);
    if (read !== null && read.target !== target) this.#newTarget = read;
    return read !== null;
  }

  /** Goes on with what the called service takes of it, if anything. False: it was refused. */
  #mayUpgrade({ destination, key }: LiveDestination): boolean {
    const { exchange } = this;
    const { upgrades = noUpgrades } = destination;
    exchange.keepUpgrade(upgrades);
    const { upgrade } = exchange.request;
    if (upgrade === null || passesUpgrade(upgrade, upgrades)) return true;
    this.#refuse(outcomes.noUpgrade(key, upgrade));
    return false;
  }

  #turnAway(limit: "pendingMax" | "pendingMs"): void {
    const { key, admission } = this.#destination as LiveDestination;
    this.#limitTripped(limit);
    this.#refuse(shareSpent(key, { gate: admission, flow: this.flow, of: "requestsMax", limit }));
  }

  #limitTripped(limit: string): void {
    this.source.parts.recorder.limitTripped(limit, `outbound ${this.source.key}`);
  }

  #askPolicies(route: LiveRoute, destination: LiveDestination): void {
    const { method, authority } = this.exchange.request;
    const { target } = this.#newTarget ?? this.exchange.request;
    // Policies may still read when the client has left and the head is another's.
    const fields = this.exchange.request.fields.copy();
    const { sourceId, requestId } = this.#record;
    const { service } = destination.destination;
    const call = { method, authority, target, fields, sourceId, service, requestId };
    const { policies, shard } = this.source.parts;
    const decided = (verdict: PolicyVerdict): void => {
      shard.enter();
      this.#decided(route, verdict);
      shard.leave();
    };
    // The policies go on whether its client leaves or not: until then it holds its places.
    this.exchange.watch(null);
    policies.evaluate(route.policies, call, decided, (this.#state as ProxyState).reach);
  }

  #decided(route: LiveRoute, verdict: PolicyVerdict): void {
    this.#record.policies = [...verdict.records];
    if (this.#finished) return;
    this.exchange.watch(this);
    if (this.exchange.finished) return this.#finish(leftWhileDeciding);
    switch (verdict.do) {
      case "next":
        this.#obey(verdict);
        return this.#takeBackend(route);
      case "route":
        this.#obey(verdict);
        return this.#takeChosen(verdict);
      case "respond":
        return this.#respond(verdict);
      case "error":
        return this.#refuse(verdict.outcome);
    }
  }

  #obey({ edits, target }: { readonly edits: FieldEdits; readonly target: NormalTarget | null }): void {
    this.#policyEdits = edits;
    if (target === null) return;
    this.#newTarget = target;
    this.#rewritten = true;
  }

  /** A policy chose the service: the route's own backends do not count. */
  #takeChosen({ policy, service, subset }: Extract<PolicyVerdict, { do: "route" }>): void {
    const { shard } = this.source.parts;
    const key = serviceKey(service);
    const destination = this.#state?.destinations.get(key);
    const balancer = subset === null ? destination?.whole : destination?.subsets.get(subset);
    if (destination === undefined || balancer === undefined)
      return this.#refuse(outcomes.badChoice(policy, this.#record.service));
    this.#lead({ destination, balancer }, shard.clock.now());
  }

  #respond(verdict: Extract<PolicyVerdict, { do: "respond" }>): void {
    const { status, policy } = verdict;
    const { service, requestId } = this.#record;
    const denial = status < 400 ? null : outcomes.policyDenied(policy, service, status);
    this.#record.status = status;
    answerOfPolicy(this.exchange, verdict, denial, requestId);
    this.#finish(denial);
  }

  #transport(destination: LiveDestination): PoolKind {
    const { upgrade, contentLength, method } = this.exchange.request;
    if (destination.destination.transport === "http/1.1") return "http/1.1";
    return upgrade === null || fitsStream(upgrade, method, contentLength) ? "shared" : "http/1.1";
  }

  #inProcess(service: InboundService, app: LocalApp): InboundCall {
    const { parts } = this.source;
    return new InboundCall({
      shard: parts.shard,
      recorder: parts.recorder,
      service,
      app,
      caller: this.#caller as Caller,
      flow: this.flow,
      requestId: this.#record.requestId,
      // What access rules see is what the app gets.
      path: (this.#newTarget ?? this.exchange.request).path,
      protocol: this.#record.protocol,
      spokeHttp2: this.exchange.request.version === "HTTP/2",
      tls: false,
      request: this.#outgoing(),
      edits: this.#requestEdits(),
      sink: this,
    });
  }

  #outgoing(): OutgoingRequest {
    const { request } = this.exchange;
    if (this.#newTarget === null && request.authority !== "") return request;
    const { method, fields, nominated, contentLength, upgrade, expectContinue } = request;
    const { target } = this.#newTarget ?? request;
    const authority = request.authority || (this.#destination?.serverName ?? "");
    return { method, target, authority, fields, nominated, contentLength, upgrade, expectContinue };
  }

  #requestEdits(): FieldEdits {
    // Fields of heddle's own names that came from outside.
    const foreign = heddleFields(this.exchange.request.fields);
    const own = this.#edits;
    const policy = this.#policyEdits;
    const deadline = this.#grpc ? this.#deadlineLeft() : null;
    const spoke = this.#tellsVersion();
    const client = this.#tellsFlow();
    const plain = foreign === null && policy === noEdits && this.#tried.length === 0;
    if (plain && deadline === null && !spoke && !client) return own;
    const attempt = this.#tried.length === 0 ? [] : [attemptField, String(this.#tried.length)];
    if (deadline !== null) attempt.push("grpc-timeout", deadline);
    if (spoke) attempt.push(spokeField, "h2");
    if (client) attempt.push(flowField, this.flow.name);
    return {
      remove: [...(foreign ?? []), ...policy.remove],
      set: [...policy.set, ...own.set, ...attempt],
      add: policy.add.length === 0 ? own.add : [...policy.add, ...own.add],
    };
  }

  /** The other proxy cannot see what the client spoke, and for an undeclared service it matters. */
  #tellsVersion(): boolean {
    const { protocol } = (this.#target as Target).destination.destination;
    return protocol === "detect" && this.exchange.request.version === "HTTP/2" && this.#call === null;
  }

  /** The far proxy cannot see which client of this one asks, and where many requests are under way it shares by that. */
  #tellsFlow(): boolean {
    if (this.#endpoint?.here !== null) return false;
    const { taken } = (this.#destination as LiveDestination).admission;
    const own = this.#admitted?.taken ?? 0;
    return own > limits.flowToldRequestsMin || taken > limits.flowsToldRequestsMin;
  }

  /** What is left of the deadline for whoever gets the request now; null when it goes on as it came. */
  #deadlineLeft(): string | null {
    const timeoutMs = this.#timeoutMs;
    if (timeoutMs === null) return null;
    const elapsedMs = this.source.parts.shard.clock.now() - this.#record.startedMs;
    const given = grpcTimeoutMs(this.exchange.request.fields);
    return given === timeoutMs && elapsedMs < 1 ? null : grpcTimeoutText(timeoutMs - elapsedMs);
  }

  // --------------------------------------------------------------------------------------------- the answer

  informational(status: number, fields: Fields): void {
    if (!passesInterim(status, this.exchange.request.version, this.#target?.destination.destination)) return;
    this.exchange.inform(status, fields, interimEdits(fields));
  }

  head(head: ResponseHead): void {
    const nowMs = this.source.parts.shard.clock.now();
    const failure = head.status >= 400 && this.#call === null ? proxyFailure(head) : null;
    if (failure !== null && this.#mayRepeat(failure)) {
      this.#passingBy = failure;
      return;
    }
    const record = this.#record;
    // The answer of the other proxy would not say it in the words of gRPC, or not that the retries are used up.
    const reset = failure?.reset !== undefined && this.exchange.request.version === "HTTP/2";
    if (failure !== null && (this.#grpc || this.#budgetSpent || reset)) return this.#abandon(failure);
    record.status = head.status;
    record.outcome = failure;
    record.firstByteMs = nowMs;
    this.#head = head;
    // The timeout of the route was for getting here; what is silent for long is the business of both ends.
    if (head.tunnel) this.#timeoutMs = null;
    this.#noteStream(head);
    this.#body.settle();
    this.#noteAttempt(failure === null ? "ok" : failure.flag, nowMs);
    const { load } = this.#endpoint as LiveEndpoint;
    if (failure !== null && failure.side === "upstream") load.failed(nowMs);
    else load.answered(nowMs - this.#attemptMs, nowMs);
    const remove = failure === null ? head.nominated : [...failureFields, ...(head.nominated ?? [])];
    const edits = remove === null ? this.#answerEdits : { ...this.#answerEdits, remove };
    this.exchange.respond(head.status, head.fields, edits, head.contentLength, head.whole);
  }

  #noteStream(head: ResponseHead): void {
    if (head.tunnel) this.#record.upgrade = this.exchange.request.upgrade ?? "";
    const kind = streamOf(head, this.exchange.request.upgrade, this.#grpc);
    if (kind === null) return;
    this.#streamKind = kind;
    this.#destination?.streams.opened(kind);
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#passingBy !== null) return;
    this.#record.bytesOut += end - start;
    if (!this.exchange.write(bytes, start, end)) this.#stream?.pause();
  }

  end(trailers: Fields | null): void {
    if (this.#passingBy !== null) return this.#repeat(this.#passingBy);
    if (this.#grpc) this.#noteGrpc(trailers);
    this.#endAttempt();
    this.exchange.end(trailers);
    this.#finish(this.#record.outcome);
  }

  #noteGrpc(trailers: Fields | null): void {
    const code = trailers?.get("grpc-status") ?? this.#head?.fields.get("grpc-status") ?? "";
    if (code !== "") this.#record.grpc = String(grpcCode(code));
  }

  writable(): void {
    this.#body.resume();
  }

  unreachable(outcome: Outcome): void {
    this.failed(outcome);
  }

  failed(outcome: Outcome): void {
    if (this.#passingBy !== null) return this.#repeat(this.#passingBy);
    if (this.#head !== null) {
      this.#endAttempt();
      breakOff(this.exchange, outcome, this.#endsByStatus);
      return this.#finish(outcome);
    }
    if (this.#mayRepeat(outcome)) return this.#repeat(outcome);
    this.#giveUp(outcome);
  }

  // ------------------------------------------------------------------------------------------- another attempt

  /** Whether sending it again is safe, possible and within the budget. Takes from the budget when it is. */
  #mayRepeat(outcome: Outcome): boolean {
    if (outcome.repeat === "no" || this.#tried.length + 1 >= limits.attemptsMax) return false;
    if (outcome.repeat === "idempotent" && !this.#isIdempotent()) return false;
    if (!this.#body.replayable || this.exchange.finished) return false;
    const { budget } = (this.#target as Target).destination;
    if (budget.take(this.source.parts.shard.clock.now())) return true;
    this.#budgetSpent = true;
    return false;
  }

  #isIdempotent(): boolean {
    const { method } = this.exchange.request;
    return this.#route?.idempotent === true || repeatable.has(method);
  }

  #repeat(outcome: Outcome): void {
    const endpoint = this.#endpoint as LiveEndpoint;
    this.#noteFailure(outcome);
    this.#endAttempt();
    this.#passingBy = null;
    this.#cause = outcome.flag === "UF" ? "connect" : "reset";
    this.#tried = [...this.#tried, endpoint];
    const { parts } = this.source;
    const others = (this.#target as Target).balancer.endpoints.length > 1;
    if (others) return this.#attempt(parts.shard.clock.now());
    this.#backoff = parts.shard.clock.after(limits.retryBackoffMs * parts.random.unit(), () =>
      this.#attemptLater(),
    );
  }

  #attemptLater(): void {
    const { shard } = this.source.parts;
    this.#backoff = null;
    shard.enter();
    this.#attempt(shard.clock.now());
    shard.leave();
  }

  #giveUp(outcome: Outcome): void {
    this.#noteFailure(outcome);
    this.#endAttempt();
    this.#refuse(this.#budgetSpent ? outcomes.noBudget(outcome, this.#record.service) : outcome);
  }

  /** The same while the attempt goes on: it is stopped. */
  #abandon(outcome: Outcome): void {
    if (this.#endpoint !== null) this.#noteFailure(outcome);
    this.#stopAttempt(outcome.detail);
    this.#refuse(this.#budgetSpent ? outcomes.noBudget(outcome, this.#record.service) : outcome);
  }

  #noteFailure(outcome: Outcome): void {
    const nowMs = this.source.parts.shard.clock.now();
    this.#noteAttempt(outcome.flag, nowMs);
    if (outcome.side === "upstream") this.#endpoint?.load.failed(nowMs);
    this.#body.detach();
  }

  #noteAttempt(result: string, nowMs: number): void {
    const { endpoint } = this.#endpoint as LiveEndpoint;
    this.source.parts.recorder.attempt(this.#record.service, this.#cause, result);
    if (result === "ok" && this.#tried.length === 0) return;
    this.#record.attempts = [
      ...this.#record.attempts,
      { endpoint: endpoint.id, ms: nowMs - this.#attemptMs, result },
    ];
  }

  #endAttempt(): void {
    this.#endpoint?.load.ended();
    this.#endpoint = null;
    this.#call = null;
    this.#pool?.leave(this);
    this.#pool = null;
    this.#stream = null;
  }

  // ------------------------------------------------------------------------------------------------ the end

  /** The client left. */
  aborted(outcome: Outcome): void {
    if (this.#finished) return;
    this.#stopAttempt(outcome.detail);
    this.#finish(outcome);
  }

  expired(): void {
    const { shard } = this.source.parts;
    const timeoutMs = this.#timeoutMs;
    const key = this.#record.service;
    shard.enter();
    if (timeoutMs !== null && shard.clock.now() - this.#record.startedMs >= timeoutMs)
      this.#stop(outcomes.timeout(key, timeoutMs));
    else if (this.#seenBytes === this.#body.bytes + this.#record.bytesOut && !this.#isStream())
      this.#stop(outcomes.silent(key, this.#head !== null));
    else this.#arm();
    shard.leave();
  }

  /** Ends at the route's timeout, or when nothing moves for long. */
  #arm(): void {
    const { shard } = this.source.parts;
    const timeoutMs = this.#timeoutMs;
    const left =
      timeoutMs === null ? limits.answerIdleMs : timeoutMs - (shard.clock.now() - this.#record.startedMs);
    this.#seenBytes = this.#body.bytes + this.#record.bytesOut;
    shard.wheel.arm(this, Math.max(0, Math.min(left, limits.answerIdleMs)));
    shard.tick();
  }

  /** Its answer can still be ended by trailers. */
  get #endsByStatus(): boolean {
    return this.#grpc && this.#head !== null && this.#head.contentLength < 0 && !this.#head.tunnel;
  }

  /** Answers that may be silent for long; those of gRPC before their head too, because it comes with the first message. */
  #isStream(): boolean {
    if (this.#grpc) return true;
    return (
      this.#streamKind !== null ||
      this.#target?.destination.destination.stream === true ||
      this.#head?.tunnel === true
    );
  }

  #stop(outcome: Outcome): void {
    if (this.#head === null) return this.#abandon(outcome);
    this.#stopAttempt(outcome.detail);
    breakOff(this.exchange, outcome, this.#endsByStatus);
    this.#finish(outcome);
  }

  #stopAttempt(detail: string): void {
    if (this.#call !== null) this.#call.cancel(detail);
    else this.#stream?.cancel();
    this.#endAttempt();
  }

  /** Answers for heddle. */
  #refuse(outcome: Outcome): void {
    this.#record.status = outcome.status;
    rescue(this.exchange, outcome, this.#record.requestId, false);
    this.#finish(outcome);
  }

  #finish(outcome: Outcome | null): void {
    if (this.#finished) return;
    this.#finished = true;
    const { shard, recorder } = this.source.parts;
    shard.wheel.forget(this);
    this.#forget?.();
    this.#backoff?.cancel();
    if (this.#admitted !== null) this.#destination?.admission.leave(this.#admitted);
    else this.#destination?.admission.forget(this);
    if (this.#streamKind !== null) this.#destination?.streams.closed(this.#streamKind);
    this.#body.settle();
    this.#record.outcome = outcome;
    this.#record.bytesIn = this.#body.bytes;
    recorder.finish(this.#record, shard.clock.now());
  }
}

function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}

const leftWhileDeciding: Outcome = {
  flag: "DC",
  side: "downstream",
  repeat: "no",
  status: 499,
  detail: "the client left while policies decided",
};

/** Methods that may happen twice (RFC 9110 section 9.2.2). */
const repeatable: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);
