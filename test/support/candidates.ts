/** Endpoints as balancing sees them, for tests: with real loads and breakers. */
import { Breaker } from "../../src/proxy/breaker/breaker.ts";
import { BreakerGroup } from "../../src/proxy/breaker/breaker_group.ts";
import { breakerDefaults } from "../../src/proxy/breaker/breaker_settings.ts";
import type { Candidate } from "../../src/proxy/balance/candidate.ts";
import { EndpointLoad } from "../../src/proxy/balance/endpoint_load.ts";
import type { Choice } from "../../src/proxy/balance/endpoint_strategy.ts";
import { scripted } from "./chance.ts";

export interface TestCandidate extends Candidate {
  readonly at: number;
  readonly health: Breaker;
}

export interface TestService {
  readonly group: BreakerGroup;
  readonly all: readonly TestCandidate[];
}

/** So many endpoints, each as `shape` says; up to all but one may be ejected. */
export function serviceOf(
  count: number,
  shape: (at: number) => Partial<Candidate> = () => ({}),
): TestService {
  const group = new BreakerGroup({ ...breakerDefaults, ejectedShareMax: 1 }, scripted(0));
  const all = Array.from({ length: count }, (_, at) => ({
    id: `endpoint-${at}`,
    load: new EndpointLoad(0),
    weight: 1,
    zone: "",
    region: "",
    addedMs: -Infinity,
    ...shape(at),
    at,
    health: group.add(),
  }));
  return { group, all };
}

/** Fails its requests until it is out. */
export function eject({ health }: TestCandidate, nowMs: number): void {
  for (let time = 0; time < breakerDefaults.streakMax; time++) health.failed(health.epoch, "hard", nowMs);
}

export function choiceOf(changes: Partial<Choice<TestCandidate>> = {}): Choice<TestCandidate> {
  return { key: null, tried: [], repeatable: true, nowMs: 0, ...changes };
}
