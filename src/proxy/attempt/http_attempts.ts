/**
 * The attempts of an HTTP exchange: each takes a connection to its endpoint, or enters the inbound pipeline where the endpoint is on
 * this machine; sends the request from its beginning, and hands the answer on once it is the one that counts.
 */
import type { ClientConnection, ClientStream, ResponseHead, ResponseSink } from "../../http/exchange.ts";
import { fitsStream } from "../../http/upgrade.ts";
import { grpcCode } from "../../model/grpc_code.ts";
import type { Outcome } from "../../model/outcome.ts";
import { usualLevel } from "../../model/priority.ts";
import type { FieldEdits, Fields } from "../../wire/fields.ts";
import { requestKey } from "../balance/request_key.ts";
import { judgeGrpc, judgeStatus, type Judgement } from "../breaker/judge.ts";
import { proxyFailure } from "../failure/proxy_failure.ts";
import { passesInterim } from "../fields/hops.ts";
import type { CallRecord } from "../record/call_record.ts";
import { attemptFields, type Leaving } from "../rewrite/leaving.ts";
import type { Claim } from "../share/claim.ts";
import type { Flow } from "../share/flow.ts";
import type { LiveDestination, LiveEndpoint, Target } from "../state/live_service.ts";
import type { OutboundSource, PoolKind } from "../state/outbound_source.ts";
import type { Pool, Taker } from "../upstream/pool.ts";
import { Attempts, failureOf } from "./attempts.ts";
import type { RequestBody } from "./request_body.ts";

/** Methods that may happen twice (RFC 9110 section 9.2.2). */
const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** A call inside of this process, as whoever started it sees it. */
export interface CallHere {
  /** Leads to `started` or `failed` of its sink, maybe from inside. */
  begin(): void;
  cancel(detail: string): void;
}

/** Takes the answer; hears first where the body of the request goes. Then either `failed` or the answer ends it. */
export interface CallSink extends ResponseSink {
  started(stream: ClientStream): void;
  /** Body bytes of the request so far. */
  readonly bytesSent: number;
}

/** What of an answer is asked of its object, and where the answer goes. */
export interface AttemptAnswer {
  readonly grpc: boolean;
  readonly begun: boolean;
  readonly maySilent: boolean;
  informational(status: number, fields: Fields): void;
  data(bytes: Uint8Array, start: number, end: number): boolean;
  end(trailers: Fields | null): void;
  abort(outcome: Outcome): void;
}

/** The exchange. Exactly one of `refuse` and `over` is called, at the end. */
export interface HttpAttemptsOwner {
  /** Whether the other proxy has to be told which client this is. */
  readonly tellsFlow: boolean;
  /** A call to an endpoint of this machine, which tells `sink`. */
  callHere(here: NonNullable<LiveEndpoint["here"]>, edits: FieldEdits, sink: CallSink): CallHere;
  /** The answer that counts began. `failure`: it is the other proxy's own, and says what failed. */
  answers(head: ResponseHead, failure: Outcome | null, nowMs: number): void;
  /** No attempt was answered. */
  refuse(outcome: Outcome): void;
  /** The answer that began is over; it broke when there is an outcome. */
  over(outcome: Outcome | null): void;
}

export class HttpAttempts extends Attempts implements CallSink, Taker {
  place: Claim<Taker> | null = null;
  /** Its route says that it may happen twice, whatever its method. */
  idempotentRoute = false;
  #call: CallHere | null = null;
  #pool: Pool | null = null;
  #stream: ClientStream | null = null;
  /** The other proxy asked for another attempt: the rest of its answer passes by unseen. */
  #passingBy: Outcome | null = null;
  /** The end of its answer says whether the endpoint works: its head did not. */
  #judgedByEnd = false;

  constructor(
    source: OutboundSource,
    record: CallRecord,
    readonly owner: HttpAttemptsOwner,
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
    return this.idempotentRoute || idempotentMethods.has(this.body.exchange.request.method);
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
    return this.answer.maySilent || this.target?.destination.declared.stream === true;
  }

  /** Stops the one under way: its caller left, or its answer takes too long. */
  cancel(detail: string): void {
    this.#stop(detail);
    this.endAttempt();
  }

  /** Stops the one under way, whose answer began and goes on no more. */
  interrupt(outcome: Outcome): void {
    this.broke(failureOf(outcome));
    this.cancel(outcome.detail);
  }

