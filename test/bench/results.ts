/** Turns measurements into the text that is printed and kept in RESULTS.md: tables, ratios, and what the bars say to them. */
import type { Conditions } from "./conditions.ts";
import { connections, loadCommand, type LoadResult } from "./load.ts";
import type { OpenLoopResult } from "./open_loop.ts";
import { works, type Work } from "./peers/peer.ts";
import { median } from "./rounds.ts";

export interface IdleResult {
  /** Proxy alone, policy host apart. */
  readonly rssMb: number;
  readonly afterMs: number;
  /** Start of the process to the first accepted connection, snapshot on disk. */
  readonly firstAcceptMs: readonly number[];
}

export interface Results {
  readonly conditions: Conditions;
  readonly versions: ReadonlyMap<string, string>;
  readonly absent: readonly string[];
  readonly rounds: number;
  readonly requests: number;
  readonly warmup: number;
  readonly pacedRequests: number;
  readonly paced: { readonly rate: number; readonly connections: number };
  readonly closed: ReadonlyMap<Work, ReadonlyMap<string, readonly LoadResult[]>>;
  readonly latency: ReadonlyMap<string, readonly OpenLoopResult[]> | null;
  readonly idle: IdleResult | null;
}

const titles: Readonly<Record<Work, string>> = {
  hop: "(a) One clear HTTP/1.1 hop",
  pair: "(b) HTTP/1.1 through a pair with mTLS 1.3 between",
  tcp: "(c) Opaque TCP through a pair with mTLS 1.3 between, requests as load",
};

/** At most this many times the CPU of a peer. */
const cpuBars: Readonly<Record<Work, Readonly<Record<string, number>>>> = {
  hop: { HAProxy: 1.2, Envoy: 0.4 },
  pair: { HAProxy: 1.15, Envoy: 0.4 },
  tcp: { HAProxy: 1.0 },
};
const idleBarMb = 60;
const firstAcceptBarMs = 60;

export function render(results: Results): string {
  const { latency, idle } = results;
  return [
    ...headOf(results),
    ...works.flatMap((work) => closedTable(results, work)),
    ...(latency === null ? [] : latencyTable(results, latency)),
    ...(idle === null ? [] : idleTable(idle)),
    ...barsOf(results),
  ].join("\n");
}

function headOf({ conditions, versions, absent, rounds, requests, warmup }: Results): string[] {
  const { date, kernel, processor, memoryGb, loadBefore, bun, h2load, command } = conditions;
  return [
    "# Results of the bench",
    "",
    `Written by \`${command}\` on ${date} UTC: ${processor}, ${memoryGb} GB, Linux ${kernel}, load ${loadBefore.toFixed(1)} before.`,
    `${[...versions].map(([name, version]) => `${name} ${version}`).join(", ")}; h2load ${h2load}, Bun ${bun} for the open loop.`,
    ...(absent.length === 0 ? [] : [`Absent: ${absent.join("; ")}.`]),
    "",
    "Method: loopback; proxies pinned to one core, load and backend (nginx, a static page of 1 kB) to the other; keep-alive. CPU is the sum of",
    "`/proc/PID/task/*/schedstat` over all processes of a proxy (of a pair: both) before and after a fixed number of requests.",
    `Medians of ${rounds} interleaved rounds of ${requests} requests over ${connections} connections, after ${warmup} that do not count.`,
    "Only ratios within one run carry over to another machine.",
    "",
    `Load: \`${loadCommand({ host: "ADDRESS", port: 0, authority: "NAME" }, requests).join(" ").replace(":0/", ":PORT/")}\``,
    "",
  ];
}

function closedTable(results: Results, work: Work): string[] {
  const rows = results.closed.get(work);
  if (rows === undefined) return [];
  const ours = cpuOf(results, work, "heddle");
  const lines = [...rows].map(([name, runs]) => {
    const of = (pick: (run: LoadResult) => number): number => median(runs.map(pick));
    const cpu = of((run) => run.cpuUs);
    const ratio = ours === null || name === "heddle" ? "" : (ours / cpu).toFixed(2);
    const spread = `${Math.min(...runs.map((run) => run.cpuUs)).toFixed(1)}–${Math.max(...runs.map((run) => run.cpuUs)).toFixed(1)}`;
    const cells = [
      name,
      cpu.toFixed(1),
      spread,
      ratio,
      of((run) => run.perSecond).toFixed(0),
      ms(of((run) => run.p50Us)),
      ms(of((run) => run.p99Us)),
      of((run) => run.rssMb).toFixed(0),
    ];
    return row(cells);
  });
  return [
    `## ${titles[work]}`,
    "",
    row([
      "",
      "CPU µs per request",
      "spread",
      "heddle ÷ it",
      "requests/s",
      "p50 ms",
      "p99 ms",
      "RSS under load MB",
    ]),
    row(["---", "---:", "---:", "---:", "---:", "---:", "---:", "---:"]),
    ...lines,
    "",
  ];
}

