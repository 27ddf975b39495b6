/** What a simulation says: a table for each scenario, and what is wanted of heddle beside what it did. */
import { barTable, row, tableHead, type Bar } from "../bench/tables.ts";
import { patienceMs } from "./request.ts";
import type { RunResult } from "./run.ts";
import type { Scenario } from "./scenarios.ts";
import { perSecond, workers, workMs } from "./server.ts";

/** By name of the contestant. */
export type ScenarioResults = ReadonlyMap<string, RunResult>;

const never = Infinity;
const recoverySecondsMax = 30;
const faultyShareMax = 0.02;
/**
 * A budget grants one retry to five requests, and ten a second to each of six proxies whatever comes, which is one to twenty
 * in the scenario that needs most; the rest is chance.
 */
const attemptsMax = 1.26;

export function introduction(seed: number): string[] {
  return [
    `Simulated time, no sockets, seed ${seed}: \`npm run sim -- --seed ${seed}\` prints the same to the last digit. heddle's rows are its own`,
    "picker, breakers, budget, retry rules and limits as the proxy has them; the others are models of what they publish.",
    "",
    `A server works on ${workers} requests at a time, each ${workMs} ms on average (${perSecond} a second), and has a line for 500 more; it works on what its`,
    `callers gave up too. Six proxies of callers, requests at random times whether others are served or not; a client gives up after ${patienceMs} ms.`,
    'The load is 75 % of what all servers can do, unless said otherwise. "adaptive": with adaptive concurrency before each server.',
    "Round robin and least request are plain clients that try every failure again, three times, at once. Envoy: round robin, outlier detection with",
    "its defaults, no retries. Linkerd: peak-EWMA, neither breaker nor retries. Where a try has a timeout, both retry within their budgets.",
    "",
    "p50, p99, p99.9: of requests that came while the fault lasted, those that failed among them. errors: from its beginning to 55 s after its",
    "end. attempts: per request, in the worst ten seconds. recovery: seconds from its end until 95 % are served for five seconds; within the",
    "first of these it counts as 0. faulty: part of the attempts that the faulty servers got in the second half.",
    "",
  ];
}

export function scenarioTable({ title }: Scenario, results: ScenarioResults): string[] {
  const lines = [...results].map(([name, { summary, goodDuring, watchedShare }]) =>
    row([
      name,
      summary.p50Ms.toFixed(1),
      summary.p99Ms.toFixed(1),
      summary.p999Ms.toFixed(1),
      percent(1 - goodDuring),
      percent(summary.errors),
      summary.attemptsPerRequest.toFixed(2),
      summary.recoverySeconds === null ? "never" : String(summary.recoverySeconds),
      watchedShare === null ? "" : percent(watchedShare),
    ]),
  );
  const titles = [
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "errors during",
    "errors",
    "attempts",
    "recovery s",
    "faulty",
  ];
  return [`### ${title}`, "", ...tableHead(titles), ...lines, ""];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

/** What is wanted of heddle in the scenarios that ran. */
export function barsOf(results: ReadonlyMap<string, ScenarioResults>): Bar[] {
  return [...results].flatMap(([name, byContestant]) => {
    const ours = byContestant.get("heddle");
    if (ours === undefined) return [];
    const { summary, watchedShare } = ours;
    const recovery = { title: `${name}: recovery`, wanted: recoverySecondsMax, unit: " s" };
    const bars: Bar[] = [{ ...recovery, measured: summary.recoverySeconds ?? never }];
    if (name === "slow") bars.push(...slowBars(byContestant, summary.p99Ms));
    if (["slow", "errors", "M8"].includes(name))
      bars.push({
        title: `${name}: part of the faulty server`,
        wanted: faultyShareMax,
        measured: watchedShare ?? never,
        unit: "",
      });
    const attempts = { title: `${name}: attempts per request`, wanted: attemptsMax, unit: "" };
    bars.push({ ...attempts, measured: summary.attemptsPerRequest });
    return bars;
  });
}

function slowBars(byContestant: ScenarioResults, p99Ms: number): Bar[] {
  const p99Of = (name: string): number => byContestant.get(name)?.summary.p99Ms ?? never;
  const others = [...byContestant.keys()].filter((name) => !name.startsWith("heddle"));
  const best = Math.min(...others.map(p99Of));
  return [
    {
      title: "slow: p99 ÷ that of round robin",
      wanted: 0.5,
      measured: p99Ms / p99Of("round robin"),
      unit: "",
    },
    { title: "slow: p99 ÷ that of the best compared", wanted: 1, measured: p99Ms / best, unit: "" },
  ];
}

export function barLines(bars: readonly Bar[]): string[] {
  return bars.length === 0 ? [] : ["### What is wanted", "", ...barTable(bars)];
}
