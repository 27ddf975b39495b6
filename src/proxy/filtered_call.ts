/**
 * What the rule of a route does with an outbound exchange beside sending it on, for `outbound.ts`, which says when: preflight requests
 * of browsers, edits, redirects and direct answers, copies for mirrors, faults on purpose.
 */
import type { Timer } from "../../runtime/contract.ts";
import type { ServerExchange } from "../http/exchange.ts";
import type { BackendFilters, RouteFilters } from "../model/document.ts";
import type { Fault } from "../model/route_filters.ts";
import type { Outcome } from "../model/outcome.ts";
import { digestFields } from "../policy/bodies.ts";
import type { Sending } from "../policy/sending.ts";
import type { PolicyVerdict } from "../policy/verdict.ts";
import { mergeEdits, noEdits, type FieldEdits } from "../wire/fields.ts";
import { isGrpc } from "../wire/grpc.ts";
import { noFields } from "../wire/head_fields.ts";
import { Answer } from "./answer/answer.ts";
import type { Session, Sessions } from "./balance/sessions.ts";
import { keptTexts } from "./fields/trace_fields.ts";
import { RequestBody, type BodyOwner } from "./attempt/request_body.ts";
import type { CallHere, CallSink } from "./attempt/call_sink.ts";
import { callHere } from "./call_here.ts";
import { outcomes } from "./failure/outcomes.ts";
import { mirrorTap } from "./mirror_call.ts";
import { OutboundCall } from "./outbound_call.ts";
import type { AnswerTimes, ExchangePolicies } from "./policy/exchange_policies.ts";
import { exchangeRecord } from "./record/outbound_record.ts";
import { crossing } from "./rewrite/cors.ts";
import { answerEdits, Leaving, requestEdits } from "./rewrite/leaving.ts";
import { rulesWith } from "./retry/retry_rules.ts";
import type { Flow } from "./share/flow.ts";
import type { Caller, LiveEndpoint, LiveMirror, LiveRoute, Target } from "./state/live_service.ts";
import type { OutboundSource } from "./state/outbound_source.ts";
import type { PolicyReach } from "./state/policy_reach.ts";

const noCopies: readonly LiveMirror[] = [];

export abstract class FilteredCall extends OutboundCall implements BodyOwner {
  finished = false;
  protected caller: Caller | null = null;
  protected readonly leaving: Leaving;
  protected readonly answer: Answer;
  protected readonly body: RequestBody;
  /** What its policies say of its attempts; null: nothing. */
  #sending: Sending | null = null;
  /** Where copies of it go because its policies say so. */
  #copies: readonly LiveMirror[] = noCopies;
  /** When all of it had come; Infinity: it has not, or nobody wants to know. */
  #wholeMs = Infinity;
  /** To be made before it goes on. */
  #fault: Fault | null = null;
  #delay: Timer | null = null;

  constructor(
    readonly exchange: ServerExchange,
    source: OutboundSource,
    flow: Flow,
  ) {
    const record = exchangeRecord(exchange, source);
    super(source, flow, record);
    const { request } = exchange;
    const edits = answerEdits(record.requestId);
    this.leaving = new Leaving(request, requestEdits(request.version, edits), source.ofPolicies);
    const { tracer, shard } = source.parts;
    // Whoever is outside does not say what is traced.
    record.trace = tracer.begin(source.outside ? noFields : request.fields);
    if (record.trace !== null) this.leaving.trace(record.trace, tracer.tellsB3);
    const { remoteAddress, remotePort } = exchange.connection;
    if (source.outside) this.leaving.comesFrom(remoteAddress, remotePort, this.#isSecure);
    const grpc = request.version === "HTTP/2" && isGrpc(request.fields);
    this.answer = new Answer(exchange, record, edits, grpc);
    this.body = new RequestBody(exchange, this, shard.buffered, true);
  }

  get #isSecure(): boolean {
    return this.exchange.connection.secure === true;
  }

  abstract over(outcome: Outcome | null): void;
  abstract aborted(outcome: Outcome): void;

  /** Whether it was a preflight request of a browser, which is answered before anything asks who its user is. */
  protected crosses({ filters }: LiveRoute): boolean {
    const cors = filters?.cors;
    const { method, fields } = this.exchange.request;
    const found = cors === undefined ? null : crossing(cors, method, fields);
    if (found === null) return false;
    this.answer.edits = mergeEdits(found.answer, this.answer.edits);
    if (found.preflight === null) return false;
    this.over(this.answer.say(found.preflight));
    return true;
  }

