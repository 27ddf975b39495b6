/** Floods: for each kind, how much the proxy grows, and what a well-behaved client beside it notices. */
import { bun } from "../../compile/repository.ts";
import { paths } from "./backends.ts";
import type { FloodOptions, FloodResult } from "./flood.ts";
import { floodKinds, floodNames, type FloodName } from "./flood_kinds.ts";
import type { StartedHeddle } from "./heddle.ts";
import { openLoop, output, whileAwake } from "./load.ts";
import type { OpenLoopResult } from "./open_loop.ts";
import type { BenchOptions } from "./options.ts";
import type { Subject } from "./peers/peer.ts";
import { median } from "./rounds.ts";
import { loadCore, note, proxyCore, type Stage } from "./stage.ts";
import { barTable, ms, row, tableHead, type Bar } from "./tables.ts";
import { residentMb } from "./usage.ts";

const growthBarMb = 64;
const tailBar = 2;
/** The well-behaved client. */
const beside = { rate: 500, connections: 8, warmup: 1_000 } as const;
const everyMs = 50;
/**
 * Each kind is tried so often, the client alone right before: a tail is quickly another one on a shared machine. A turn more
 * comes first and is told apart: the proxies compile what a flood makes them do, as they compiled long ago what others do.
 */
const turnsCounted = 7;

interface Turn {
  readonly alone: OpenLoopResult;
  readonly during: OpenLoopResult;
  readonly flood: FloodResult;
  readonly growthMb: number;
}

interface Measured {
  readonly kind: FloodName;
  readonly first: Turn;
  readonly turns: readonly Turn[];
}

export async function measureFloods(
  stage: Stage,
  heddle: StartedHeddle,
  options: BenchOptions,
): Promise<string[]> {
  const subject = stage.subjects.get("pair")?.get("heddle");
  if (subject === undefined) throw new Error("Cannot flood heddle: its pair was not started");
  const count = (options.floodMs / 1_000) * beside.rate;
  const load = (onCounting?: () => void): Promise<OpenLoopResult> => {
    const { host, port, authority } = subject;
    return openLoop({ host, port, authority, path: paths.page, ...beside, count }, loadCore, onCounting);
  };
  await load();
  const all: Measured[] = [];
  for (const kind of floodNames) {
    const turn = async (): Promise<Turn> => {
      const alone = await whileAwake([proxyCore, loadCore], () => load());
      const watch = watchGrowth([heddle.near, heddle.far]);
      // The flood keeps its core awake itself.
      const [during, flood] = await whileAwake([proxyCore], async () => {
        const begun = Promise.withResolvers<Promise<FloodResult>>();
        const during = load(() => begun.resolve(runFlood(kind, subject, heddle, options.floodMs)));
        return Promise.all([during, begun.promise]);
      });
      const growthMb = watch.stop();
      note(
        `flood ${kind}: p99 ${alone.p99} to ${during.p99} us, ${during.failed} failed, RSS +${growthMb.toFixed(1)} MB, ${flood.cut} of ${flood.opened} cut`,
      );
      return { alone, during, flood, growthMb };
    };
    const first = await turn();
    const turns: Turn[] = [];
    while (turns.length < turnsCounted) turns.push(await turn());
    all.push({ kind, first, turns });
  }
  return [
    `Each kind lasts ${options.floodMs / 1_000} s, and connections that are cut come back after 50 ms; beside it a client with ${beside.rate} requests/s through the pair, open`,
    `loop, alone first. ${turnsCounted} turns: medians of p99 and of its ratios, sums of what failed, was opened, cut and sent. Growth: of the`,
    "proxy that grew most, at its highest. First: a turn before these, in which proxies compile what the flood makes them do; of the",
    "medians it is no part, of the growth it is. No processor halts meanwhile, and the flood gives way to the client on its core.",
    "",
    ...tableHead([
      "RSS growth MB",
      "p99 alone ms",
      "first ms",
      "p99 beside ms",
      "ratio",
      "failed beside",
      "opened",
      "cut",
      "sent MB",
    ]),
    ...all.map(floodRow),
    "",
    ...barTable(all.flatMap(barsOf)),
  ];
}

function floodRow(measured: Measured): string {
  const { kind, first, turns } = measured;
  const sum = (pick: (turn: Turn) => number): number => turns.reduce((total, turn) => total + pick(turn), 0);
  return row([
    floodKinds[kind].title,
    growthOf(measured).toFixed(1),
    ms(median(turns.map(({ alone }) => alone.p99))),
    ms(first.during.p99),
    ms(median(turns.map(({ during }) => during.p99))),
    ratioOf(turns).toFixed(2),
    String(sum(({ during }) => during.failed)),
    String(sum(({ flood }) => flood.opened)),
    String(sum(({ flood }) => flood.cut)),
    (sum(({ flood }) => flood.sentBytes) / 1e6).toFixed(1),
  ]);
}

function growthOf({ first, turns }: Measured): number {
  return Math.max(first.growthMb, ...turns.map(({ growthMb }) => growthMb));
}

function ratioOf(turns: readonly Turn[]): number {
  return median(turns.map(({ alone, during }) => during.p99 / alone.p99));
}

function barsOf(measured: Measured): Bar[] {
  const { kind, first, turns } = measured;
  const failed = [first, ...turns].reduce((total, { during }) => total + during.failed, 0);
  return [
    { title: `${kind}: growth`, wanted: growthBarMb, measured: growthOf(measured), unit: " MB" },
    { title: `${kind}: p99 beside ÷ alone`, wanted: tailBar, measured: ratioOf(turns), unit: "" },
    { title: `${kind}: failed beside`, wanted: 0, measured: failed, unit: "" },
  ];
}

/** Only when the backend and the client on its core are idle: the proxy is to be tried, not they. */
async function runFlood(
  kind: FloodName,
  subject: Subject,
  heddle: StartedHeddle,
  lastsMs: number,
): Promise<FloodResult> {
  const { host, port } = floodKinds[kind].at === "mesh" ? heddle.meshPort() : subject;
  const options: FloodOptions = { kind, host, port, authority: subject.authority, lastsMs };
  const script = `${import.meta.dir}/flood.ts`;
  const command = [
    "chrt",
    "--idle",
    "0",
    "taskset",
    "-c",
    String(loadCore),
    bun,
    script,
    JSON.stringify(options),
  ];
  return JSON.parse(await output(command, lastsMs + 30_000)) as FloodResult;
}

/** The largest growth of any of them, looked at while it lasts. */
function watchGrowth(pids: readonly number[]): { stop(): number } {
  const before = pids.map((pid) => residentMb(pid));
  let most = 0;
  const look = (): void => {
    pids.forEach((pid, index) => {
      most = Math.max(most, residentMb(pid) - (before[index] ?? 0));
    });
  };
  const timer = setInterval(look, everyMs);
  return {
    stop() {
      clearInterval(timer);
      look();
      return most;
    },
  };
}
