/**
 * Entry of `npm run mutants -- [--third] [--seed N] [--only TEXT]`: puts faults into the sources, one by one, and says which
 * of them no test sees. Without `--third` all of them; with it a third that the seed chooses, as CI does.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Random } from "../fuzz/random.ts";
import { mutants } from "./list.ts";
import type { Mutant } from "./mutant.ts";
import { Sandbox } from "./sandbox.ts";

export async function runMutants(args: readonly string[]): Promise<number> {
  let chosen: readonly Mutant[];
  try {
    chosen = chosenBy(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 2;
  }
  const lanes = Array.from({ length: Math.max(1, availableParallelism()) }, () => new Sandbox());
  try {
    const sound = await checkSuites(chosen, lanes);
    if (!sound) return 1;
    const survivors = await live(chosen, lanes);
    const seen = chosen.length - survivors.length;
    for (const { file, fault } of survivors) process.stdout.write(`\nSURVIVED ${file}: ${fault}`);
    process.stdout.write(`\n${seen} mutants seen, ${survivors.length} survived\n`);
    return survivors.length === 0 ? 0 : 1;
  } finally {
    for (const lane of lanes) lane.remove();
  }
}

function chosenBy(args: readonly string[]): readonly Mutant[] {
  const text = { type: "string" } as const;
  const flags = { third: { type: "boolean" }, seed: text, only: text } as const;
  const { values } = parseArgs({ args: [...args], options: flags });
  const { only, third = false } = values;
  const named = mutants.filter(({ file, fault }) => only === undefined || `${file} ${fault}`.includes(only));
  if (named.length === 0) throw new Error(`No mutant has "${only}" in its file or fault`);
  if (!third) return named;
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  if (!Number.isSafeInteger(seed)) throw new Error(`--seed takes a whole number, not "${values.seed}"`);
  process.stdout.write(`A third of the mutants, by the seed ${seed}\n`);
  const random = new Random(seed);
  return named.filter(() => random.below(3) === 0);
}

/** A suite that fails by itself would see everything. */
async function checkSuites(chosen: readonly Mutant[], lanes: readonly Sandbox[]): Promise<boolean> {
  const suites = [...new Set(chosen.flatMap((each) => each.suites))].sort();
  let sound = true;
  await inLanes(suites, lanes, async (lane, suite) => {
    const { passed, output } = await lane.run(null, [suite]);
    if (passed) return;
    sound = false;
    process.stdout.write(`${output}\n${suite} fails without any fault\n`);
  });
  return sound;
}

async function live(chosen: readonly Mutant[], lanes: readonly Sandbox[]): Promise<Mutant[]> {
  const survivors: Mutant[] = [];
  await inLanes(chosen, lanes, async (lane, mutant) => {
    const { passed, ms } = await lane.run(mutant, mutant.suites);
    if (passed) survivors.push(mutant);
    const word = passed ? "SURVIVED" : "seen    ";
    process.stdout.write(
      `${word} ${(ms / 1_000).toFixed(1).padStart(5)} s  ${mutant.file}: ${mutant.fault}\n`,
    );
  });
  return survivors;
}

/** Each lane takes the next one when it is done. */
async function inLanes<Work>(
  work: readonly Work[],
  lanes: readonly Sandbox[],
  run: (lane: Sandbox, each: Work) => Promise<void>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    lanes.map(async (lane) => {
      while (next < work.length) await run(lane, work[next++] as Work);
    }),
  );
}