  /** What policies change of it. */
  protected obey(verdict: Extract<PolicyVerdict, { do: "next" | "route" }>, reach: PolicyReach): void {
    this.leaving.obey(verdict);
    if (verdict.retries !== undefined || verdict.hedge !== undefined) this.#sending = verdict;
    if (verdict.mirrors !== undefined)
      this.#copies = verdict.mirrors.flatMap((service) => {
        const target = reach.target(service, null, null);
        return target === null ? [] : [{ target, share: 1 }];
      });
    if (verdict.json === undefined) return;
    const bytes = new TextEncoder().encode(verdict.json);
    this.body.replace(bytes);
    // What has no length said before may have trailers.
    if (this.leaving.came.contentLength >= 0) this.leaving.bodyBytes = bytes.length;
    this.leaving.change({ remove: digestFields, set: noEdits.set, add: noEdits.add });
  }

  /** Where it goes, with what its policies say of attempts. */
  protected asSaid(target: Target): Target {
    return this.#sending === null ? target : { ...target, rules: rulesWith(target.rules, this.#sending) };
  }

  /** Its policies see what passes, both ways, unless it becomes a tunnel. */
  protected watch(policies: ExchangePolicies): void {
    if (this.exchange.request.upgrade !== null) return;
    this.answer.watched = policies;
    this.body.addTap({
      data: (bytes, start, end) => policies.passes("request", bytes, start, end),
      end() {},
      close() {},
    });
  }

  /** Policies hear how long its instance took with it, and a client that is slow to send it is none of that. */
  protected timeWhole(): void {
    const { clock } = this.source.parts.shard;
    const end = (): void => void (this.#wholeMs = clock.now());
    this.body.addTap({ data() {}, end, close() {} });
  }

  /** Of the answer whose head came at `nowMs`, of an attempt that began at `triedMs`. */
  protected timesOf(triedMs: number, nowMs: number): AnswerTimes {
    const hadAllMs = Math.max(triedMs, this.#wholeMs);
    return { ms: nowMs - this.record.startedMs, instanceMs: Math.max(0, nowMs - hadAllMs) };
  }

  /** Applies what the route says of its requests. Whether one of them was the answer. */
  protected isAnswered(route: LiveRoute): boolean {
    if (this.#isAnsweredBy(route)) return true;
    if (this.#copies.length > 0) this.#copyTo([...(route.mirrors ?? []), ...this.#copies]);
    else if (route.mirrors !== null) this.#copyTo(route.mirrors);
    return false;
  }

  #isAnsweredBy({ filters, matcher }: LiveRoute): boolean {
    if (filters === undefined) return false;
    const matched = matcher.match.path.value;
    const { redirect, respond, rewrite, fault } = filters;
    const { authority } = this.exchange.request;
    const answer =
      respond ??
      (redirect === undefined
        ? null
        : this.leaving.redirected(redirect, matched, authority, this.#isSecure ? "https" : "http"));
    this.change(filters);
    if (rewrite !== undefined) this.leaving.rewrite(rewrite, matched);
    this.#fault = fault ?? null;
    if (answer !== null) this.over(this.answer.say(answer));
    return answer !== null;
  }

  #copyTo(mirrors: readonly LiveMirror[]): void {
    const { exchange, source, record, flow, leaving, caller } = this;
    const mirrored = { exchange, source, record, flow, leaving, caller: caller as Caller };
    const tap = mirrorTap(mirrors, mirrored);
    if (tap !== null) this.body.addTap(tap);
  }

  protected change({ requestHeaders, responseHeaders }: BackendFilters | RouteFilters): void {
    if (requestHeaders !== undefined) this.leaving.change(requestHeaders);
    const answer = this.answer;
    if (responseHeaders !== undefined) answer.edits = mergeEdits(responseHeaders, answer.edits);
  }

  waits(service: string): void {
    this.record.service = service;
  }

  callHere(here: NonNullable<LiveEndpoint["here"]>, edits: FieldEdits, sink: CallSink): CallHere {
    const { flow, record } = this;
    const caller = this.caller as Caller;
    return callHere(this.source.parts, here, caller, flow, record, this.leaving, edits, sink);
  }

  protected noteKept(kept: string | null): void {
    this.record.keep = kept === keptTexts.trace && this.record.trace !== null;
    this.record.keepLine = kept !== null;
  }

  protected shed(service: string): void {
    this.limitTripped("shedDelayMs");
    this.refuse(outcomes.shed(service, this.leaving.priority));
  }

  /** The client learns how to come back to this endpoint. */
  protected tellSession(sessions: Sessions, session: Session | null, endpoint: LiveEndpoint | null): void {
    if (endpoint === null) return;
    const { edits } = this.answer;
    this.answer.edits = sessions.tell(edits, session, endpoint.id, this.nowS) ?? edits;
  }

  protected get hasFault(): boolean {
    return this.#fault !== null;
  }

  /** Makes of it what its route says, if it is one of those: `goOn` is called at once, later, or never. */
  protected makeFault(goOn: () => void): void {
    const { abort, delay } = this.#fault as Fault;
    this.#fault = null;
    const { random, shard } = this.source.parts;
    const isHit = ({ share }: { readonly share: number }): boolean => share === 1 || random.unit() < share;
    const fails = abort !== undefined && isHit(abort);
    const end = (): void => {
      if (fails) this.refuse(outcomes.fault(this.record.route, abort.status, abort.grpc));
      else goOn();
    };
    if (delay === undefined || !isHit(delay)) return end();
    this.#delay = shard.clock.after(delay.ms, () => {
      shard.enter();
      if (!this.finished) end();
      shard.leave();
    });
  }

  /** Nothing of it is to come. */
  protected closeFilters(): void {
    this.body.close();
    this.#delay?.cancel();
  }
}
