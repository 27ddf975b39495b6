/**
 * The attempts of one call, whatever it speaks: which endpoint is next, whether there is another one and when, and what the record,
 * the metrics and the load of the endpoint hear of each. How one is made is the business of whoever extends it.
 */
import type { Timer } from "../../../runtime/contract.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { Choice } from "../balance/endpoint_strategy.ts";
import type { EndpointFailure } from "../breaker/breaker.ts";
import type { Judgement } from "../breaker/judge.ts";
import { outcomes } from "../failure/outcomes.ts";
import type { CallRecord } from "../record/call_record.ts";
import type { LiveEndpoint, Target } from "../state/live_service.ts";
import type { OutboundSource } from "../state/outbound_source.ts";

const nothingTried: readonly LiveEndpoint[] = [];

export abstract class Attempts implements Choice<LiveEndpoint> {
  /** Where they go, once that is known. */
  target: Target | null = null;
  /** Of the attempt under way; null between attempts. */
  endpoint: LiveEndpoint | null = null;
  /** Another one would have been made, but for the budget. */
  budgetSpent = false;
  /** Those where an attempt failed. */
  tried: readonly LiveEndpoint[] = nothingTried;
  #cause: "first" | "connect" | "reset" = "first";
  /** When the attempt under way began. */
  nowMs = 0;
  #backoff: Timer | null = null;
  /** Of the endpoint's breaker, when the attempt under way began. */
  #epoch = 0;
  /** It is known of the attempt under way whether its endpoint works. */
  protected judged = true;

  constructor(
    readonly source: OutboundSource,
    readonly record: CallRecord,
  ) {}

  abstract get key(): number | null;

  /** The call may be made twice, as far as anyone can tell before it was. */
  abstract get repeatable(): boolean;

  /** Attempts before the one under way. */
  get made(): number {
    return this.tried.length;
  }

  /** Makes the first one. Retries are granted by the service that `target` leads to, and its requests earn them. */
  first(target: Target, nowMs: number): void {
    this.target = target;
    target.destination.budget.request(nowMs);
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
   * service says of its endpoint; null: that is not known yet, and `works` or `broke` follows.
   */
  protected succeeded(failure: Outcome | null, says: Judgement | null, nowMs: number): void {
    this.#note(failure === null ? "ok" : failure.flag, nowMs);
    if (failure !== null && failure.side === "upstream") return this.#blame(failureOf(failure), nowMs);
    const { load } = this.endpoint as LiveEndpoint;
    if (says === "hard" || says === "busy") return this.#blame(says, nowMs);
    load.answered(nowMs - this.nowMs, nowMs);
    if (says !== null) this.works(nowMs);
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
   * Whether another attempt is safe, possible and within the budget. Takes from the budget when it is. `idempotent`: the call may
   * happen twice; `whole`: all of it can be sent again.
   */
  protected mayRepeat(outcome: Outcome, idempotent: boolean, whole: boolean): boolean {
    if (outcome.repeat === "no" || this.tried.length + 1 >= limits.attemptsMax) return false;
    if (outcome.repeat === "idempotent" && !idempotent) return false;
    if (!whole) return false;
    const { budget } = (this.target as Target).destination;
    if (budget.take(this.source.parts.shard.clock.now())) return true;
    this.budgetSpent = true;
    return false;
  }

  /** The attempt failed, and another one was granted: at another endpoint at once, after a moment when there is none. */
  protected repeat(outcome: Outcome): void {
    const endpoint = this.endpoint as LiveEndpoint;
    this.#noteFailure(outcome);
    this.endAttempt();
    this.#cause = outcome.flag === "UF" ? "connect" : "reset";
    this.tried = [...this.tried, endpoint];
    const { shard, random } = this.source.parts;
    if ((this.target as Target).balancer.hasFree(this.tried)) return this.#begin(shard.clock.now());
    this.#backoff = shard.clock.after(limits.retryBackoffMs * random.unit(), () => this.#beginLater());
  }

  /** The attempt failed, if one was under way, and it was the last. Returns what is told of it. */
  protected fail(outcome: Outcome): Outcome {
    if (this.endpoint !== null) this.#noteFailure(outcome);
    this.endAttempt();
    return this.budgetSpent ? outcomes.noBudget(outcome, this.record.service) : outcome;
  }

  /** The attempt is over, and there is no further one. */
  protected endAttempt(): void {
    const { endpoint } = this;
    if (endpoint !== null) {
      endpoint.load.ended();
      if (!this.judged) endpoint.health.abandoned(this.#epoch, this.source.parts.shard.clock.now());
    }
    this.endpoint = null;
    this.#backoff?.cancel();
    this.letGo();
  }

  #begin(nowMs: number): void {
    const { destination, balancer } = this.target as Target;
    this.nowMs = nowMs;
    const endpoint = balancer.pick(this);
    if (endpoint === null) return this.noEndpoint(outcomes.noEndpoint(destination));
    const { record } = this;
    const isHere = endpoint.here !== null;
    this.endpoint = endpoint;
    this.#epoch = endpoint.health.epoch;
    this.judged = false;
    endpoint.load.started();
    record.endpoint = endpoint.endpoint.id;
    if (endpoint.zone !== "") this.source.parts.recorder.wentTo(record.service, endpoint.zone);
    record.tls = !isHere;
    // What is here is this very machine's; whom a connection reaches is known once it stands.
    record.destinationId = isHere ? destination.declared.spiffeId : "";
    this.make(endpoint, nowMs);
  }

  #beginLater(): void {
    const { shard } = this.source.parts;
    this.#backoff = null;
    shard.enter();
    this.#begin(shard.clock.now());
    shard.leave();
  }

  #noteFailure(outcome: Outcome): void {
    const nowMs = this.source.parts.shard.clock.now();
    this.#note(outcome.flag, nowMs);
    if (outcome.side === "upstream") this.#blame(failureOf(outcome), nowMs);
  }

  #blame(says: EndpointFailure, nowMs: number): void {
    const { load, health } = this.endpoint as LiveEndpoint;
    this.judged = true;
    if (says === "busy") load.busy(nowMs);
    else load.failed(nowMs);
    const wasEjected = health.ejected;
    health.failed(this.#epoch, says, nowMs);
    if (!wasEjected && health.ejected) this.record.ejected = health.reason as string;
  }

  /** `result`: `ok`, or the flag of what failed. The one that is first and good needs no words in the record. */
  #note(result: string, nowMs: number): void {
    const { record } = this;
    this.source.parts.recorder.attempt(record.service, this.#cause, result);
    if (result === "ok" && this.tried.length === 0) return;
    const attempt = { endpoint: record.endpoint, ms: nowMs - this.nowMs, result };
    record.attempts = [...record.attempts, attempt];
  }
}

/** What it says of an endpoint that an attempt there ended so. */
export function failureOf({ flag, status }: Outcome): EndpointFailure {
  if (flag === "UF" || flag === "ID") return "connect";
  return flag === "UO" || status === 429 ? "busy" : "hard";
}
