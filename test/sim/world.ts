/** A simulated fleet: servers, the proxies of their callers with one policy each, and requests that come whether served or not. */
import { exponential, streamOf } from "./chance.ts";
import { AdaptiveDoor } from "./door.ts";
import type { Figures } from "./figures.ts";
import type { Policy, PolicyInput } from "./policy.ts";
import { SimulatedRequest, type RequestHost } from "./request.ts";
import { Schedule, type Actor } from "./schedule.ts";
import { perSecond, Server, type Job } from "./server.ts";

export interface Contestant {
  readonly name: string;
  readonly policy: (input: PolicyInput) => Policy;
  /** Servers stand behind an inbound side with adaptive concurrency. */
  readonly adaptive: boolean;
}

export interface WorldPlan {
  readonly seed: number;
  /** Names the streams of chance: the same for every contestant, so that all meet the same requests. */
  readonly name: string;
  /** Of each server. */
  readonly zones: readonly string[];
  /** Of each caller's proxy. */
  readonly callers: readonly string[];
  /** Part of what all servers can do that is asked for. */
  readonly load: number;
  readonly tryTimeoutMs: number | null;
}

/** Milliseconds of a way between two machines. */
const sameZoneMs = 0.25;
const otherZoneMs = 1;

interface Caller {
  readonly zone: string;
  readonly policy: Policy;
}

export class World implements Actor, RequestHost {
  readonly schedule = new Schedule();
  readonly servers: readonly Server[];
  /** Requests come so many times as often as planned. */
  spike = 1;
  readonly tryTimeoutMs: number | null;
  readonly #doors: readonly { take(job: Job): void }[];
  readonly #callers: readonly Caller[];
  readonly #arrivals;
  readonly #everyMs: number;

  constructor(
    plan: WorldPlan,
    contestant: Contestant,
    readonly figures: Figures,
  ) {
    const { seed, name, zones, tryTimeoutMs } = plan;
    this.tryTimeoutMs = tryTimeoutMs;
    this.servers = zones.map(
      (zone, at) => new Server(zone, this.schedule, streamOf(seed, `${name} server ${at}`)),
    );
    this.#doors = this.servers.map((server) =>
      contestant.adaptive ? new AdaptiveDoor(server, this.schedule) : server,
    );
    this.#callers = plan.callers.map((zone, at) => {
      const random = streamOf(seed, `${name} caller ${at}`);
      return { zone, policy: contestant.policy({ zones, zone, random, tryTimeoutMs }) };
    });
    this.#arrivals = streamOf(seed, `${name} arrivals`);
    this.#everyMs = 1_000 / (plan.load * zones.length * perSecond);
    this.#nextArrival();
  }

  /** A request comes, to a proxy that chance chooses. */
  happen(): void {
    this.#nextArrival();
    const caller = this.#callers[Math.floor(this.#arrivals.unit() * this.#callers.length)] as Caller;
    new SimulatedRequest(this, caller.policy, caller.zone).start();
  }

  wayMs(zone: string, server: number): number {
    return this.servers[server]?.zone === zone ? sameZoneMs : otherZoneMs;
  }

  /** An attempt arrives. */
  deliver(server: number, job: Job): void {
    this.#doors[server]?.take(job);
  }

  #nextArrival(): void {
    this.schedule.after(exponential(this.#arrivals, this.#everyMs / this.spike), this);
  }
}
