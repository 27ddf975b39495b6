/** One request of a simulation: attempts one after the other, each with a way to the server and back, until somebody gives up. */
import type { Figures } from "./figures.ts";
import type { Policy } from "./policy.ts";
import type { Actor, Schedule } from "./schedule.ts";
import type { Ending, Job } from "./server.ts";

export interface RequestHost {
  readonly schedule: Schedule;
  readonly figures: Figures;
  readonly tryTimeoutMs: number | null;
  wayMs(zone: string, server: number): number;
  deliver(server: number, job: Job): void;
}

/** After so long its client gives up. */
export const patienceMs = 1_000;

export class SimulatedRequest implements Actor {
  readonly startedMs: number;
  tried: number[] = [];
  #attempt: Attempt | null = null;
  #over = false;

  constructor(
    readonly host: RequestHost,
    readonly policy: Policy,
    readonly zone: string,
  ) {
    this.startedMs = host.schedule.nowMs;
  }

  get deadlineMs(): number {
    return this.startedMs + patienceMs;
  }

  start(): void {
    const { schedule, figures } = this.host;
    figures.came(schedule.nowMs);
    this.policy.arrived(schedule.nowMs);
    schedule.at(this.deadlineMs, this, giveUp);
    this.#try();
  }

  happen(what: number): void {
    if (this.#over) return;
    if (what === tryAgain) return this.#try();
    this.#attempt?.end("timeout");
    this.#finish(false);
  }

  /** Its attempt came to an end. */
  ended(attempt: Attempt, ending: Ending): void {
    if (this.#over || attempt !== this.#attempt) return;
    this.#attempt = null;
    if (ending === "ok") return this.#finish(true);
    const nowMs = this.host.schedule.nowMs;
    const { tried } = this;
    const leftMs = this.deadlineMs - nowMs;
    const failed = { ending, attempts: tried.length, tried, leftMs };
    const delayMs = leftMs <= 0 ? null : this.policy.retryAfterMs(failed, nowMs);
    if (delayMs === null) return this.#finish(false);
    if (delayMs <= 0) return this.#try();
    this.host.schedule.after(delayMs, this, tryAgain);
  }

  #try(): void {
    const { schedule, figures } = this.host;
    const server = this.policy.pick(this.tried, schedule.nowMs);
    if (server < 0) return this.#finish(false);
    figures.tried(schedule.nowMs);
    this.#attempt = new Attempt(this, server);
    this.tried = [...this.tried, server];
    this.#attempt.start();
  }

  #finish(good: boolean): void {
    this.#over = true;
    this.host.figures.done(this.startedMs, this.host.schedule.nowMs, good);
  }
}

const giveUp = 0;
const tryAgain = 1;

class Attempt implements Actor, Job {
  readonly deadlineMs: number;
  readonly #startedMs: number;
  readonly #token: number;
  readonly #wayMs: number;
  #ending: Ending | null = null;
  #over = false;

  constructor(
    readonly request: SimulatedRequest,
    readonly server: number,
  ) {
    const { host, policy, tried } = request;
    this.#startedMs = host.schedule.nowMs;
    this.deadlineMs = request.deadlineMs;
    this.#wayMs = host.wayMs(request.zone, server);
    this.#token = policy.began(server, tried.length);
  }

  start(): void {
    const { schedule, tryTimeoutMs } = this.request.host;
    schedule.after(this.#wayMs, this, arrives);
    if (tryTimeoutMs !== null) schedule.after(tryTimeoutMs, this, timesOut);
  }

  happen(what: number): void {
    if (what === timesOut) return this.end("timeout");
    // It was given up on its way: the server gets it all the same.
    if (what === arrives) return this.request.host.deliver(this.server, this);
    this.end(this.#ending as Ending);
  }

  answered(ending: Ending): void {
    this.#ending = ending;
    this.request.host.schedule.after(this.#wayMs, this, returns);
  }

  /** What counts for the proxy; later answers count for nobody. */
  end(ending: Ending): void {
    if (this.#over) return;
    this.#over = true;
    const { policy, host } = this.request;
    const nowMs = host.schedule.nowMs;
    policy.ended(this.server, this.#token, ending, nowMs - this.#startedMs, nowMs);
    this.request.ended(this, ending);
  }
}

const arrives = 0;
const returns = 1;
const timesOut = 2;
