/**
 * The attempts of one call, whatever it speaks: which endpoint is next, whether there is another one and when, and what the record,
 * the metrics and the load of the endpoint hear of each. How one is made is the business of whoever extends it.
 */
import type { Timer } from "../../../runtime/contract.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import { isFree } from "../balance/candidates.ts";
import type { Choice } from "../balance/endpoint_strategy.ts";
import type { Prompt, WaitingPrompt } from "../balance/engine_load.ts";
import type { EndpointFailure } from "../breaker/breaker.ts";
import { judgeGrpc, judgeStatus, type Judgement } from "../breaker/judge.ts";
import { outcomes } from "../failure/outcomes.ts";
import type { Pushback } from "../retry/backoff.ts";
import { causeOf, decideRetry, type FailedAttempt } from "../retry/retry_decision.ts";
import type { RetryCause } from "../retry/retry_rules.ts";
import type { CallRecord } from "../record/call_record.ts";
import type { LiveEndpoint, Target } from "../state/live_service.ts";
import type { OutboundSource } from "../state/outbound_source.ts";

const nothingTried: readonly LiveEndpoint[] = [];

/** What an answer says that is a reason to try again. */
export interface FailedAnswer {
  readonly status: number;
  /** Status of gRPC, of an answer that is nothing else; -1 for none. */
  readonly grpc: number;
  /** It asks not to be tried again. */
  readonly forbidden: boolean;
  readonly pushback: Pushback | null;
}

export abstract class Attempts implements Choice<LiveEndpoint> {
  /** Where they go, once that is known. */
  target: Target | null = null;
  /** Of the attempt under way; null between attempts. */
  endpoint: LiveEndpoint | null = null;
  /** Another one would have been made, but for the budget. */
  budgetSpent = false;
  /** What is told of the app's own answer that is passed on for that; null: nothing. */
  spent: Outcome | null = null;
  /** Where its session is; null: anywhere. */
  pinned: LiveEndpoint | null = null;
  /** Where its policies would have it go, the dearest first; null: anywhere. */
  preferred: readonly LiveEndpoint[] | null = null;
  /** What it asks a language model; null: nothing that is known. */
  prompt: Prompt | null = null;
  /** It, where the attempt under way took it. */
  #waiting: WaitingPrompt | null = null;
  /** Those where an attempt failed. */
  tried: readonly LiveEndpoint[] = nothingTried;
  #cause: "first" | "hedge" | RetryCause = "first";
  /** When its caller waits no longer, milliseconds of the shard's clock. */
  deadlineMs = Infinity;
  /** It was the caller that said so. */
  deadlineOfCaller = false;
  /** When the attempt under way began. */
  nowMs = 0;
  /** When the first one began. */
  protected sinceMs = 0;
  #backoff: Timer | null = null;
  /** Attempts that the server did not begin. */
  #refused = 0;
  /** Of the endpoint's breaker, when the attempt under way began. */
  #epoch = 0;
  /** It is known of the attempt under way whether its endpoint works. */
  protected judged = true;
  /** Of the attempt whose answer policies look at before anything is made of it. */
  #doubt: { readonly endpoint: LiveEndpoint; readonly epoch: number; readonly works: boolean } | null = null;

  constructor(
    readonly source: OutboundSource,
    readonly record: CallRecord,
  ) {}

  abstract get key(): number | null;

  /** The call may be made twice, as far as anyone can tell before it was. */
  abstract get repeatable(): boolean;
  /** It came as a retry of another layer, which makes the next one. */
  protected abstract get repeated(): boolean;

  /** Attempts before the one under way. */
  get made(): number {
    return this.tried.length;
  }

  /** Makes the first one. Retries are granted by the service that `target` leads to, and its requests earn them. */
  first(target: Target, nowMs: number): void {
    this.target = target;
    this.sinceMs = nowMs;
    target.destination.budget.request(nowMs);
    this.#begin(nowMs);
  }

  /** Makes one while `first` is under way still. */
  protected beside(first: Attempts, nowMs: number): void {
    this.target = first.target;
    this.sinceMs = first.sinceMs;
    this.deadlineMs = first.deadlineMs;
    this.deadlineOfCaller = first.deadlineOfCaller;
    this.preferred = first.preferred;
    this.prompt = first.prompt;
    this.tried = [...first.tried, first.endpoint as LiveEndpoint];
    this.#cause = "hedge";
    this.#begin(nowMs);
  }

  /** Makes one. It ends in `succeeded` and later `endAttempt`, or in `repeat` or `fail`. */
  protected abstract make(endpoint: LiveEndpoint, nowMs: number): void;
  /** There is no endpoint to try. */
  protected abstract noEndpoint(outcome: Outcome): void;
  /** Gives back what the attempt under way holds. */
  protected abstract letGo(): void;

  /** A connection stands whose certificate said whom it leads to. */
  protected reached(): void {
    this.record.destinationId = (this.target as Target).destination.declared.spiffeId;
  }

