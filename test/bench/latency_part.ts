/** Latency that a pair adds at a fixed rate, measured open loop beside the direct call. */
import { paths } from "./backends.ts";
import { openLoop, whileAwake } from "./load.ts";
import type { OpenLoopResult } from "./open_loop.ts";
import type { BenchOptions } from "./options.ts";
import type { Subject } from "./peers/peer.ts";
import { interleave, median } from "./rounds.ts";
import { backends, loadCore, note, proxyCore, type Stage } from "./stage.ts";
import { barTable, ms, row, tableHead, type Bar } from "./tables.ts";
import { warm, warmingCount } from "./warming.ts";

/** As the published figures of meshes are taken. */
const paced = { rate: 1_000, connections: 16 } as const;
const warmup = 4_000;

type Rounds = ReadonlyMap<string, readonly OpenLoopResult[]>;

export async function measureLatency(stage: Stage, options: BenchOptions): Promise<string[]> {
  const direct: Subject = { ...backends.page, authority: "bench", pids: () => [] };
  const subjects = new Map([["direct", direct], ...(stage.subjects.get("pair") ?? [])]);
  for (const [name, subject] of subjects) {
    note(`latency: warming ${name}`);
    await warm(stage, "http1", subject, options);
  }
  const rounds = await interleave([...subjects.keys()], options.rounds, async (name, round) => {
    const { host, port, authority } = subjects.get(name) ?? direct;
    const load = { host, port, authority, path: paths.page, ...paced, count: options.paced, warmup };
    const result = await whileAwake([proxyCore, loadCore], () => openLoop(load, loadCore));
    const { p50, p99, p999, max, failed } = result;
    note(
      `latency ${round + 1} ${name.padEnd(8)} p50 ${p50} p99 ${p99} p99.9 ${p999} max ${max} us, ${failed} failed`,
    );
    return result;
  });
  return [
    `${paced.rate} requests/s over ${paced.connections} connections, evenly spaced arrivals, counted from the moment a request was due; ${options.paced} requests a round,`,
    `medians of ${options.rounds} interleaved rounds, after ${warmingCount("http1", options)} requests to each as fast as it answers. Added: the direct call of the same`,
    "round subtracted.",
    "",
    ...tableHead(["p50 ms", "p99 ms", "p99.9 ms", "max ms", "added p50", "added p99", "failed"]),
    ...[...rounds].map(([name, runs]) => latencyRow(rounds, name, runs)),
    "",
    ...barTable(barsOf(rounds)),
  ];
}

function latencyRow(rounds: Rounds, name: string, runs: readonly OpenLoopResult[]): string {
  const of = (pick: (run: OpenLoopResult) => number): string => ms(median(runs.map(pick)));
  const added =
    name === "direct" ? ["", ""] : [ms(addedOf(rounds, name, "p50")), ms(addedOf(rounds, name, "p99"))];
  return row([
    name,
    of((run) => run.p50),
    of((run) => run.p99),
    of((run) => run.p999),
    of((run) => run.max),
    ...added,
    String(runs.reduce((sum, run) => sum + run.failed, 0)),
  ]);
}

function barsOf(rounds: Rounds): Bar[] {
  if (!rounds.has("heddle")) return [];
  const added = (name: string, which: "p50" | "p99"): number => addedOf(rounds, name, which) / 1_000;
  const bar = (which: "p50" | "p99", wanted: number): Bar => ({
    title: `added ${which}`,
    wanted,
    measured: added("heddle", which),
    unit: " ms",
  });
  const ratio = added("heddle", "p50") / added("Envoy", "p50");
  return [
    ...(rounds.has("HAProxy")
      ? [bar("p50", 1.2 * added("HAProxy", "p50") + 0.1), bar("p99", 1.2 * added("HAProxy", "p99") + 0.5)]
      : []),
    ...(rounds.has("Envoy") ? [{ title: "added p50 ÷ Envoy", wanted: 0.5, measured: ratio, unit: "" }] : []),
  ];
}

/** Median over the rounds of what it took more than the direct call of the same round, microseconds. */
function addedOf(rounds: Rounds, name: string, which: "p50" | "p99"): number {
  const direct = rounds.get("direct") ?? [];
  return median((rounds.get(name) ?? []).map((run, round) => run[which] - (direct[round]?.[which] ?? 0)));
}
