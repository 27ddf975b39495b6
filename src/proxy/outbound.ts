/**
 * Outbound pipeline: one exchange from a local service to a chosen endpoint of another. The order of the stages is this file
 * and nowhere else: find the service, enter, match the route, ask the policies, choose the backend, attempt, answer, record. Without
 * a policy that answers later, a request passes in one turn of the event loop.
 */
import type { ResponseHead, ServerExchange } from "../http/exchange.ts";
import type { Outcome } from "../model/outcome.ts";
import { priorityLevel } from "../model/priority.ts";
import type { PolicyVerdict } from "../policy/verdict.ts";
import { mergeEdits, type FieldEdits } from "../wire/fields.ts";
import { callerDeadlineMs } from "../wire/deadline.ts";
import type { HeldAnswer } from "./answer/held_answer.ts";
import type { HttpAttemptsOwner } from "./attempt/attempts_owner.ts";
import { HttpAttempts } from "./attempt/http_attempts.ts";
import type { Session, Sessions } from "./balance/sessions.ts";
import type { DeadlineKind } from "./deadline/deadlines.ts";
import { keepField } from "./fields/trace_fields.ts";
import { outcomes } from "./failure/outcomes.ts";
import { PromptedCall } from "./prompted_call.ts";
import type { Forget } from "./find/discovery.ts";
import { receive, refusalOf } from "./guard/receive.ts";
import { askPolicies, type Asking } from "./policy/ask_policies.ts";
import { unencoded, type ExchangePolicies } from "./policy/exchange_policies.ts";
import { chooseBackend } from "./route/choose_backend.ts";
import type { Flow } from "./share/flow.ts";
import {
  endpointIn,
  weightless,
  type Caller,
  type LiveDestination,
  type LiveRoute,
  type Target,
} from "./state/live_service.ts";
import type { OutboundSource, Seeker } from "./state/outbound_source.ts";
import type { ProxyState } from "./state/state.ts";

export function serveOutbound(exchange: ServerExchange, source: OutboundSource, flow: Flow): void {
  new OutboundExchange(exchange, source, flow).begin();
}

class OutboundExchange extends PromptedCall implements Seeker, Asking, HttpAttemptsOwner<HttpAttempts> {
  policies: ExchangePolicies | null = null;
  #attempts: HttpAttempts;
  /** The one that was in force when its service was found: from the first decision to the last. */
  #state: ProxyState | null = null;
  /** Of the attempt under way, where there is one. */
  #perTryMs = Infinity;
  /** That it came with; and those of its route, whose token its answer may have, once the route chose. */
  #session: Session | null = null;
  #sessions: Sessions | null = null;
  /** Of its answer; some of it may wait for policies still. */
  #allCame = false;
  /** Ends the wait for a service that is not known yet. */
  #forget: Forget | null = null;

  constructor(exchange: ServerExchange, source: OutboundSource, flow: Flow) {
    super(exchange, source, flow);
    this.#attempts = this.#newAttempts();
  }

