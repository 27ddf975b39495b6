/**
 * The attempts of an HTTP exchange: each takes a connection to its endpoint, or enters the inbound pipeline where the endpoint is on
 * this machine; sends the request from its beginning, and hands the answer on once it is the one that counts.
 */
import type { Timer } from "../../../runtime/contract.ts";
import type { ClientConnection, ClientStream, ResponseHead } from "../../http/exchange.ts";
import { fitsStream } from "../../http/upgrade.ts";
import { grpcCode } from "../../model/grpc_code.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { FieldEdits, Fields } from "../../wire/fields.ts";
import { requestKey } from "../balance/request_key.ts";
import { outcomes } from "../failure/outcomes.ts";
import { proxyFailure } from "../failure/proxy_failure.ts";
import { passesInterim } from "../fields/hops.ts";
import { causeOf } from "../retry/retry_decision.ts";
import type { RetryCause } from "../retry/retry_rules.ts";
import type { CallRecord } from "../record/call_record.ts";
import { attemptFields, notTold, type Leaving } from "../rewrite/leaving.ts";
import type { Claim } from "../share/claim.ts";
import type { Flow } from "../share/flow.ts";
import type { LiveDestination, LiveEndpoint, Target } from "../state/live_service.ts";
import type { OutboundSource, PoolKind } from "../state/outbound_source.ts";
import type { Pool } from "../upstream/pool.ts";
import type { Taker } from "../upstream/pool_terms.ts";
import { Attempts, failureOf, type FailedAnswer } from "./attempts.ts";
import type { AttemptAnswer, CallHere, CallSink, PassingBy } from "./call_sink.ts";
import type { HttpAttemptsOwner } from "./attempts_owner.ts";
import { failedAnswer, isToldAnew, judgeCode, judgeHead, poorAnswer } from "./judge_answer.ts";
import { mayRace, Race, type Racer } from "./race.ts";
import { idempotentMethods, isRetry } from "./repeats.ts";
import type { RequestBody } from "./request_body.ts";

export class HttpAttempts extends Attempts implements CallSink, Taker, Racer {
  place: Claim<Taker> | null = null;
  #call: CallHere | null = null;
  #pool: Pool | null = null;
  #stream: ClientStream | null = null;
  /** Another attempt was granted upon the answer that came: the rest of it passes by unseen. */
  #passingBy: PassingBy | null = null;
  /** Another one is under way beside this one. */
  race: Race | null = null;
  /** Until another one is begun beside it. */
  #hedge: Timer | null = null;
  /** The end of its answer says whether the endpoint works: its head did not. */
  #judgedByEnd = false;

  constructor(
    source: OutboundSource,
    record: CallRecord,
    readonly owner: HttpAttemptsOwner<HttpAttempts>,
    readonly flow: Flow,
    readonly leaving: Leaving,
    readonly body: RequestBody,
    readonly answer: AttemptAnswer,
  ) {
    super(source, record);
  }

  override get key(): number | null {
    const key = this.target?.destination.balanceKey ?? null;
    return key === null ? null : requestKey(key, this.leaving.came, this.source.key);
  }

  override get repeatable(): boolean {
    if (this.target?.rules.idempotent === true || this.prompt?.repeatable === true) return true;
    return idempotentMethods.has(this.body.exchange.request.method);
  }

  protected override get repeated(): boolean {
    return isRetry(this.body.exchange.request.fields);
  }

  get bytesSent(): number {
    return this.body.bytes;
  }

  /** Body bytes, both ways. */
  get passed(): number {
    return this.body.bytes + this.record.bytesOut;
  }

  /** Its service declares streams, or its answer is one. */
  get maySilent(): boolean {
    const destination = this.target?.destination;
    if (destination === undefined) return this.answer.maySilent;
    return destination.declared.stream || (this.answer.maySilent && destination.timeouts.streamsMaySilent);
  }

  /** Stops the one under way: its caller left, or its answer takes too long. */
  cancel(detail: string): void {
    this.race?.dropOther(this);
    this.#stop(detail);
    this.endAttempt();
  }

