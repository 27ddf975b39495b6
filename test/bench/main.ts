/**
 * Entry of `npm run bench`: what one request costs in heddle and in the proxies people know, or in today's heddle and in that of
 * another commit, in one run. Proxies on one core, load and backends on the other; interleaved rounds, medians. Only ratios
 * carry over to another machine.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { hasProgram } from "../support/processes.ts";
import { measureAgainst } from "./against.ts";
import { measureAuthors } from "./authors_part.ts";
import { measureBroken } from "./broken_part.ts";
import { conditions } from "./conditions.ts";
import { measureConnections } from "./connections_part.ts";
import { measureDecisions } from "./decisions_part.ts";
import { measureBurst, measureFloods } from "./floods_part.ts";
import type { StartedHeddle } from "./heddle.ts";
import { measureFleet } from "./fleet_part.ts";
import { measureIntercept } from "./intercept_part.ts";
import { measureIdle } from "./idle_part.ts";
import { measureLatency } from "./latency_part.ts";
import {
  parseOptions,
  parts,
  titleOf,
  type AgainstOptions,
  type BenchOptions,
  type Part,
} from "./options.ts";
import { measureCallers } from "./callers_part.ts";
import { measurePicks } from "./picks_part.ts";
import { measureRoutes } from "./routes_part.ts";
import { measurePolicies } from "./policies_part.ts";
import { againstTitle, mergeReport, renderSection } from "./report.ts";
import { measureShards } from "./shards_part.ts";
import { measureSnapshots } from "./snapshots_part.ts";
import { newStage, note, startStage, stopStage, type Stage } from "./stage.ts";
import { measureTelemetry } from "./telemetry_part.ts";
import { measureWork } from "./work_part.ts";

export async function runBench(args: readonly string[]): Promise<number> {
  let options: BenchOptions;
  try {
    options = parseOptions(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 2;
  }
  const missing = ["nginx", "nghttpd", "h2load", "taskset"].filter((program) => !hasProgram(program));
  if (missing.length > 0) {
    process.stderr.write(`Cannot bench without ${missing.join(", ")}: run test/bench/install_peers.sh\n`);
    return 2;
  }
  const { against } = options;
  const sections = new Map<string, string>();
  try {
    const good =
      against === null
        ? await measureParts(options, sections)
        : await measureComparison(options, against, sections);
    return good ? 0 : 1;
  } finally {
    const file = `${import.meta.dir}/RESULTS.md`;
    const old = existsSync(file) ? readFileSync(file, "utf8") : "";
    process.stdout.write(`\n${mergeReport("", sections)}`);
    if (options.write) writeFileSync(file, mergeReport(old, sections));
  }
}

/** Adds a section for each part; false when one failed. */
async function measureParts(options: BenchOptions, sections: Map<string, string>): Promise<boolean> {
  let good = true;
  for (const part of parts.filter((each) => options.only.includes(each))) {
    try {
      const section = await measureAlone(part, options);
      if (section !== null) sections.set(titleOf(part), section);
    } catch (error) {
      note(`${part} failed: ${(error as Error).message}`);
      good = false;
    }
  }
  return good;
}

/** Adds its section; false when it failed or today's heddle costs more than the bar allows. */
async function measureComparison(
  options: BenchOptions,
  against: AgainstOptions,
  sections: Map<string, string>,
): Promise<boolean> {
  const before = conditions(options.args);
  try {
    const { lines, versions, met } = await measureAgainst(options, against);
    sections.set(againstTitle, renderSection({ title: againstTitle, lines }, before, versions));
    return met;
  } catch (error) {
    note(`against ${against.commit} failed: ${(error as Error).message}`);
    return false;
  }
}

/**
 * A part and its section: on proxies of its own, heddle's as its peers', so that it measures the same whichever parts came before.
 * null when heddle alone could do it and is absent.
 */
async function measureAlone(part: Part, options: BenchOptions): Promise<string | null> {
  const before = conditions(options.args);
  if (part === "shards") {
    const { lines, versions } = await measureShards(options);
    return renderSection({ title: titleOf(part), lines }, before, versions);
  }
  if (part === "authors")
    return renderSection({ title: titleOf(part), lines: await measureAuthors() }, before, "heddle");
  if (part === "fleet" || part === "intercept") {
    const lines = await (part === "fleet" ? measureFleet() : measureIntercept(options));
    return renderSection({ title: titleOf(part), lines }, before, "heddle");
  }
  const stage = newStage();
  try {
    await startStage(stage, part);
    const versions = [...stage.versions].map(([name, version]) => `${name} ${version}`).join(", ");
    const lines = await measure(stage, part, options);
    return lines === null ? null : renderSection({ title: titleOf(part), lines }, before, versions);
  } finally {
    await stopStage(stage);
  }
}

async function measure(
  stage: Stage,
  part: Exclude<Part, "shards" | "fleet" | "intercept" | "authors">,
  options: BenchOptions,
): Promise<string[] | null> {
  const alone = (run: (heddle: StartedHeddle) => Promise<string[]>): Promise<string[]> | null =>
    stage.heddle === null ? null : run(stage.heddle);
  switch (part) {
    case "latency":
      return measureLatency(stage, options);
    case "idle":
      return alone((heddle) => measureIdle(heddle, options));
    case "connections":
      return alone((heddle) => measureConnections(heddle, options));
    case "policies":
      return alone(() => measurePolicies(options));
    case "decisions":
      return alone(() => measureDecisions(stage, options));
    case "broken":
      return measureBroken(stage, options);
    case "callers":
      return measureCallers();
    case "telemetry":
      return alone(() => measureTelemetry(stage, options));
    case "picks":
      return measurePicks();
    case "snapshots":
      return measureSnapshots();
    case "routes":
      return measureRoutes();
    case "floods":
      return alone((heddle) => measureFloods(stage, heddle, options));
    case "burst":
      return alone((heddle) => measureBurst(stage, heddle, options));
    default:
      note(`${part}:`);
      return measureWork(stage, part, options);
  }
}