  /**
   * It was answered: there is no further attempt. `failure`: what the answer itself says has failed. `says`: what an answer of the
   * service says of its endpoint; null: that is not known yet, and `works` or `broke` follows. `doubted`: policies may say that the endpoint
   * failed all the same, and `settleDoubt` follows.
   */
  protected succeeded(failure: Outcome | null, says: Judgement | null, nowMs: number, doubted = false): void {
    this.#note(failure === null ? "ok" : failure.flag, nowMs);
    if (failure !== null && failure.side === "upstream") return this.#blame(failureOf(failure), nowMs);
    const { load } = this.endpoint as LiveEndpoint;
    if (says === "hard" || says === "busy") return this.#blame(says, nowMs);
    load.answered(nowMs - this.nowMs, nowMs);
    if (doubted)
      this.#doubt = { endpoint: this.endpoint as LiveEndpoint, epoch: this.#epoch, works: says !== null };
    if (says === null) return;
    if (doubted) this.judged = true;
    else this.works(nowMs);
  }

  /** Policies have looked at its answer; `failed`: one of them said that the endpoint did, whatever the answer says. */
  settleDoubt(failed: boolean): void {
    const doubt = this.#doubt;
    this.#doubt = null;
    if (doubt === null) return;
    const { endpoint, epoch, works } = doubt;
    const nowMs = this.source.parts.shard.clock.now();
    if (failed) this.#blameAt(endpoint, epoch, "hard", nowMs);
    else if (works) endpoint.health.succeeded(epoch, nowMs);
  }

  /** The answer of a language model began to have content. */
  contentBegan(nowMs: number): void {
    if (this.#waiting !== null) this.endpoint?.load.engine.began(this.#waiting, nowMs);
  }

  /** What came of the answer so far shows an endpoint that works. */
  protected works(nowMs: number): void {
    this.judged = true;
    (this.endpoint as LiveEndpoint).health.succeeded(this.#epoch, nowMs);
  }

  /** The answer began well, and then was none. */
  protected broke(says: EndpointFailure): void {
    if (this.endpoint !== null) this.#blame(says, this.source.parts.shard.clock.now());
  }

  /**
   * How long until another attempt, in milliseconds: it is safe, possible and paid for; null: there is none. `whole`: all of the call
   * can be sent again. `answer`: it failed by its answer, which says so.
   */
  protected granted(outcome: Outcome, whole: boolean, answer: FailedAnswer | null = null): number | null {
    const { destination, balancer, rules } = this.target as Target;
    const { shard, random } = this.source.parts;
    const nowMs = shard.clock.now();
    const failed: FailedAttempt = {
      cause: answer === null ? causeOf(outcome) : "status",
      status: answer?.status ?? 0,
      grpc: answer?.grpc ?? -1,
      repeat: outcome.repeat,
      idempotent: this.repeatable,
      replayable: whole,
      answered: false,
      attempts: this.made + 1,
      refusedBefore: this.#refused,
      repeated: this.repeated,
      forbidden: answer?.forbidden ?? false,
      pushback: answer?.pushback ?? null,
      leftMs: this.deadlineMs - nowMs,
      usualMs: this.deadlineMs === Infinity ? null : destination.latencies.p50,
      elsewhere: balancer.hasFree([...this.tried, this.endpoint as LiveEndpoint]),
    };
    const decision = decideRetry(failed, rules.retry, {
      unit: () => random.unit(),
      takeBudget: () => destination.budget.take(nowMs),
    });
    if (failed.cause === "refused") this.#refused++;
    this.budgetSpent ||= decision === "budget";
    this.record.noRetry = typeof decision === "number" ? "" : decision;
    return typeof decision === "number" ? decision : null;
  }

  /** The attempt failed, and another one was granted: it begins after so long. */
  protected repeat(
    outcome: Outcome,
    cause: RetryCause,
    delayMs: number,
    answer: FailedAnswer | null = null,
  ): void {
    const endpoint = this.endpoint as LiveEndpoint;
    if (answer === null) this.noteFailure(outcome);
    else this.noteAnswer(answer);
    this.endAttempt();
    this.#cause = cause;
    this.tried = [...this.tried, endpoint];
    const { clock } = this.source.parts.shard;
    if (delayMs === 0) this.#begin(clock.now());
    else this.#backoff = clock.after(delayMs, () => this.#beginLater());
  }

  /** The attempt failed, if one was under way, and it was the last. Returns what is told of it. */
  protected fail(outcome: Outcome): Outcome {
    if (this.endpoint !== null) this.noteFailure(outcome);
    this.endAttempt();
    return this.told(outcome);
  }

  /** A failure as it is told: with the retries that it would have had, had there been any. */
  protected told(outcome: Outcome): Outcome {
    if (!this.budgetSpent) return outcome;
    const { key, budget } = (this.target as Target).destination;
    return outcomes.noBudget(outcome, key, budget.settings);
  }

  /** The attempt is over, and there is no further one. */
  protected endAttempt(): void {
    const { endpoint } = this;
    if (endpoint !== null) {
      endpoint.load.ended();
      if (this.#waiting !== null) endpoint.load.engine.ended(this.#waiting);
      if (!this.judged) endpoint.health.abandoned(this.#epoch, this.source.parts.shard.clock.now());
    }
    this.endpoint = this.#waiting = null;
    this.#backoff?.cancel();
    this.letGo();
  }

  /** The record is about the one under way, whatever was begun beside it. */
  protected tell(reached: boolean): void {
    const { record } = this;
    const { id, zone, here } = this.endpoint as LiveEndpoint;
    record.endpoint = id;
    record.zone = zone;
    record.tls = here === null;
    const known = reached || here !== null;
    record.destinationId = known ? (this.target as Target).destination.declared.spiffeId : "";
  }

  #begin(nowMs: number): void {
    const { destination, balancer } = this.target as Target;
    this.nowMs = nowMs;
    const { pinned } = this;
    const wanted = pinned !== null && isFree(pinned, this.tried) ? pinned : this.#preferredNow();
    const endpoint = wanted ?? balancer.pick(this);
    if (endpoint === null) return this.noEndpoint(outcomes.noEndpoint(destination));
    const { record } = this;
    this.endpoint = endpoint;
    this.#epoch = endpoint.health.epoch;
    this.judged = false;
    endpoint.load.started();
    if (this.prompt !== null) this.#waiting = endpoint.load.engine.sent(this.prompt, nowMs);
    if (endpoint.zone !== "") this.source.parts.recorder.wentTo(record.service, endpoint.zone);
    // What is here is this very machine's; whom a connection reaches is known once it stands.
    this.tell(false);
    this.make(endpoint, nowMs);
  }

  #preferredNow(): LiveEndpoint | null {
    return this.preferred?.find((each) => isFree(each, this.tried)) ?? null;
  }

  #beginLater(): void {
    const { shard } = this.source.parts;
    this.#backoff = null;
    shard.enter();
    this.#begin(shard.clock.now());
    shard.leave();
  }

  protected noteFailure(outcome: Outcome): void {
    const nowMs = this.source.parts.shard.clock.now();
    this.#note(outcome.flag, nowMs);
    if (outcome.side === "upstream") this.#blame(failureOf(outcome), nowMs);
    else if (outcome.flag === "DP") this.#ranOut(nowMs);
  }

  /** The caller waits no longer. That says something of the endpoint only when it had time; that it is slower than it seemed, always. */
  #ranOut(nowMs: number): void {
    if (nowMs - this.nowMs >= limits.breakerDeadlineMs) return this.#blame("hard", nowMs);
    this.#waited(nowMs);
  }

