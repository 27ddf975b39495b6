/**
 * What a proxy of two event loops costs beside one of one, on the same core; how its connections are spread, few long ones as well as
 * many; and what each further loop holds in memory.
 */
import { shardsOf } from "../support/shard_processes.ts";
import { hangMs } from "../support/patience.ts";
import type { Comparison } from "./against.ts";
import { paths } from "./backends.ts";
import { startHeddle, type StartedHeddle } from "./heddle.ts";
import { output } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { rowsOf } from "./pairs.ts";
import { measureQuota } from "./quota_part.ts";
import type { Subject } from "./peers/peer.ts";
import { ratioTable, type RatioRow } from "./ratios.ts";
import { backends, loadCore, newStage, note, proxyCore, startLoad, stopStage } from "./stage.ts";
import { barTable, type Bar } from "./tables.ts";
import { cpuNanos, residentMb } from "./usage.ts";
import type { Work } from "./works.ts";

const twoLoops = { HEDDLE_SHARDS: "2" };
const compared = ["hop", "pair", "pair2", "carried"] as const satisfies readonly Work[];
const costBar = 1.1;
const privateMbBar = 20;
/** The part of all work that the busier loop has, by what is open; the bar stands behind. */
const spreads = [
  { title: "64 connections of HTTP/1.1", work: "hop", flags: ["--h1", "-c", "64", "-m", "1"], wanted: 0.6 },
  {
    title: "4 connections of HTTP/2, 100 streams each",
    work: "hop2",
    flags: ["-c", "4", "-m", "100"],
    wanted: 0.75,
  },
] as const;
const spreadRounds = 5;
/** By then neither side compiles any more, after the time in which it stood idle. */
const uncountedRounds = 10;

export async function measureShards(options: BenchOptions): Promise<Omit<Comparison, "met">> {
  const rows: RatioRow[] = [];
  const versions = new Set<string>();
  const sides = { today: { proxyEnv: twoLoops }, other: {} };
  // Each process compiles for itself what it runs often: two loops are warm after twice the load.
  const warmed = { ...options, warmupRounds: 2 * options.warmupRounds, uncountedRounds };
  for (const work of compared) rows.push(...(await rowsOf(work, sides, warmed, 1, versions)));
  const lines = [
    `Both on one core, so that what is compared is processor time alone; ${options.rounds} rounds of four turns (two loops, one, one, two), behind ${uncountedRounds} that do not count. "today":`,
    'two event loops; "one": one. Shares: processor time of the busier shard ÷ that of both, median of 5 runs. Private memory: anonymous',
    "pages of a shard that has carried nothing.",
    "",
    ...ratioTable(rows, "one", costBar),
    ...barTable(await spreadBars(options)),
    ...(await measureQuota(options)),
  ];
  return { lines, versions: [...versions].join(", ") };
}

async function spreadBars({ counts }: BenchOptions): Promise<Bar[]> {
  const wanted = ["hop", "hop2"] as const;
  const stage = newStage();
  await startLoad(stage, wanted);
  const heddle = await startHeddle({ backends, proxyCore, loadCore, wanted, proxyEnv: twoLoops });
  if (typeof heddle === "string") throw new Error(`Cannot start heddle: ${heddle}`);
  try {
    const privateMb = Math.max(...shardsOf(heddle.far).map((pid) => residentMb(pid, "RssAnon")));
    const bars: Bar[] = [
      { title: "private memory of a shard", wanted: privateMbBar, measured: privateMb, unit: " MB" },
    ];
    for (const { title, work, flags, wanted: bar } of spreads) {
      const shares: number[] = [];
      for (let round = 0; round < spreadRounds; round++) {
        shares.push(await busierShare(heddle, work, flags, counts.http1));
      }
      note(`shards: ${title}: ${shares.map((share) => share.toFixed(2)).join(", ")}`);
      const measured = shares.sort((a, b) => a - b)[Math.floor(spreadRounds / 2)] ?? Number.NaN;
      bars.push({ title: `share of the busier of two loops, ${title}`, wanted: bar, measured, unit: "" });
    }
    return bars;
  } finally {
    await heddle.stop();
    await stopStage(stage);
  }
}

async function busierShare(
  heddle: StartedHeddle,
  work: Work,
  flags: readonly string[],
  count: number,
): Promise<number> {
  const { host, port, authority } = heddle.subjects.get(work)?.get("heddle") as Subject;
  const shards = shardsOf(heddle.near);
  const before = shards.map((pid) => cpuNanos([pid]));
  const at = ["-H", `:authority:${authority}`, `http://${host}:${port}${paths.page}`];
  await output(["taskset", "-c", String(loadCore), "h2load", "-n", String(count), ...flags, ...at], hangMs);
  const spent = shards.map((pid, index) => cpuNanos([pid]) - (before[index] ?? 0));
  return Math.max(...spent) / spent.reduce((sum, each) => sum + each, 0);
}
