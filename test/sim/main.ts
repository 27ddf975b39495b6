/**
 * Entry of `npm run sim -- [--seed N] [--only NAME,NAME] [--write]`: a fleet in simulated time, by heddle's decisions and by
 * those of others. The same seed gives the same output. `--write` puts it into test/bench/RESULTS.md.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { mergeReport, simTitle } from "../bench/report.ts";
import { barLines, barsOf, introduction, scenarioTable, type ScenarioResults } from "./report.ts";
import { inferenceTables } from "./inference/report.ts";
import { contestants, runScenario } from "./run.ts";
import { scenarios, type Scenario } from "./scenarios.ts";

const reportFile = `${import.meta.dir}/../bench/RESULTS.md`;
const seedDefault = 1;
/** What is no scenario of requests: engines of language models. */
const models = "models";
const usage = `Usage: npm run sim -- [--seed N] [--only ${scenarios.map(({ name }) => name).join(",")},${models}] [--write]
  --seed   of everything that happens by chance (default ${seedDefault}): the same seed gives the same run
  --only   these scenarios alone
  --write  put what all of them say into test/bench/RESULTS.md
`;

interface Options {
  readonly seed: number;
  readonly chosen: readonly Scenario[];
  readonly models: boolean;
  readonly write: boolean;
}

/** The exit code: 0 when every bar is met. */
export function runSimulation(args: readonly string[]): number {
  let options: Options;
  try {
    options = optionsOf(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}`);
    return 2;
  }
  const { seed, chosen, write } = options;
  const lines: string[] = [];
  const results = new Map<string, ScenarioResults>();
  const print = (more: readonly string[]): void => {
    lines.push(...more);
    process.stdout.write(`${more.join("\n")}\n`);
  };
  print(introduction(seed));
  for (const scenario of chosen) {
    const result = new Map(contestants.map((each) => [each.name, runScenario(scenario, each, seed)]));
    results.set(scenario.name, result);
    print(scenarioTable(scenario, result));
  }
  if (options.models) print(inferenceTables(seed));
  const bars = barsOf(results);
  print(barLines(bars));
  if (write) writeSection(seed, lines);
  return bars.every(({ measured, wanted }) => measured <= wanted) ? 0 : 1;
}

function optionsOf(args: readonly string[]): Options {
  const text = { type: "string" } as const;
  const flags = { seed: text, only: text, write: { type: "boolean" } } as const;
  const { values } = parseArgs({ args: [...args], options: flags });
  const seed = Number(values.seed ?? seedDefault);
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32)
    throw new Error(`Cannot use the seed "${values.seed}": expected a whole number from 0 to 4294967295`);
  const names = values.only?.split(",");
  const chosen = names?.filter((name) => name !== models).map(scenarioOf) ?? scenarios;
  const write = values.write ?? false;
  if (write && values.only !== undefined)
    throw new Error("Cannot write what --only leaves: expected all scenarios");
  return { seed, chosen, write, models: names?.includes(models) ?? true };
}

function scenarioOf(name: string): Scenario {
  const found = scenarios.find((each) => each.name === name);
  if (found !== undefined) return found;
  throw new Error(`Cannot run "${name}": expected one of ${scenarios.map((each) => each.name).join(", ")}`);
}

function writeSection(seed: number, lines: readonly string[]): void {
  const old = existsSync(reportFile) ? readFileSync(reportFile, "utf8") : "";
  const head = [`## ${simTitle}`, "", `Written by \`npm run sim -- --seed ${seed} --write\`.`, ""];
  const section = [...head, ...lines].join("\n");
  writeFileSync(reportFile, mergeReport(old, new Map([[simTitle, section]])));
}
