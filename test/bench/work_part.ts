/** One work, measured for every proxy that does it: rounds, then a table and what the bars say. */
import { closedLoop, loadCommand, loads, type LoadResult } from "./load.ts";
import type { StartedHeddle } from "./heddle.ts";
import type { BenchOptions } from "./options.ts";
import type { Subject } from "./peers/peer.ts";
import { interleave, median } from "./rounds.ts";
import { backends, loadCore, note, type Stage } from "./stage.ts";
import { barTable, ms, row, tableHead, type Bar } from "./tables.ts";
import { warm } from "./warming.ts";
import { worksBefore, workPlans, type Work, type WorkPlan } from "./works.ts";

export type Rounds = ReadonlyMap<string, readonly LoadResult[]>;

export async function measureWork(stage: Stage, work: Work, options: BenchOptions): Promise<string[]> {
  const plan = workPlans[work];
  const count = options.counts[plan.load];
  const subjects = new Map<string, Subject>(stage.subjects.get(work));
  if (plan.addedP50MsMax !== undefined) {
    subjects.set("direct", { ...backends[plan.backend], authority: "bench", pids: () => [] });
  }
  const load = { count, core: loadCore, folder: stage.folder };
  await carryFirst(stage, work, stage.subjects, options);
  const warming = new Map<string, number>();
  for (const [name, subject] of subjects) {
    const { cost } = await warm(stage, plan.load, subject, options);
    note(`${work}: warmed ${name}, ${cost.toFixed(2)} ${loads[plan.load].cost}`);
    warming.set(name, cost);
  }
  const rounds = await interleave([...subjects.keys()], options.rounds, async (name, round) => {
    const subject = subjects.get(name);
    if (subject === undefined) throw new Error(`Cannot measure "${name}": it was not started`);
    const result = await closedLoop(plan.load, subject, load);
    const { cost, rate, p50Us, p99Us } = result;
    const { rate: perSecond } = loads[plan.load];
    note(
      `${work} ${round + 1} ${name.padEnd(8)} ${cost.toFixed(2)} ${loads[plan.load].cost}, ${rate.toFixed(0)} ${perSecond}, p50 ${p50Us} p99 ${p99Us} us`,
    );
    return result;
  });
  return [...howOf(work, options), ...renderRounds(plan, rounds, warming), ...barTable(barsOf(plan, rounds))];
}

/** What heddle's proxies do before this work is measured: what it costs counts nowhere. */
export async function carryFirst(
  stage: Stage,
  work: Work,
  subjects: Stage["subjects"] | StartedHeddle["subjects"],
  options: BenchOptions,
): Promise<void> {
  for (const before of worksBefore[work] ?? []) {
    for (const [name, subject] of subjects.get(before) ?? []) {
      note(`${name} does ${before} first`);
      await warm(stage, workPlans[before].load, subject, options);
    }
  }
}

function howOf(work: Work, { rounds, counts, warmupRounds }: BenchOptions): string[] {
  const { load, https } = workPlans[work];
  const first = (worksBefore[work] ?? []).map((each) => workPlans[each].title.slice(0, 3));
  const { counted, how } = loads[load];
  const target = { host: "ADDRESS", port: 0, authority: "NAME", https };
  const [program = "", ...args] = loadCommand(load, target, counts[load], "FOLDER");
  const shown = [program, ...args].join(" ").replace("ADDRESS:0", "ADDRESS:PORT");
  return [
    `${rounds} rounds of ${counts[load]} ${counted} ${how}, after ${warmupRounds} rounds' worth that do not count ("warming").`,
    ...(first.length > 0
      ? [`What heddle's proxies did before, as long as they warm: ${first.join(", ")}.`]
      : []),
    ...(program === "h2load" ? [`Load: \`${shown}\``] : []),
    "",
  ];
}

/** `warming`: what each cost before the first round, while its code was compiled. */
export function renderRounds(
  { load }: WorkPlan,
  rounds: Rounds,
  warming: ReadonlyMap<string, number>,
): string[] {
  const { cost, rate } = loads[load];
  const ours = costOf(rounds, "heddle");
  const lines = [...rounds].map(([name, runs]) => {
    const of = (pick: (run: LoadResult) => number): number => median(runs.map(pick));
    const costs = runs.map((run) => run.cost);
    const compared = ours !== null && name !== "heddle" && median(costs) > 0;
    return row([
      name,
      figure(median(costs)),
      `${figure(Math.min(...costs))}–${figure(Math.max(...costs))}`,
      compared ? (ours / median(costs)).toFixed(2) : "",
      figure(warming.get(name) ?? Number.NaN),
      of((run) => run.rate).toFixed(0),
      ms(of((run) => run.p50Us)),
      ms(of((run) => run.p99Us)),
      of((run) => run.rssMb).toFixed(0),
    ]);
  });
  return [
    ...tableHead([cost, "spread", "heddle ÷ it", "warming", rate, "p50 ms", "p99 ms", "RSS under load MB"]),
    ...lines,
    "",
  ];
}

function figure(value: number): string {
  return value.toFixed(value < 10 ? 2 : 1);
}

/** Each way of heddle has to meet them: a name that begins with it is one. */
export function barsOf(plan: WorkPlan, rounds: Rounds): Bar[] {
  const ours = [...rounds.keys()].filter((name) => name.startsWith("heddle"));
  return ours.flatMap((name) => [
    ...Object.entries(plan.bars).flatMap(([peer, wanted]) => {
      const [mine, theirs] = [costOf(rounds, name), costOf(rounds, peer)];
      if (mine === null || theirs === null) return [];
      return [{ title: `CPU of ${name} ÷ ${peer}`, wanted, measured: mine / theirs, unit: "" }];
    }),
    ...addedBar(plan, rounds, name),
  ]);
}

function addedBar({ addedP50MsMax }: WorkPlan, rounds: Rounds, name: string): Bar[] {
  const direct = rounds.get("direct");
  if (addedP50MsMax === undefined || direct === undefined) return [];
  const added = (rounds.get(name) ?? []).map((run, round) => run.p50Us - (direct[round]?.p50Us ?? 0));
  return [
    { title: `added p50 of ${name}`, wanted: addedP50MsMax, measured: median(added) / 1_000, unit: " ms" },
  ];
}

function costOf(rounds: Rounds, name: string): number | null {
  const runs = rounds.get(name);
  return runs === undefined ? null : median(runs.map((run) => run.cost));
}