function latencyTable(results: Results, latency: ReadonlyMap<string, readonly OpenLoopResult[]>): string[] {
  const { paced, pacedRequests, rounds } = results;
  const lines = [...latency].map(([name, runs]) => {
    const of = (pick: (run: OpenLoopResult) => number): number => median(runs.map(pick));
    const added =
      name === "direct" ? ["", ""] : [ms(addedOf(latency, name, "p50")), ms(addedOf(latency, name, "p99"))];
    const failed = runs.reduce((sum, run) => sum + run.failed, 0);
    return row([
      name,
      ms(of((run) => run.p50)),
      ms(of((run) => run.p99)),
      ms(of((run) => run.p999)),
      ms(of((run) => run.max)),
      ...added,
      String(failed),
    ]);
  });
  return [
    "## Latency that a pair adds, open loop",
    "",
    `${paced.rate} requests/s over ${paced.connections} connections, evenly spaced arrivals, counted from the moment a request was due; ${pacedRequests} requests a round,`,
    `medians of ${rounds} interleaved rounds. Added: the direct call of the same round subtracted.`,
    "",
    row(["", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "added p50", "added p99", "failed"]),
    row(["---", "---:", "---:", "---:", "---:", "---:", "---:", "---:"]),
    ...lines,
    "",
  ];
}

function idleTable(idle: IdleResult): string[] {
  return [
    "## A heddle proxy by itself",
    "",
    `RSS of an idle proxy ${(idle.afterMs / 1_000).toFixed(0)} s after its start, policy host apart: ${idle.rssMb.toFixed(1)} MB.`,
    `From start to the first accepted connection, snapshot on disk: ${median(idle.firstAcceptMs).toFixed(1)} ms (median of ${idle.firstAcceptMs.length}, from ${Math.min(...idle.firstAcceptMs).toFixed(1)} to ${Math.max(...idle.firstAcceptMs).toFixed(1)}).`,
    "",
  ];
}

function barsOf(results: Results): string[] {
  const bars = [
    ...works.flatMap((work) => cpuBarsOf(results, work)),
    ...latencyBars(results),
    ...idleBars(results),
  ];
  if (bars.length === 0) return [];
  return [
    "## Bars",
    "",
    row(["", "wanted at most", "measured", ""]),
    row(["---", "---:", "---:", "---"]),
    ...bars,
    "",
  ];
}

function cpuBarsOf(results: Results, work: Work): string[] {
  const ours = cpuOf(results, work, "heddle");
  if (ours === null) return [];
  return Object.entries(cpuBars[work]).flatMap(([name, bar]) => {
    const theirs = cpuOf(results, work, name);
    if (theirs === null) return [];
    return [barRow(`(${"abc"[works.indexOf(work)]}) CPU ÷ ${name}`, bar, ours / theirs, "")];
  });
}

function latencyBars({ latency }: Results): string[] {
  if (latency === null || !latency.has("heddle")) return [];
  const added = (name: string, which: "p50" | "p99"): number => addedOf(latency, name, which) / 1_000;
  const bars: string[] = [];
  if (latency.has("HAProxy")) {
    bars.push(
      barRow("added p50", 1.2 * added("HAProxy", "p50") + 0.1, added("heddle", "p50"), " ms"),
      barRow("added p99", 1.2 * added("HAProxy", "p99") + 0.5, added("heddle", "p99"), " ms"),
    );
  }
  if (latency.has("Envoy")) {
    bars.push(barRow("added p50 ÷ Envoy", 0.5, added("heddle", "p50") / added("Envoy", "p50"), ""));
  }
  return bars;
}

function idleBars({ idle }: Results): string[] {
  if (idle === null) return [];
  return [
    barRow("RSS idle", idleBarMb, idle.rssMb, " MB"),
    barRow("first accept", firstAcceptBarMs, median(idle.firstAcceptMs), " ms"),
  ];
}

function barRow(title: string, wanted: number, measured: number, unit: string): string {
  const verdict = measured <= wanted ? "met" : "**missed**";
  return row([title, `${wanted.toFixed(2)}${unit}`, `${measured.toFixed(2)}${unit}`, verdict]);
}

function cpuOf(results: Results, work: Work, name: string): number | null {
  const runs = results.closed.get(work)?.get(name);
  return runs === undefined ? null : median(runs.map((run) => run.cpuUs));
}

/** Median over the rounds of what it took more than the direct call of the same round, microseconds. */
function addedOf(
  latency: ReadonlyMap<string, readonly OpenLoopResult[]>,
  name: string,
  which: "p50" | "p99",
): number {
  const direct = latency.get("direct") ?? [];
  return median((latency.get(name) ?? []).map((run, round) => run[which] - (direct[round]?.[which] ?? 0)));
}

function ms(micros: number): string {
  return (micros / 1_000).toFixed(2);
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}
