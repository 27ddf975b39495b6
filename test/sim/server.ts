/**
 * A simulated server: so many requests are worked on at a time, others wait in order, and what its callers gave up is worked on
 * all the same, as most servers do. It can be slow, cold, away, at a stand, or answer errors at once.
 */
import type { Random } from "../../runtime/contract.ts";
import { exponential } from "./chance.ts";
import type { Actor, Schedule } from "./schedule.ts";

/** How an attempt ended. `busy`: 429, or a refusal for want of room. `refused`: there is nobody. */
export type Ending = "ok" | "error" | "busy" | "refused" | "reset" | "timeout";

/** What waits at a server for an answer. */
export interface Job {
  readonly deadlineMs: number;
  /** Once. */
  answered(ending: Ending): void;
}

/** `away`: nobody listens. `still`: it accepts and does nothing, and goes on later where it was (SIGSTOP). */
export type ServerMode = "works" | "away" | "still";

export const workers = 4;
export const workMs = 20;
/** What one server does in a second when it is well. */
export const perSecond = (workers * 1_000) / workMs;
const queueMax = 500;
/** What an answer takes that costs no work. */
const atOnceMs = 1;

export class Server implements Actor {
  mode: ServerMode = "works";
  /** Its work takes so many times as long. */
  slowness = 1;
  /** Requests that a cold one has to serve until most of its coldness is gone; null: it is warm. */
  #coldFor: number | null = null;
  /** What it answers at once instead of working. */
  answersAtOnce: "error" | "busy" | null = null;
  /** Attempts that came, and those that were answered well. */
  came = 0;
  #served = 0;
  #busy = 0;
  readonly #queue: Job[] = [];
  #queueFrom = 0;
  readonly #working = new Map<number, Job>();
  #job = 0;
  /** Done while it stood still. */
  #held: number[] = [];

  constructor(
    readonly zone: string,
    readonly schedule: Schedule,
    readonly random: Random,
  ) {}

  take(job: Job): void {
    this.came++;
    if (this.mode === "away") return job.answered("refused");
    if (this.answersAtOnce !== null && this.mode === "works") return this.#start(job, atOnceMs);
    if (this.#busy < workers && this.mode === "works") return this.#work(job);
    if (this.#waiting >= queueMax) return job.answered("busy");
    this.#queue.push(job);
  }

  /** Nobody listens any more; what it had is reset. */
  leave(): void {
    this.mode = "away";
    const lost = [...this.#working.values(), ...this.#queue.slice(this.#queueFrom)];
    this.#working.clear();
    this.#queue.length = this.#queueFrom = this.#busy = 0;
    this.#held = [];
    for (const job of lost) job.answered("reset");
  }

  /** It listens again; with `coldFor`, slowly at first. */
  comeBack(coldFor: number | null = null): void {
    this.mode = "works";
    this.#coldFor = coldFor;
    this.#served = 0;
  }

  stand(): void {
    this.mode = "still";
  }

  goOn(): void {
    this.mode = "works";
    for (const job of this.#held.splice(0)) this.happen(job);
    this.#next();
  }

  /** A job is done. */
  happen(id: number): void {
    if (this.mode === "still") return void this.#held.push(id);
    const job = this.#working.get(id);
    // Of a life before.
    if (job === undefined) return;
    this.#working.delete(id);
    this.#busy--;
    this.#served++;
    const ending = this.answersAtOnce ?? "ok";
    job.answered(ending);
    this.#next();
  }

  get #waiting(): number {
    return this.#queue.length - this.#queueFrom;
  }

  #next(): void {
    while (this.#busy < workers && this.#waiting > 0 && this.mode === "works") {
      const job = this.#queue[this.#queueFrom++] as Job;
      if (this.#queueFrom === this.#queue.length) this.#queue.length = this.#queueFrom = 0;
      this.#work(job);
    }
  }

  #work(job: Job): void {
    const cold = this.#coldFor === null ? 1 : 1 + 9 * Math.exp(-this.#served / this.#coldFor);
    // Half of it is the same for all.
    const wholeMs = workMs / 2 + exponential(this.random, workMs / 2);
    this.#start(job, wholeMs * this.slowness * cold);
  }

  #start(job: Job, takesMs: number): void {
    this.#busy++;
    this.#working.set(++this.#job, job);
    this.schedule.after(takesMs, this, this.#job);
  }
}