  /** It was slower than another one: all that says is that the endpoint is not as quick as it seemed. */
  protected noteLost(): void {
    const nowMs = this.source.parts.shard.clock.now();
    this.#note("lost", nowMs);
    this.#waited(nowMs);
  }

  #waited(nowMs: number): void {
    const tookMs = nowMs - this.nowMs;
    const { load } = this.endpoint as LiveEndpoint;
    const usualMs = load.at(nowMs) / (load.pending + 1);
    if (tookMs > usualMs) load.answered(tookMs, nowMs);
  }

  /** What it says of the endpoint is as if it had been passed on. */
  protected noteAnswer({ status, grpc }: FailedAnswer): void {
    const nowMs = this.source.parts.shard.clock.now();
    this.#note(grpc < 0 ? String(status) : `grpc ${grpc}`, nowMs);
    const says = grpc < 0 ? judgeStatus(status) : judgeGrpc(grpc);
    if (says !== "success") return this.#blame(says, nowMs);
    (this.endpoint as LiveEndpoint).load.answered(nowMs - this.nowMs, nowMs);
    this.works(nowMs);
  }

  #blame(says: EndpointFailure, nowMs: number): void {
    this.#doubt = null;
    this.#blameAt(this.endpoint as LiveEndpoint, this.#epoch, says, nowMs);
  }

  #blameAt({ load, health }: LiveEndpoint, epoch: number, says: EndpointFailure, nowMs: number): void {
    this.judged = true;
    if (says === "busy") load.busy(nowMs);
    else load.failed(nowMs);
    const wasEjected = health.ejected;
    health.failed(epoch, says, nowMs);
    if (!wasEjected && health.ejected) this.record.ejected = health.reason as string;
  }

  /** `result`: `ok`, or the flag of what failed. The one that is first and good needs no words in the record. */
  #note(result: string, nowMs: number): void {
    const { record } = this;
    this.source.parts.recorder.attempt(record.service, this.#cause, result);
    if (result === "ok" && this.tried.length === 0) return;
    const attempt = { endpoint: (this.endpoint as LiveEndpoint).id, ms: nowMs - this.nowMs, result };
    record.attempts = [...record.attempts, attempt];
  }
}

/** What it says of an endpoint that an attempt there ended so. */
export function failureOf({ flag, status }: Outcome): EndpointFailure {
  if (flag === "UF" || flag === "ID") return "connect";
  return flag === "UO" || status === 429 ? "busy" : "hard";
}
