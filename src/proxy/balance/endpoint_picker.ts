/**
 * Picks the endpoint of an attempt: a probe where one is due, else a zone, and in it by the strategy. A retry goes to another
 * endpoint of the zone, and to another zone when there is none.
 */
import type { Random } from "../../../runtime/contract.ts";
import type { Candidate, ServiceHealth } from "./candidate.ts";
import { isFree, type Candidates, type SlowStart } from "./candidates.ts";
import type { Choice, EndpointStrategy } from "./endpoint_strategy.ts";
import { Zones, type ZoneRules } from "./zones.ts";

export interface EndpointPickerOptions<Endpoint extends Candidate> {
  /** Ready ones. */
  readonly endpoints: readonly Endpoint[];
  readonly health: ServiceHealth;
  /** Of the caller; null: zones do not matter. */
  readonly zones: ZoneRules | null;
  /** A strategy for the endpoints of one zone; `previous`: the one of as near a zone until now. */
  readonly strategy: (previous: EndpointStrategy<Endpoint> | null) => EndpointStrategy<Endpoint>;
  /** How endpoints that are new or came back grow into their shares; absent: as by default. */
  readonly slowStart?: SlowStart;
  readonly random: Random;
  /** The one until now, of the same service or subset. */
  readonly previous?: EndpointPicker<Endpoint> | null;
}

export class EndpointPicker<Endpoint extends Candidate> {
  readonly endpoints: readonly Endpoint[];
  readonly zones: Zones<Endpoint>;
  readonly #health: ServiceHealth;
  readonly #strategies: readonly EndpointStrategy<Endpoint>[];

  constructor(options: EndpointPickerOptions<Endpoint>) {
    const { endpoints, health, zones, strategy, random, slowStart, previous = null } = options;
    this.zones = new Zones(endpoints, health, zones, random, {
      slowStart,
      previous: previous?.zones ?? null,
    });
    this.endpoints = endpoints;
    this.#health = health;
    this.#strategies = this.zones.ranks.map((rank, level) => {
      const made = strategy(previous?.strategyAt(rank) ?? null);
      made.use((this.zones.levels[level] as Candidates<Endpoint>).all);
      return made;
    });
  }

  /** null when there is no endpoint. */
  pick(choice: Choice<Endpoint>): Endpoint | null {
    const { nowMs, tried } = choice;
    if (nowMs >= this.#health.nextProbeMs) {
      const probed = this.#takeProbe(choice);
      if (probed !== null) return probed;
    }
    const level = this.zones.choose(nowMs);
    const picked = this.#pickIn(level, choice);
    if (picked === null || (tried.length === 0 && this.zones.levels[level]?.sound === true)) return picked;
    return isFree(picked, tried) ? picked : (this.#pickElsewhere(level, choice) ?? picked);
  }

  /** Whether another attempt would reach one that is well and was not tried. */
  hasFree(tried: readonly Endpoint[]): boolean {
    return this.endpoints.some((each) => isFree(each, tried));
  }

  /** The strategy for endpoints that are so near; null when there are none. */
  strategyAt(rank: number): EndpointStrategy<Endpoint> | null {
    return this.#strategies[this.zones.ranks.indexOf(rank)] ?? null;
  }

  /** Nobody picks by it any more. */
  close(): void {
    for (const strategy of this.#strategies) strategy.close();
  }

  #pickIn(level: number, choice: Choice<Endpoint>): Endpoint | null {
    const strategy = this.#strategies[level] as EndpointStrategy<Endpoint>;
    return strategy.pick(this.zones.levels[level] as Candidates<Endpoint>, choice);
  }

  #pickElsewhere(not: number, choice: Choice<Endpoint>): Endpoint | null {
    for (let level = 0; level < this.zones.levels.length; level++) {
      if (level === not) continue;
      const picked = this.#pickIn(level, choice);
      if (picked !== null && isFree(picked, choice.tried)) return picked;
    }
    return null;
  }

  /** A request that failed already is no probe. */
  #takeProbe({ tried, repeatable, nowMs }: Choice<Endpoint>): Endpoint | null {
    if (tried.length > 0) return null;
    for (const candidates of this.zones.levels) {
      candidates.refresh(nowMs);
      const probed = candidates.takeProbe(repeatable, nowMs);
      if (probed !== null) return probed;
    }
    return null;
  }
}