  #newAttempts(): HttpAttempts {
    const { source, record, flow, leaving, body, answer } = this;
    return new HttpAttempts(source, record, this, flow, leaving, body, answer);
  }

  begin(): void {
    this.source.parts.recorder.began(this.record);
    this.exchange.watch(this);
    this.#forget = this.source.seek(this.exchange.request.authority, this);
  }

  found(called: LiveDestination, caller: Caller, state: ProxyState): void {
    this.#state = state;
    this.caller = caller;
    this.record.sourceId = caller.spiffeId;
    this.record.service = called.key;
    const received = receive(called, this.leaving);
    if (received.do === "refuse") return this.refuse(received.outcome);
    if (received.do === "answer") return this.over(this.answer.giveMethods());
    this.record.path = this.leaving.path;
    this.leaving.serverName = called.serverName;
    this.enter(called);
  }

  protected entered(): void {
    if (!this.takesPrompt(this.called as LiveDestination, () => this.#route())) this.#route();
  }

  #route(): void {
    const { record, exchange } = this;
    const { method, fields } = exchange.request;
    const called = this.called as LiveDestination;
    const { target } = this.leaving;
    const route = this.routeIn(called);
    record.route = route === null ? "unmatched" : route.name;
    if (route === null) return this.refuse(outcomes.noRoute(called.key, method, record.path));
    if (this.crosses(route)) return;
    if (route.priority !== undefined) this.leaving.priority = priorityLevel(route.priority);
    const { shedder } = this.source.parts;
    if (shedder.sheds && !shedder.admits(this.leaving.priority)) return this.shed(called.key);
    const callerMs = callerDeadlineMs(fields);
    const { streamIdleMs } = called.timeouts;
    const timeoutMs = this.setDeadlines(record.startedMs, route.requestTimeoutMs, callerMs, streamIdleMs);
    this.leaving.timeoutMs = timeoutMs;
    if (timeoutMs !== null) {
      this.#attempts.deadlineMs = record.startedMs + timeoutMs;
      this.#attempts.deadlineOfCaller = timeoutMs === callerMs;
    }
    const { parts, who, ofPolicies } = this.source;
    if (ofPolicies || (route.policies.length === 0 && parts.policies.listened !== true))
      return this.#chooseBackend(route);
    const { reach } = this.#state as ProxyState;
    const untilMs = this.#attempts.deadlineMs;
    const services = parts.calls(who.service, record.requestId);
    const body = this.body;
    askPolicies(parts, { exchange, body, record, target, called, route, untilMs, reach, services }, this);
  }

  /** A policy gives it less time than its route and its caller do. */
  #shorten(timeoutMs: number): void {
    const { leaving, called, record } = this;
    if (timeoutMs >= (leaving.timeoutMs ?? Infinity)) return;
    leaving.timeoutMs = this.setDeadlines(record.startedMs, timeoutMs, null, called?.timeouts.streamIdleMs);
    this.#attempts.deadlineMs = record.startedMs + timeoutMs;
    this.#attempts.deadlineOfCaller = false;
  }

  decided(route: LiveRoute, verdict: PolicyVerdict): void {
    if (verdict.do === "error") return this.refuse(verdict.outcome);
    if (verdict.do === "respond") return this.over(this.answer.give(verdict));
    const { reach } = this.#state as ProxyState;
    this.obey(verdict, reach);
    if (verdict.timeoutMs !== undefined) this.#shorten(verdict.timeoutMs);
    if (this.policies?.seesChunks === true) this.watch(this.policies);
    if (this.policies?.seesAnswers === true) this.timeWhole();
    if (this.policies?.reads === true) this.leaving.change(unencoded);
    if (verdict.do === "next") return this.#chooseBackend(route);
    if (this.isAnswered(route)) return;
    // A policy chose the service: the route's own backends do not count.
    const { policy, service, subset } = verdict;
    const target = reach.target(service, subset, route);
    if (target !== null) this.#lead(target);
    else this.refuse(outcomes.badChoice(policy, this.record.service));
  }

  #chooseBackend(route: LiveRoute): void {
    if (this.isAnswered(route)) return;
    const { backends, totalWeight, name, sessions } = route;
    this.noteFallbacks(route);
    if (sessions !== null && this.#keepsSession(sessions, backends)) return;
    const unit = backends.length > 1 ? this.source.parts.random.unit() : 0;
    const backend = chooseBackend(backends, totalWeight, unit);
    const target = backend?.target ?? weightless;
    if (!target.ok) return this.refuse(outcomes.badBackend(name, target.problem));
    if (backend !== null && backend.filters !== null) this.change(backend.filters);
    this.#lead(target.value);
  }

  /** Whether it is of a session whose endpoint is there: then it goes there. */
  #keepsSession(sessions: Sessions, backends: LiveRoute["backends"]): boolean {
    this.#session = sessions.read(this.exchange.request.fields, this.nowS);
    this.#sessions = sessions;
    const found = this.#session === null ? null : endpointIn(backends, this.#session.endpoint);
    if (found === null) return false;
    this.#attempts.pinned = found.endpoint;
    if (found.filters !== null) this.change(found.filters);
    this.#lead(found.target);
    return true;
  }

  #lead(target: Target): void {
    if (this.hasFault) return this.#fail(target);
    const called = this.called as LiveDestination;
    const refusal = refusalOf(target.destination, called, this.exchange, this.leaving);
    const nowMs = this.source.parts.shard.clock.now();
    if (refusal !== null) this.refuse(refusal);
    else if (nowMs >= this.#attempts.deadlineMs) this.ranOut();
    else if (this.policies?.picks === true) this.#askWhere(target, this.policies);
    else this.#first(target, nowMs);
  }

  #first(chosen: Target, nowMs: number): void {
    const target = this.asSaid(chosen);
    if (this.record.inference === null) this.#attempts.first(target, nowMs);
    else this.spends(this.#attempts, target);
  }

  /** Apart from `#lead`, which every request passes, for its closure. */
  #fail(target: Target): void {
    this.makeFault(() => this.#lead(target));
  }

  #askWhere(target: Target, policies: ExchangePolicies): void {
    const { endpoints } = target.balancer;
    const { clock } = this.source.parts.shard;
    if (endpoints.length < 2 || this.#attempts.pinned !== null) return this.#first(target, clock.now());
    policies.pick(endpoints, (preferred) => {
      if (this.finished) return;
      this.#attempts.preferred = preferred;
      this.#first(target, clock.now());
    });
  }

  /** Its time is over, and nothing of it is under way: what nobody waits for is not sent. */
  ranOut(): void {
    this.late("request");
  }

  goesOn(attempts: HttpAttempts): void {
    this.#attempts = attempts;
  }

  began(perTryMs: number, agoMs: number): void {
    this.#perTryMs = perTryMs;
    this.setDeadline("try", perTryMs - agoMs);
  }

  doubts(head: ResponseHead): boolean {
    return this.policies?.sees(head) === true;
  }

  answers(head: ResponseHead, failure: Outcome | null, nowMs: number): void {
    if (this.record.inference !== null) this.followAnswer(head);
    if (this.#sessions !== null && failure === null)
      this.tellSession(this.#sessions, this.#session, this.#attempts.endpoint);
    this.noteKept(head.fields.get(keepField));
    if (failure === null && this.policies !== null && this.doubts(head))
      this.#showPolicies(head, this.policies, nowMs);
    else this.#begin(head, failure, nowMs);
  }

  /** It waits here until policies have seen its head. */
  #showPolicies(came: ResponseHead, policies: ExchangePolicies, nowMs: number): void {
    const held = this.answer.hold(came, this.source.parts.shard.buffered, () =>
      this.#attempts.wantsMore(false),
    );
    policies.answered(held, this.timesOf(this.#attempts.nowMs, nowMs), (verdict) => {
      this.#attempts.settleDoubt(verdict.do === "next" && verdict.failed === true);
      if (this.finished) return;
      if (held.broken !== null) return this.refuse(held.broken);
      if (verdict.do === "next") return this.#pass(held, held.obey(verdict), nowMs);
      held.drop();
      if (!held.over) this.#attempts.cancel("a policy answered in its place");
      if (verdict.do === "respond") this.over(this.answer.give(verdict));
      else this.refuse(verdict.outcome);
    });
  }

  #pass(held: HeldAnswer, edits: FieldEdits, nowMs: number): void {
    const answer = this.answer;
    answer.release();
    answer.edits = mergeEdits(edits, answer.edits);
    this.#begin(held.head, null, nowMs);
    if (this.finished) return;
    let room = true;
    held.replay((bytes, start, end) => (room = answer.pass(bytes, start, end)));
    if (held.over) {
      answer.end(held.trailers);
      if (!answer.pending) this.over(this.record.outcome);
    } else if (room) this.#attempts.wantsMore(true);
  }

  #begin(head: ResponseHead, failure: Outcome | null, nowMs: number): void {
    const unseen = failure === null ? (this.policies?.refusalOf(head) ?? null) : null;
    const refusal = unseen ?? this.answer.refusalOf(head);
    if (refusal !== null) {
      this.#attempts.cancel(refusal.detail);
      return this.refuse(refusal);
    }
    // The timeout of the route was for getting here; what is silent for long is the business of both ends.
    if (head.tunnel) {
      this.clearDeadline("request");
      this.clearDeadline("try");
    }
    if (failure === null && this.policies?.seesEvents(head) === true) this.#filter(this.policies);
    const outcome = failure ?? this.#attempts.spent;
    this.answer.begin(head, outcome, nowMs, this.called?.streams ?? null);
  }

  #filter(policies: ExchangePolicies): void {
    const options = {
      ask: policies.events.bind(policies),
      unread: policies.unread.bind(policies),
      flow: (wanted: boolean) => this.#attempts.wantsMore(wanted),
      failed: (outcome: Outcome) => {
        this.#attempts.cancel(outcome.detail);
        this.exchange.end(null);
        this.over(outcome);
      },
    };
    this.answer.filterBy(options, () => {
      if (this.#allCame) this.over(this.record.outcome);
    });
  }

  answered(outcome: Outcome | null): void {
    this.#allCame = true;
    if (!this.answer.pending) this.over(outcome);
  }

  over(outcome: Outcome | null): void {
    if (this.finished) return;
    this.finished = true;
    const { body } = this.#attempts;
    this.closeDeadlines();
    this.#forget?.();
    this.leave();
    this.answer.close();
    this.closeFilters();
    this.record.outcome = outcome;
    this.record.bytesIn = body.bytes;
    this.source.parts.recorder.finish(this.record, this.source.parts.shard.clock.now());
    this.policies?.ended();
  }

  // ------------------------------------------------------------------------------------ what ends it before its time

  fallsBackOn(outcome: Outcome): boolean {
    return this.hasFallback(outcome, this.#attempts.repeatable);
  }

  unanswered(outcome: Outcome): void {
    if (!this.fallsBackOn(outcome)) return this.refuse(outcome);
    const { deadlineMs, deadlineOfCaller } = this.#attempts;
    this.#attempts = Object.assign(this.#newAttempts(), { deadlineMs, deadlineOfCaller });
    this.nextFallback(this.#attempts);
  }

  refuse(outcome: Outcome): void {
    this.answer.refuse(outcome);
    this.over(outcome);
  }

  /** The client left. */
  aborted(outcome: Outcome): void {
    if (this.finished) return;
    this.#attempts.cancel(outcome.detail);
    this.over(outcome);
  }

  protected stopAnswer(last: string, outcome: Outcome): void {
    this.#attempts.cancel(outcome.detail);
    this.answer.stop(new TextEncoder().encode(last), outcome);
    this.over(outcome);
  }

  protected breakOff(outcome: Outcome): void {
    this.body.detach();
    this.#endLate(outcome, false);
  }

  protected contentBegan(nowMs: number): void {
    this.#attempts.contentBegan(nowMs);
  }

  protected get passed(): number {
    return this.#attempts.passed;
  }

  protected get maySilent(): boolean {
    return this.#attempts.maySilent;
  }

  protected late(kind: DeadlineKind): void {
    const outcome = this.#tooLate(kind, this.answer.begun);
    if (kind === "request") this.endFallbacks();
    if (kind !== "try" || !this.#attempts.late(outcome)) this.#endLate(outcome, kind === "idle");
  }

  protected gaveUpOn(outcome: Outcome): boolean {
    if (!this.answer.begun && this.#attempts.late(outcome)) return true;
    this.#endLate(outcome, true);
    return !this.finished;
  }

  /** Silence is the fault of the endpoint; that an answer is not over in time may be its length. */
  #endLate(outcome: Outcome, silent: boolean): void {
    const { begun, waits } = this.answer;
    if (waits) {
      this.#attempts.cancel(outcome.detail);
      return this.refuse(outcome);
    }
    if (!begun) return this.unanswered(this.#attempts.abandon(outcome));
    if (silent) this.#attempts.interrupt(outcome);
    else this.#attempts.cancel(outcome.detail);
    this.answer.abort(outcome);
    this.over(outcome);
  }

  #tooLate(kind: DeadlineKind, begun: boolean): Outcome {
    const { service } = this.record;
    if (kind === "try") return outcomes.tryTimeout(service, this.#perTryMs);
    if (kind === "idle") return outcomes.silent(service, this.called?.timeouts.streamIdleMs ?? 0, begun);
    const timeoutMs = this.leaving.timeoutMs ?? 0;
    return this.#attempts.deadlineOfCaller
      ? outcomes.deadlinePassed(service, timeoutMs)
      : outcomes.timeout(service, timeoutMs);
  }
}
