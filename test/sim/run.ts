/** Runs one scenario for one contestant. The same seed gives the same run, to the last digit. */
import { Figures, type Summary } from "./figures.ts";
import { HeddlePolicy } from "./heddle_policy.ts";
import { EnvoyDefaults, LinkerdDefaults, PlainLeastRequest, PlainRoundRobin } from "./other_policies.ts";
import type { Actor } from "./schedule.ts";
import type { Scenario, Step } from "./scenarios.ts";
import { World, type Contestant } from "./world.ts";

/** heddle by its defaults first, then those it is compared with. */
export const contestants: readonly Contestant[] = [
  { name: "heddle", policy: (input) => new HeddlePolicy(input), adaptive: false },
  { name: "heddle, adaptive", policy: (input) => new HeddlePolicy(input), adaptive: true },
  { name: "round robin", policy: (input) => new PlainRoundRobin(input), adaptive: false },
  { name: "least request", policy: (input) => new PlainLeastRequest(input), adaptive: false },
  { name: "Envoy", policy: (input) => new EnvoyDefaults(input), adaptive: false },
  { name: "Linkerd", policy: (input) => new LinkerdDefaults(input), adaptive: false },
];

/** How long a run goes on after the fault. */
const afterMs = 60_000;
const zoneNames = ["a", "b", "c"] as const;
const callersPerZone = 2;

export interface RunResult {
  readonly summary: Summary;
  /** Part of the attempts during the second half of the fault that went to the servers that are watched; null: none is. */
  readonly watchedShare: number | null;
  /** Part of the requests during the fault that were served. */
  readonly goodDuring: number;
}

export function runScenario(
  scenario: Scenario,
  contestant: Contestant,
  seed: number,
  trailMs = afterMs,
): RunResult {
  const { name, load, servers, tryTimeoutMs, fromMs, toMs, watched } = scenario;
  const zones = zoneNames.slice(0, scenario.zones);
  const figures = new Figures({ fromMs, toMs, endMs: toMs + trailMs });
  const callers = Array.from({ length: callersPerZone * 3 }, (_, at) => zones[at % zones.length] as string);
  const world = new World(
    {
      seed,
      name,
      zones: Array.from({ length: servers }, (_, at) => zones[at % zones.length] as string),
      callers,
      load,
      tryTimeoutMs,
    },
    contestant,
    figures,
  );
  for (const step of scenario.steps) world.schedule.at(step.atMs, new StepActor(world, step));
  world.schedule.runUntil((fromMs + toMs) / 2);
  const came = (): [number, number] => [
    watched.reduce((sum, at) => sum + (world.servers[at]?.came ?? 0), 0),
    world.servers.reduce((sum, each) => sum + each.came, 0),
  ];
  const [watchedBefore, allBefore] = came();
  world.schedule.runUntil(toMs);
  const [watchedAfter, allAfter] = came();
  world.schedule.runUntil(toMs + trailMs);
  return {
    summary: figures.summary(),
    watchedShare:
      watched.length === 0 ? null : (watchedAfter - watchedBefore) / Math.max(1, allAfter - allBefore),
    goodDuring: figures.goodBetween(fromMs, toMs),
  };
}

class StepActor implements Actor {
  constructor(
    readonly world: World,
    readonly step: Step,
  ) {}

  happen(): void {
    this.step.act(this.world);
  }
}
