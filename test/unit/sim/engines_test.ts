/** The simulated fleet of engines: the same seed gives the same run, and heddle's own code keeps its bars there. */
import { describe, expect, test } from "bun:test";
import { contestants, type Contestant } from "../../sim/inference/choosers.ts";
import { callersOfFleet, enginesOfFleet, fleetRun } from "../../sim/inference/report.ts";
import { quantile, runFleet } from "../../sim/inference/fleet.ts";
import { blockTokens, hotPrefix, traffics, type Traffic } from "../../sim/inference/traffic.ts";
import { streamOf } from "../../sim/chance.ts";
import { EngineModel } from "../../support/inference/engine_model.ts";

const by = (name: string): Contestant => contestants.find((each) => each.name === name) as Contestant;
const of = (name: string): Traffic => traffics.find((each) => each.name === name) as Traffic;
const run = (traffic: string, contestant: string, load = 1, seed = 1) =>
  fleetRun(of(traffic), by(contestant), { load, seed });

test("the same seed gives the same run, another one another", () => {
  expect(run("code", "heddle").firstMs).toEqual(run("code", "heddle").firstMs);
  expect(run("code", "heddle").firstMs).not.toEqual(run("code", "heddle", 1, 2).firstMs);
});

describe("where prompts hold engines back", () => {
  for (const traffic of ["agents", "code"])
    test(`heddle serves at least 2.5 times as many tokens as round robin (${traffic})`, () => {
      const [full, part] = [run(traffic, "heddle", 3), run(traffic, "round robin", 0.9)];
      expect(full.tokensPerSecond).toBeGreaterThan(2.5 * part.tokensPerSecond);
      expect(quantile(full.firstMs, 0.9)).toBeLessThan(2_000);
      expect(quantile(part.firstMs, 0.9)).toBeGreaterThan(2_000);
    });

  test("heddle reuses at least 95 % of what keeping each session in its place does", () => {
    for (const traffic of ["agents", "code"])
      expect(run(traffic, "heddle").cachedShare).toBeGreaterThan(
        0.95 * run(traffic, "session affinity").cachedShare,
      );
  });
});

test("where answers hold engines back, heddle is no slower than by least requests", () => {
  const [heddle, least] = [run("chat", "heddle"), run("chat", "least request")];
  expect(quantile(heddle.wholeMs, 0.95)).toBeLessThan(1.02 * quantile(least.wholeMs, 0.95));
});

test("a prefix that five times as many want as an engine can answer is on all engines within a second", () => {
  // An engine of these answers 64 at a time, each for 2 s.
  const asks = hotPrefix(160, 3, callersOfFleet, streamOf(1, "hot"));
  const random = streamOf(1, "choices");
  const fleet = { engines: enginesOfFleet, callers: callersOfFleet, bottleneck: "prefill", random } as const;
  const { chosen } = runFleet({ asks, contestant: by("heddle"), ...fleet });
  const early = new Set(chosen.filter((_, at) => (asks[at]?.atMs ?? Infinity) < 1_000));
  expect(early.size).toBeGreaterThan(4);
});

describe("the engine of tests", () => {
  const job = (blocks: number[], outputTokens = 3) => {
    const heard: number[] = [];
    const promptTokens = blocks.length * blockTokens;
    let cached = -1;
    const all = {
      ...{ blocks, promptTokens, outputTokens, began: (tokens: number) => (cached = tokens) },
      ...{ token: (count: number) => void heard.push(count), done: () => void heard.push(0) },
    };
    return { all, heard, cached: () => cached };
  };
  const steps = (model: EngineModel): number => {
    let tookMs = 0;
    while (!model.idle) {
      const step = model.step();
      tookMs += step.tookMs;
      step.end();
    }
    return tookMs;
  };

  test("reads a prompt once, and the same beginning out of its cache afterwards", () => {
    const model = new EngineModel({ blockTokens });
    const [first, second] = [job([1, 2, 3, 4]), job([1, 2, 3, 5])];
    model.submit(first.all);
    const firstMs = steps(model);
    model.submit(second.all);
    expect(steps(model)).toBeLessThan(firstMs);
    expect([first.cached(), second.cached()]).toEqual([0, 3 * blockTokens]);
    expect([first.heard, second.heard]).toEqual([
      [1, 2, 3, 0],
      [1, 2, 3, 0],
    ]);
  });

  test("lets wait what has no room, and forgets what is cancelled", () => {
    const model = new EngineModel({ blockTokens, streamsMax: 1 });
    const jobs = [job([1]), job([2]), job([3])];
    for (const { all } of jobs) model.submit(all);
    model.step().end();
    expect([model.running, model.waiting]).toEqual([1, 2]);
    for (const { all } of jobs.slice(0, 2)) model.cancel(all);
    steps(model);
    expect(jobs.map(({ heard }) => heard.length)).toEqual([1, 0, 4]);
  });
});
