/** One request and its place among those that a service serves at a time (`concurrency.ts`). */
import type { Outcome } from "../../model/outcome.ts";
import type { PriorityLevel } from "../../model/priority.ts";
import type { Applicant, Concurrency } from "./concurrency.ts";

export interface TurnOwner {
  /** Its turn came, at once or later. */
  proceed(): void;
  /** It will not come. */
  failed(outcome: Outcome): void;
}

type Stage = "waits" | "in" | "over";

export class Turn implements Applicant {
  #stage: Stage = "waits";
  #sinceMs = 0;
  /** Under way when it began, itself included. */
  #underWay = 0;
  #answered = false;

  constructor(
    readonly gate: Concurrency,
    /** Key of the service. */
    readonly service: string,
    readonly owner: TurnOwner,
    readonly tripped: (limit: string, listener: string) => void,
  ) {}

  /** Leads to one of the two of its owner, maybe from inside; to none once it has ended. */
  begin(level: PriorityLevel, nowMs: number): void {
    const answer = this.gate.ask(this, level, nowMs);
    if (answer === "enters") this.#enter();
    else if (answer === "full") this.turnedAway();
  }

  letIn(): boolean {
    if (this.#stage === "over") return false;
    this.#enter();
    return true;
  }

  turnedAway(): void {
    if (this.#stage === "over") return;
    this.#stage = "over";
    this.tripped("concurrency", `inbound ${this.service}`);
    this.owner.failed(overConcurrency(this.service, this.gate));
  }

  #enter(): void {
    this.#stage = "in";
    this.#sinceMs = this.gate.shard.clock.now();
    this.#underWay = this.gate.underWay;
    this.owner.proceed();
  }

  /** The head of its answer came. A failure says nothing of how long requests take; a stream is counted no longer. */
  answered(status: number, stream: boolean): void {
    if (this.#stage !== "in" || this.#answered) return;
    this.#answered = true;
    if (status < 500) this.gate.sample(this.gate.shard.clock.now() - this.#sinceMs, this.#underWay);
    if (stream) this.end();
  }

  /** Its caller waits no longer. That it took at least so long counts, where it was not answered. */
  givenUp(): void {
    if (this.#stage === "in" && !this.#answered)
      this.gate.sample(this.gate.shard.clock.now() - this.#sinceMs, this.#underWay);
    this.end();
  }

  end(): void {
    const held = this.#stage === "in";
    this.#stage = "over";
    if (held) this.gate.leave();
  }
}

function overConcurrency(service: string, { limit, settings }: Concurrency): Outcome {
  const { adaptive, min, max, pending, pendingWaitMs } = settings;
  const how = adaptive
    ? `as concurrency.adaptive found, between min ${min} and max ${max}`
    : "concurrency.max";
  const line = `up to ${pending} wait (concurrency.pending), each ${pendingWaitMs} ms (concurrency.pendingWait)`;
  const detail = `${service} serves ${limit} requests at a time here (${how}), and ${line}; its Traffic document sets them`;
  return { flag: "UO", side: "mesh", repeat: "yes", status: 503, detail };
}
