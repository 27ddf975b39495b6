/** The table of the simulated fleet of engines: what each way to choose one gets out of them. */
import type { Bottleneck } from "../../../src/model/inference.ts";
import { streamOf } from "../chance.ts";
import { contestants, type Contestant } from "./choosers.ts";
import { quantile, runFleet, type FleetResult } from "./fleet.ts";
import { asksOf, traffics, type Traffic } from "./traffic.ts";

export const enginesOfFleet = 8;
export const callersOfFleet = 20;
const seconds = 120;
/** Caches are empty at first. */
const fromMs = 30_000;
/** Of the first token, at its 90th percentile. */
const firstMsMax = 2_000;
const seedsOfTable = 3;
const steps = 5;

export function fleetRun(
  traffic: Traffic,
  contestant: Contestant,
  { load, seed }: { load: number; seed: number },
): FleetResult & { readonly tokensPerSecond: number } {
  const callers = callersOfFleet;
  const asks = asksOf(traffic, { load, seconds, callers, random: streamOf(seed, `asks ${traffic.name}`) });
  const bottleneck: Bottleneck = traffic.name === "chat" ? "decode" : "prefill";
  const random = streamOf(seed, `choices ${contestant.name}`);
  const fleet = { engines: enginesOfFleet, callers, bottleneck, random, fromMs };
  const result = runFleet({ asks, contestant, ...fleet });
  const tokens = asks.reduce((sum, { promptTokens }) => sum + promptTokens, 0);
  return { ...result, tokensPerSecond: tokens / seconds };
}

/** Tokens of prompts in a second that the fleet takes while the first token comes in time. */
function capacityOf(traffic: Traffic, contestant: Contestant, seed: number): number {
  let [below, above, tokens] = [0, 8, 0];
  for (let step = 0; step < steps; step++) {
    const load = below === 0 ? above / 2 : (below + above) / 2;
    const run = fleetRun(traffic, contestant, { load, seed });
    if (quantile(run.firstMs, 0.9) > firstMsMax) above = load;
    else [below, tokens] = [load, run.tokensPerSecond];
  }
  return tokens;
}

function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

export function inferenceTables(seed: number): string[] {
  const seeds = Array.from({ length: seedsOfTable }, (_, at) => seed + at);
  const lines = [
    `### Language models: ${enginesOfFleet} engines, ${callersOfFleet} callers without a router between them`,
    "",
    `Engines read 16,000 tokens of prompts in a second and keep 512,000 in their caches. Medians of ${seedsOfTable} seeds. Capacity: tokens of`,
    `prompts in a second at which 90 of 100 first tokens come within ${firstMsMax / 1_000} s; the rest of a line is at load 1. Times of the first ${fromMs / 1_000} s do not count.`,
  ];
  for (const traffic of traffics) {
    lines.push("", `**${traffic.name}** (${traffic.says})`, "");
    lines.push(
      "| | capacity, tokens/s | first token p90, ms | whole answer p95, ms | from caches | busiest / mean |",
    );
    lines.push("|---|---|---|---|---|---|");
    for (const contestant of contestants) {
      const runs = seeds.map((each) => fleetRun(traffic, contestant, { load: 1, seed: each }));
      const capacity = median(seeds.map((each) => capacityOf(traffic, contestant, each)));
      const cells = [
        contestant.name,
        Math.round(capacity).toLocaleString("en"),
        median(runs.map(({ firstMs }) => quantile(firstMs, 0.9))).toFixed(0),
        median(runs.map(({ wholeMs }) => quantile(wholeMs, 0.95))).toFixed(0),
        `${(100 * median(runs.map(({ cachedShare }) => cachedShare))).toFixed(0)} %`,
        median(runs.map(({ skew }) => skew)).toFixed(2),
      ];
      lines.push(`| ${cells.join(" | ")} |`);
    }
  }
  return [...lines, ""];
}