  /** Stops the one under way, which counts as failed. Returns what is told of it. */
  abandon(outcome: Outcome): Outcome {
    this.#stop(outcome.detail);
    this.body.detach();
    return this.fail(outcome);
  }

  // ------------------------------------------------------------------------------------------ how one is made

  protected make(endpoint: LiveEndpoint, nowMs: number): void {
    const { destination } = this.target as Target;
    const { exchange } = this.body;
    if (destination.declared.stream) exchange.liftTimeouts();
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
    this.reached();
    this.started(connection.start(this.leaving.head(), this.#fields(false), this));
  }

  /** `here`: to an endpoint of this machine, which sees for itself who calls. */
  #fields(here: boolean): FieldEdits {
    const { leaving, answer, record } = this;
    const elapsedMs = this.source.parts.shard.clock.now() - record.startedMs;
    const timeout = answer.grpc ? leaving.grpcTimeout(elapsedMs) : null;
    const { protocol } = (this.target as Target).destination.declared;
    // For an undeclared service it matters what the client spoke, and the other proxy cannot see that.
    const http2 = !here && protocol === "detect" && leaving.came.version === "HTTP/2";
    const flow = !here && this.owner.tellsFlow ? this.flow.name : null;
    const priority = here ? usualLevel : leaving.priority;
    return leaving.fields(attemptFields(this.made, timeout, http2, flow, priority));
  }

  started(stream: ClientStream): void {
    this.#stream = stream;
    this.body.attach(stream);
  }

  unreachable(outcome: Outcome): void {
    this.failed(outcome);
  }

  protected noEndpoint(outcome: Outcome): void {
    this.owner.refuse(outcome);
  }

  protected letGo(): void {
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
    const nowMs = this.source.parts.shard.clock.now();
    const failure = head.status >= 400 && this.#call === null ? proxyFailure(head) : null;
    if (failure !== null && this.#mayRepeat(failure)) {
      this.#passingBy = failure;
      return;
    }
    // The answer of the other proxy would not say it in the words of gRPC, or not that the retries are used up, nor reset the stream.
    const reset = failure?.reset !== undefined && this.body.exchange.request.version === "HTTP/2";
    if (failure !== null && (this.answer.grpc || this.budgetSpent || reset))
      return this.owner.refuse(this.abandon(failure));
    this.body.settle();
    const says = this.#judge(head);
    this.#judgedByEnd = says === null;
    this.succeeded(failure, says, nowMs);
    this.owner.answers(head, failure, nowMs);
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#passingBy !== null) return;
    if (!this.judged) this.works(this.source.parts.shard.clock.now());
    if (!this.answer.data(bytes, start, end)) this.#stream?.pause();
  }

  end(trailers: Fields | null): void {
    if (this.#passingBy !== null) return this.#again(this.#passingBy);
    this.answer.end(trailers);
    if (this.#judgedByEnd) this.#judgeEnd();
    this.endAttempt();
    this.owner.over(this.record.outcome);
  }

  failed(outcome: Outcome): void {
    if (this.#passingBy !== null) return this.#again(this.#passingBy);
    if (this.answer.begun) {
      if (outcome.side === "upstream") this.broke(failureOf(outcome));
      this.endAttempt();
      this.answer.abort(outcome);
      return this.owner.over(outcome);
    }
    if (this.#mayRepeat(outcome)) return this.#again(outcome);
    this.body.detach();
    this.owner.refuse(this.fail(outcome));
  }

  writable(): void {
    this.body.resume();
  }

  /** One of gRPC shows by its first message or by its end whether it is an answer: null until then. */
  #judge({ status, fields }: ResponseHead): Judgement | null {
    if (!this.answer.grpc || status !== 200) return judgeStatus(status);
    const code = fields.get("grpc-status");
    return code === null ? null : judgeGrpc(grpcCode(code));
  }

  #judgeEnd(): void {
    const { grpc } = this.record;
    const says = judgeGrpc(grpcCode(grpc));
    if (says !== "success") this.broke(says);
    else if (!this.judged) this.works(this.source.parts.shard.clock.now());
  }

  #mayRepeat(outcome: Outcome): boolean {
    const { replayable, exchange } = this.body;
    return this.mayRepeat(outcome, this.repeatable, replayable && !exchange.finished);
  }

  #again(outcome: Outcome): void {
    this.#passingBy = null;
    this.body.detach();
    this.repeat(outcome);
  }

  #stop(detail: string): void {
    if (this.#call !== null) this.#call.cancel(detail);
    else this.#stream?.cancel();
  }
}
