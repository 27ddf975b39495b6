/** The simulated fleet: the same seed gives the same run, and heddle's decisions are at least as good as those beside it. */
import { describe, expect, test } from "bun:test";
import { contestants, runScenario, type RunResult } from "../../sim/run.ts";
import { scenarios } from "../../sim/scenarios.ts";

interface Short {
  readonly seed?: number;
  /** Of the run after the fault: the last five seconds are not judged, and recovery takes five. */
  readonly trailMs?: number;
}

/** What is asked of a fault shows within seconds; `npm run sim` takes its time. */
function shortRun(name: string, contestant: string, { seed = 7, trailMs = 5_000 }: Short = {}): RunResult {
  const scenario = scenarios.find((each) => each.name === name);
  const chosen = contestants.find((each) => each.name === contestant);
  if (scenario === undefined || chosen === undefined) throw new Error(`There is no ${name} of ${contestant}`);
  const fromMs = 1_000;
  const lastsMs = Math.min(4_000, scenario.toMs - scenario.fromMs);
  const steps = scenario.steps.map(({ atMs, act }) => ({
    atMs: atMs === scenario.toMs ? fromMs + lastsMs : atMs - scenario.fromMs + fromMs,
    act,
  }));
  return runScenario({ ...scenario, steps, fromMs, toMs: fromMs + lastsMs }, chosen, seed, trailMs);
}

describe("a run", () => {
  test("is the same with the same seed, and another one with another", () => {
    const [first, again, other] = [5, 5, 6].map((seed) =>
      shortRun("flapping", "heddle, adaptive", { seed, trailMs: 1_000 }),
    );
    expect(again).toEqual(first as RunResult);
    expect(other).not.toEqual(first as RunResult);
  });

  test("serves everything where nothing is wrong", () => {
    for (const name of ["heddle, adaptive", "Envoy"])
      expect([name, shortRun("calm", name).goodDuring]).toEqual([name, 1]);
  });
});

describe("heddle by its defaults", () => {
  test("keeps the 99th percentile of a fleet with a slow server to half of what round robin makes of it", () => {
    const { summary, watchedShare } = shortRun("slow", "heddle");
    expect(summary.p99Ms).toBeLessThanOrEqual(shortRun("slow", "round robin").summary.p99Ms / 2);
    expect(watchedShare).toBeLessThan(0.02);
  });

  for (const name of ["errors", "M8"])
    test(`sends hardly anything to a server that fails fast, where others send it more (${name})`, () => {
      const { summary, watchedShare } = shortRun(name, "heddle");
      expect(watchedShare).toBeLessThan(0.02);
      expect(summary.errors).toBeLessThan(0.005);
      expect(shortRun(name, "Linkerd").watchedShare).toBeGreaterThan(0.1);
    });

  test("serves nearly all while half the fleet refuses connections", () => {
    expect(shortRun("half", "heddle").goodDuring).toBeGreaterThan(0.98);
  });

  for (const name of ["M5", "pause", "zone"])
    test(`recovers when the fault is over, and does not multiply requests (${name})`, () => {
      const { summary } = shortRun(name, "heddle", { trailMs: 20_000 });
      expect(summary.recoverySeconds).not.toBeNull();
      expect(summary.attemptsPerRequest).toBeLessThan(1.3);
    });
});

test("retries without a budget keep a fleet down after the fault is over, and adaptive concurrency keeps it up", () => {
  expect(shortRun("M7", "round robin", { trailMs: 20_000 }).summary.recoverySeconds).toBeNull();
  expect(shortRun("M2", "heddle, adaptive").goodDuring).toBeGreaterThan(0.6);
});
