/**
 * Which zone a request goes to: endpoints stand in levels, the nearest first, and each level takes what it can carry of what
 * the nearer ones leave. A level counts as whole while 1/1.4 of its endpoints are well (Envoy's overprovisioning). It loses
 * its share at once, and has it back only after it has been well for a while: so nothing swings to and fro.
 */
import type { Random } from "../../../runtime/contract.ts";
import { limits } from "../../model/limits.ts";
import type { Candidate, ServiceHealth } from "./candidate.ts";
import { Candidates, type SlowStart } from "./candidates.ts";

export interface ZoneRules {
  readonly zone: string;
  readonly region: string;
  /** Zones in the order in which they stand in for one another, the own one included where it belongs; null: by nearness. */
  readonly order: readonly string[] | null;
}

export interface ZonesOptions<Endpoint extends Candidate> {
  /** Of the endpoints that were there until now; a zone that comes back with new endpoints waits as well. */
  readonly previous?: Zones<Endpoint> | null;
  readonly slowStart?: SlowStart | undefined;
}

export class Zones<Endpoint extends Candidate> {
  /** The nearest first; none is empty, unless there is no endpoint at all. */
  readonly levels: readonly Candidates<Endpoint>[];
  /** How near each level is; a level that has no endpoint is left out. */
  readonly ranks: readonly number[];
  /** What this level and all nearer ones take together, in force and as health alone would have it. */
  readonly #upTo: Float64Array;
  readonly #wanted: Float64Array;
  /** Since when a level could have more than it has; Infinity: it could not. */
  readonly #betterMs: Float64Array;
  #first = true;
  #seen = -1;
  #nextLookMs = -Infinity;

  constructor(
    endpoints: readonly Endpoint[],
    readonly health: ServiceHealth,
    rules: ZoneRules | null,
    readonly random: Random,
    { previous = null, slowStart }: ZonesOptions<Endpoint> = {},
  ) {
    const levels = levelsOf(endpoints, rules);
    this.levels = levels.map(([, level]) => new Candidates(level, health, slowStart));
    this.ranks = levels.map(([rank]) => rank);
    this.#upTo = new Float64Array(levels.length).fill(1);
    this.#wanted = new Float64Array(levels.length);
    this.#betterMs = new Float64Array(levels.length).fill(Infinity);
    if (previous !== null && endpoints.length > 0) this.#goOnFrom(previous);
  }

  /** Index of the level that the next request goes to. */
  choose(nowMs: number): number {
    if (this.levels.length <= 1) return 0;
    if (this.health.changes !== this.#seen || nowMs >= this.#nextLookMs) this.#look(nowMs);
    const unit = this.random.unit();
    let level = 0;
    while (level < this.levels.length - 1 && unit >= (this.#upTo[level] as number)) level++;
    return level;
  }

  /** The part of requests that a level takes. */
  shareOf(level: number): number {
    let nearer = 0;
    for (let at = 0; at < level; at++) nearer = Math.max(nearer, this.#upTo[at] as number);
    return Math.max(0, (this.#upTo[level] as number) - nearer);
  }

  #goOnFrom(previous: Zones<Endpoint>): void {
    this.#first = previous.#first;
    this.ranks.forEach((rank, level) => {
      const known = previous.ranks.findLastIndex((each) => each <= rank);
      this.#upTo[level] = known < 0 ? 0 : (previous.#upTo[known] as number);
      if (previous.ranks[known] === rank) this.#betterMs[level] = previous.#betterMs[known] as number;
    });
    this.#upTo[this.ranks.length - 1] = 1;
  }

  #look(nowMs: number): void {
    const first = this.#first;
    this.#first = false;
    this.#seen = this.health.changes;
    this.#nextLookMs = Infinity;
    this.#weigh(nowMs);
    for (let level = 0; level < this.levels.length; level++) {
      const wanted = this.#wanted[level] as number;
      if (first || wanted <= (this.#upTo[level] as number)) this.#take(level);
      else this.#returnLater(level, nowMs);
    }
  }

  #take(level: number): void {
    this.#upTo[level] = this.#wanted[level] as number;
    this.#betterMs[level] = Infinity;
  }

  #returnLater(level: number, nowMs: number): void {
    const sinceMs = Math.min(this.#betterMs[level] as number, nowMs);
    if (nowMs - sinceMs >= limits.zoneReturnMs) return this.#take(level);
    this.#betterMs[level] = sinceMs;
    this.#nextLookMs = Math.min(this.#nextLookMs, sinceMs + limits.zoneReturnMs);
  }

  #weigh(nowMs: number): void {
    let sum = 0;
    for (let level = 0; level < this.levels.length; level++) {
      const candidates = this.levels[level] as Candidates<Endpoint>;
      candidates.refresh(nowMs);
      sum = Math.min(1, sum + capacityOf(candidates));
      this.#wanted[level] = sum;
    }
    // Too few are well to carry it all: then all carry more alike. When nobody is, the nearest do.
    for (let level = 0; level < this.levels.length; level++)
      this.#wanted[level] = sum === 0 ? 1 : (this.#wanted[level] as number) / sum;
  }
}

/** The part of everything that a level can carry, between 0 and 1. */
function capacityOf<Endpoint extends Candidate>({ well, all }: Candidates<Endpoint>): number {
  if (well < Math.min(limits.zoneEndpointsMin, all.length)) return 0;
  return Math.min(1, (well / all.length) * limits.zoneOverprovision);
}

/** Rank and endpoints of each level, the nearest first. */
function levelsOf<Endpoint extends Candidate>(
  endpoints: readonly Endpoint[],
  rules: ZoneRules | null,
): [number, readonly Endpoint[]][] {
  if (rules === null || endpoints.length === 0) return [[0, endpoints]];
  const levels = new Map<number, Endpoint[]>();
  for (const endpoint of endpoints) {
    const rank = rankOf(endpoint, rules);
    const found = levels.get(rank);
    if (found === undefined) levels.set(rank, [endpoint]);
    else found.push(endpoint);
  }
  return [...levels].sort(([one], [other]) => one - other);
}

function rankOf({ zone, region }: Candidate, rules: ZoneRules): number {
  if (rules.order !== null) {
    const at = rules.order.indexOf(zone);
    return at < 0 ? rules.order.length : at;
  }
  if (zone === rules.zone && region === rules.region) return 0;
  return region === rules.region ? 1 : 2;
}
