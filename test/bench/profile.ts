/**
 * Entry of `npm run profile -- PART`: where the processor time of both proxies goes while they do one work of the bench. Each writes a
 * table when it ends: functions by their own time, then the tree of calls.
 */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../compile/repository.ts";
import { closedLoop } from "./load.ts";
import { startHeddle } from "./heddle.ts";
import { parseOptions } from "./options.ts";
import { backends, loadCore, newStage, note, proxyCore, startLoad, stopStage, worksFor } from "./stage.ts";
import { warm } from "./warming.ts";
import { works, workPlans, type Work } from "./works.ts";

const usage = `Usage: npm run profile -- ${works.join("|")} [--quick]\n`;

export async function runProfile(args: readonly string[]): Promise<number> {
  const [part, ...flags] = args;
  const work = works.find((each) => each === part);
  if (work === undefined || flags.some((flag) => flag !== "--quick")) {
    process.stderr.write(part === "--help" ? usage : `Cannot profile "${args.join(" ")}"\n${usage}`);
    return 2;
  }
  const folder = join(root, "dist/profile", work);
  mkdirSync(folder, { recursive: true });
  const before = new Set(readdirSync(folder));
  await profile(work, folder, flags);
  const written = readdirSync(folder).filter((name) => !before.has(name));
  for (const name of written) process.stdout.write(`${join(folder, name)}\n`);
  return written.length > 0 ? 0 : 1;
}

async function profile(work: Work, folder: string, flags: readonly string[]): Promise<void> {
  const options = parseOptions(flags);
  const { load } = workPlans[work];
  const stage = newStage();
  try {
    await startLoad(stage, worksFor(work));
    const proxyEnv = { BUN_OPTIONS: `--cpu-prof-md --cpu-prof-dir=${folder}` };
    const heddle = await startHeddle({ backends, proxyCore, loadCore, wanted: [work], proxyEnv });
    if (typeof heddle === "string") throw new Error(`Cannot profile heddle: ${heddle}`);
    stage.heddle = heddle;
    for (const [name, subject] of heddle.subjects.get(work) ?? []) {
      note(`${name} does ${work}`);
      await warm(stage, load, subject, options);
      await closedLoop(load, subject, { count: options.counts[load], core: loadCore, folder: stage.folder });
    }
  } finally {
    await stopStage(stage);
  }
}