  /** Stops the one under way, whose answer began and goes on no more. */
  interrupt(outcome: Outcome): void {
    this.broke(failureOf(outcome));
    this.cancel(outcome.detail);
  }

  /** The one under way took too long. False: no other one follows it. */
  late(outcome: Outcome): boolean {
    if (this.endpoint === null || this.#passingBy !== null) return true;
    if (this.race !== null) {
      this.race.failed(this, outcome);
      return true;
    }
    const delayMs = this.answer.begun ? null : this.granted(outcome, this.#isWhole);
    if (delayMs === null) return false;
    this.#stop(outcome.detail);
    this.#again(outcome, "timeout", delayMs);
    return true;
  }

  /** Stops the one under way, which counts as failed. Returns what is told of it. */
  abandon(outcome: Outcome): Outcome {
    this.race?.dropOther(this);
    this.#stop(outcome.detail);
    this.body.detach();
    return this.fail(outcome);
  }

  // ------------------------------------------------------------------------------------------ how one is made

  protected make(endpoint: LiveEndpoint, nowMs: number): void {
    const { destination, rules } = this.target as Target;
    const { exchange } = this.body;
    if (destination.declared.stream) exchange.liftTimeouts();
    if (rules.perTryMs !== Infinity && this.race === null) this.owner.began(rules.perTryMs, 0);
    if (rules.hedge !== null && this.made === 0)
      this.#hedgeAfter(rules.hedge.delayMs ?? destination.latencies.p95);
    if (endpoint.here !== null) {
      this.#call = this.owner.callHere(endpoint.here, this.#fields(true), this);
      return this.#call.begin();
    }
    this.#pool = this.source.poolOf(destination, endpoint, this.#transport(destination));
    this.#pool.acquire(this, nowMs);
  }

  #transport({ declared }: LiveDestination): PoolKind {
    if (declared.transport === "http/1.1") return "http/1.1";
    const { upgrade, contentLength, method } = this.body.exchange.request;
    return upgrade === null || fitsStream(upgrade, method, contentLength) ? "shared" : "http/1.1";
  }

  connected(connection: ClientConnection): void {
    if (this.deadlineMs !== Infinity && this.source.parts.shard.clock.now() >= this.deadlineMs) {
      (this.#pool as Pool).unused(connection);
      return this.owner.ranOut();
    }
    this.reached();
    this.started(connection.start(this.leaving.head(), this.#fields(false), this));
  }

  /** `here`: to an endpoint of this machine, which sees for itself who calls. */
  #fields(here: boolean): FieldEdits {
    const { leaving, answer, record } = this;
    const { timeoutMs } = leaving;
    const elapsedMs = timeoutMs === null ? 0 : this.source.parts.shard.clock.now() - record.startedMs;
    const deadline = timeoutMs === null ? null : leaving.deadline(elapsedMs, answer.grpc);
    const { protocol } = (this.target as Target).destination.declared;
    // For an undeclared service it matters what the client spoke, and the other proxy cannot see that.
    const http2 = !here && protocol === "detect" && leaving.came.version === "HTTP/2";
    const flow = !here && this.owner.tellsFlow ? this.flow.name : null;
    return leaving.fields(attemptFields(this.made, deadline, http2, flow, here ? notTold : leaving));
  }

  started(stream: ClientStream): void {
    this.#stream = stream;
    this.body.attach(stream);
  }

  unreachable(outcome: Outcome): void {
    this.failed(outcome);
  }

  protected noEndpoint(outcome: Outcome): void {
    this.owner.unanswered(outcome);
  }

  protected letGo(): void {
    this.#hedge?.cancel();
    this.#hedge = null;
    this.#passingBy?.timer.cancel();
    this.#passingBy = null;
    this.#call = null;
    this.#pool?.leave(this);
    this.#pool = null;
    this.#stream = null;
  }

  // ----------------------------------------------------------------------------------------- how it is answered

  informational(status: number, fields: Fields): void {
    const { version } = this.body.exchange.request;
    if (passesInterim(status, version, this.target?.destination.declared))
      this.answer.informational(status, fields);
  }

  head(head: ResponseHead): void {
    if (this.race !== null && !this.race.answered(this, head)) return;
    const nowMs = this.source.parts.shard.clock.now();
    const failure = head.status >= 400 ? proxyFailure(head) : null;
    if (failure !== null) {
      const delayMs = this.granted(failure, this.#isWhole);
      if (delayMs !== null) return this.#passBy(failure, null, delayMs);
      if (isToldAnew(failure, this)) return this.owner.unanswered(this.abandon(failure));
    }
    const said = failure === null ? this.#failedAnswer(head) : null;
    const failed = said === null ? null : outcomes.badAnswer(this.record.service, said);
    const delayMs = failed === null ? null : this.granted(failed, this.#isWhole, said);
    if (failed !== null && delayMs !== null) return this.#passBy(failed, said, delayMs);
    if (this.#fallsBack(head.status, failure ?? failed)) return;
    this.body.settle();
    (this.target as Target).destination.latencies.add(nowMs - this.sinceMs);
    // That the caller's time was over says nothing of the endpoint, whoever of both proxies noticed it.
    const innocent = failure?.flag === "DP" || failure?.side === "policy";
    const says = innocent ? "success" : judgeHead(head, this.answer.grpc, this.#isShort);
    this.#judgedByEnd = says === null;
    this.succeeded(failure, says, nowMs, failure === null && this.owner.doubts(head));
    // The app's own answer is what its caller gets, whatever the record says.
    if (failed !== null && this.budgetSpent) this.spent = this.told(failed);
    this.owner.answers(head, failure, nowMs);
  }

  /** The answer of its last attempt is none, and somebody else is asked. */
  #fallsBack(status: number, failure: Outcome | null): boolean {
    if (status !== 429 && status < 500) return false;
    const said = { status, grpc: -1, forbidden: false, pushback: null };
    const outcome = failure ?? outcomes.badAnswer(this.record.service, said);
    if (!this.#isWhole || !this.owner.fallsBackOn(outcome)) return false;
    if (failure === null) this.noteAnswer(said);
    else this.noteFailure(failure);
    this.#leaveRace(outcome.detail);
    this.body.detach();
    this.owner.unanswered(outcome);
    return true;
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#passingBy !== null) return;
    if (!this.judged) this.works(this.source.parts.shard.clock.now());
    if (!this.answer.data(bytes, start, end)) this.#stream?.pause();
  }

  end(trailers: Fields | null): void {
    if (this.#passingBy !== null) return this.#passedBy(false);
    this.answer.end(trailers);
    if (this.#judgedByEnd) this.#judgeEnd();
    this.endAttempt();
    this.owner.answered(this.record.outcome);
  }

  failed(outcome: Outcome): void {
    if (this.#passingBy !== null) return this.#passedBy(false);
    if (this.answer.begun) {
      if (outcome.side === "upstream") this.broke(failureOf(outcome));
      this.endAttempt();
      this.answer.abort(outcome);
      return this.owner.answered(outcome);
    }
    if (this.race !== null) return this.race.failed(this, outcome);
    const delayMs = this.granted(outcome, this.#isWhole);
    if (delayMs !== null) return this.#again(outcome, causeOf(outcome), delayMs);
    this.body.detach();
    this.owner.unanswered(this.fail(outcome));
  }

  writable(): void {
    this.body.resume();
  }

  /** Whether what comes of the answer is wanted now. */
  wantsMore(wanted: boolean): void {
    this.#stream?.[wanted ? "resume" : "pause"]();
  }

  /** The caller gave it so little time that to run out of it says nothing. */
  get #isShort(): boolean {
    return (
      this.deadlineOfCaller && this.source.parts.shard.clock.now() - this.nowMs < limits.breakerDeadlineMs
    );
  }

  #judgeEnd(): void {
    const { grpc } = this.record;
    const says = judgeCode(grpcCode(grpc), this.#isShort);
    if (says !== "success") this.broke(says);
    else if (!this.judged) this.works(this.source.parts.shard.clock.now());
  }

  #failedAnswer(head: ResponseHead): FailedAnswer | null {
    const wallMs = this.source.parts.shard.clock.wallMs();
    return failedAnswer(head, this.answer.grpc, (this.target as Target).rules.retry, wallMs);
  }

  /** All that came of the request can be sent again, and nobody has answered it. */
  get #isWhole(): boolean {
    return this.body.replayable && !this.body.exchange.finished;
  }

  /** The connection is worth a short wait for the rest of an answer. */
  #passBy(outcome: Outcome, answer: FailedAnswer | null, delayMs: number): void {
    const { clock } = this.source.parts.shard;
    const timer = clock.after(Math.max(delayMs, limits.retryPassByMs), () => this.#passedBy(true));
    this.#passingBy = { outcome, answer, delayMs, sinceMs: clock.now(), timer };
  }

  /** `late`: what was left of it has not come. */
  #passedBy(late: boolean): void {
    const { shard } = this.source.parts;
    const { outcome, answer, delayMs, sinceMs } = this.#passingBy as PassingBy;
    if (late) {
      shard.enter();
      this.#stop(outcome.detail);
    }
    const leftMs = Math.max(0, delayMs - (shard.clock.now() - sinceMs));
    this.#again(outcome, answer === null ? causeOf(outcome) : "status", leftMs, answer);
    if (late) shard.leave();
  }

  #again(outcome: Outcome, cause: RetryCause, delayMs: number, answer: FailedAnswer | null = null): void {
    this.body.detach();
    this.repeat(outcome, cause, delayMs, answer);
  }

  // -------------------------------------------------------------------------------- two of them at the same time

  /** Another one is begun beside it unless it is answered by then. null: nobody knows yet when that is. */
  #hedgeAfter(delayMs: number | null): void {
    const { request } = this.body.exchange;
    if (delayMs === null || !this.repeatable || this.pinned !== null || request.upgrade !== null) return;
    const { clock } = this.source.parts.shard;
    this.#hedge = clock.after(Math.max(limits.hedgeDelayMinMs, delayMs), () => this.#beginBeside());
  }

  #beginBeside(): void {
    const { shard } = this.source.parts;
    const nowMs = shard.clock.now();
    const { source, record, owner, flow, leaving, body, answer, endpoint } = this;
    if (endpoint === null || answer.begun || this.#passingBy !== null || this.repeated) return;
    if (!body.isOver || !this.#isWhole || nowMs >= this.deadlineMs) return;
    if (!mayRace(this.target as Target, [...this.tried, endpoint], nowMs)) return;
    const other = new HttpAttempts(source, record, owner, flow, leaving, body, answer);
    this.race = new Race(this, other);
    shard.enter();
    other.beside(this, nowMs);
    shard.leave();
  }

  unusable(head: ResponseHead): (() => void) | null {
    const failure = head.status >= 400 && this.#call === null ? proxyFailure(head) : null;
    if (failure !== null) return failure.side === "downstream" ? null : () => this.gaveUp(failure);
    const poor = this.#failedAnswer(head) ?? poorAnswer(head, this.answer.grpc);
    if (poor === null) return null;
    return () => {
      this.noteAnswer(poor);
      this.#leaveRace(outcomes.badAnswer(this.record.service, poor).detail);
    };
  }

  lost(): void {
    if (this.endpoint !== null) this.noteLost();
    this.#leaveRace("another instance answered first");
  }

  gaveUp(outcome: Outcome): void {
    this.noteFailure(outcome);
    this.#leaveRace(outcome.detail);
  }

  #leaveRace(detail: string): void {
    this.#stop(detail);
    this.endAttempt();
  }

  alone(beside: LiveEndpoint | null): void {
    const { rules } = this.target as Target;
    if (beside !== null && !this.tried.includes(beside)) this.tried = [...this.tried, beside];
    this.owner.goesOn(this);
    this.tell(this.#stream !== null);
    if (this.#stream !== null) this.body.adopt(this.#stream);
    const tookMs = this.source.parts.shard.clock.now() - this.nowMs;
    if (rules.perTryMs !== Infinity) this.owner.began(rules.perTryMs, tookMs);
  }

  #stop(detail: string): void {
    if (this.#call !== null) this.#call.cancel(detail);
    else this.#stream?.cancel();
  }
}
