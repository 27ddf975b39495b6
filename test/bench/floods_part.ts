/** Floods: for each kind, how much the proxy grows, and what a well-behaved client beside it notices. */
import { paths } from "./backends.ts";
import type { FloodResult } from "./flood.ts";
import { floodKinds, floodNames, type FloodName } from "./flood_kinds.ts";
import type { StartedHeddle } from "./heddle.ts";
import { openLoop, whileAwake } from "./load.ts";
import type { OpenLoopResult } from "./open_loop.ts";
import type { BenchOptions } from "./options.ts";
import { prepareFlood } from "./prepared_flood.ts";
import { median } from "./rounds.ts";
import { loadCore, note, proxyCore, type Stage } from "./stage.ts";
import { barTable, ms, row, tableHead, type Bar } from "./tables.ts";
import { residentMb } from "./usage.ts";

const growthBarMb = 64;
const tailBar = 2;
/** The well-behaved client. */
const beside = { rate: 500, connections: 8, warmup: 1_000 } as const;
/** What proxies that run for a while have behind them: their compilers are done with it. */
const warming = { ...beside, rate: 4_000, count: 40_000 } as const;
/** What the client takes to warm up and to end, at most: floods end by themselves then. */
const besideMsMax = 30_000;
const everyMs = 50;
/**
 * Each kind is tried so often, the client alone right before: a tail is quickly another one on a shared machine. A turn more
 * comes first and is told apart: the proxies compile what a flood makes them do, as they compiled long ago what others do.
 */
const turnsCounted = 7;

/** A client with a flood beside it. */
interface Together {
  readonly client: OpenLoopResult;
  readonly flood: FloodResult;
  readonly growthMb: number;
}

interface Turn {
  readonly alone: Together;
  readonly during: Together;
}

interface Measured {
  readonly kind: FloodName;
  readonly first: Turn;
  readonly turns: readonly Turn[];
}

/** Each of these kinds, with the client beside it. */
async function measureKinds(
  stage: Stage,
  heddle: StartedHeddle,
  options: BenchOptions,
  kinds: readonly FloodName[],
): Promise<Measured[]> {
  const subject = stage.subjects.get("pair")?.get("heddle");
  if (subject === undefined) throw new Error("Cannot flood heddle: its pair was not started");
  const { host, port, authority } = subject;
  const client = { host, port, authority, path: paths.page };
  const count = (options.floodMs / 1_000) * beside.rate;
  const together = async (kind: FloodName): Promise<Together> => {
    const at = floodKinds[kind].at === "mesh" ? heddle.meshPort() : { host, port };
    const prepared = await prepareFlood({
      ...at,
      kind,
      authority,
      lastsMsMax: options.floodMs + besideMsMax,
    });
    const watch = watchGrowth([heddle.near, heddle.far]);
    try {
      const begin = (): void => prepared.begin();
      const load = { ...client, ...beside, count };
      const result = await whileAwake([proxyCore], () => openLoop(load, loadCore, begin));
      return { client: result, flood: await prepared.end(), growthMb: watch.stop() };
    } finally {
      watch.stop();
      prepared.kill();
    }
  };
  await openLoop({ ...client, ...warming }, loadCore);
  const all: Measured[] = [];
  for (const kind of kinds) {
    const first = await takeTurn(kind, together);
    const turns: Turn[] = [];
    while (turns.length < turnsCounted) turns.push(await takeTurn(kind, together));
    all.push({ kind, first, turns });
  }
  return all;
}

export async function measureFloods(
  stage: Stage,
  heddle: StartedHeddle,
  options: BenchOptions,
): Promise<string[]> {
  const all = await measureKinds(stage, heddle, options, floodNames);
  return [
    `Each kind lasts ${options.floodMs / 1_000} s, and connections that are cut come back after 50 ms; beside it a client with ${beside.rate} requests/s through the pair, open`,
    "loop. Alone: right before, beside a flood of nothing, which is the same program without a connection; the row of that name is",
    `how far the measurement differs from itself. ${turnsCounted} turns: medians of p99 and of its ratios, sums of what failed, was opened, cut and`,
    "sent. Growth: of the proxy that grew most, at its highest. First: a turn before these, in which proxies compile what the flood",
    `makes them do; of the medians it is no part, of the growth it is. The proxies have answered ${warming.count} requests before. No processor`,
    "halts meanwhile, and the flood gives way to the client on its core.",
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
    ...barTable(all.filter(({ kind }) => kind !== "nothing").flatMap(barsOf)),
  ];
}

/** How long another client waits is printed; how many of a burst go before its request is held by test/unit/proxy/burst_test.ts. */
export async function measureBurst(
  stage: Stage,
  heddle: StartedHeddle,
  options: BenchOptions,
): Promise<string[]> {
  const all = await measureKinds(stage, heddle, options, ["nothing", "burst"]);
  return [
    `For ${options.floodMs / 1_000} s each, as the floods of (k) are measured, with windows of streams and connections open as wide as may be; beside it a client of`,
    `HTTP/1.1 with ${beside.rate} requests/s through the pair, open loop. The pair serves 3,200 requests of a burst one turn after the other, 64 in a turn`,
    "of the event loop at most, and those of who sends few before the rest.",
    "",
    ...tableHead([
      "RSS growth MB",
      "p99 alone ms",
      "first ms",
      "p99 beside ms",
      "ratio",
      "failed",
      "opened",
      "cut",
      "MB sent",
    ]),
    ...all.map(floodRow),
    "",
    ...barTable(all.flatMap(barsOf).filter(({ title }) => title === "burst: failed beside")),
  ];
}

async function takeTurn(kind: FloodName, together: (kind: FloodName) => Promise<Together>): Promise<Turn> {
  const alone = await together("nothing");
  const during = await together(kind);
  const { client, flood, growthMb } = during;
  note(
    `flood ${kind}: p99 ${alone.client.p99} to ${client.p99} us, ${client.failed} failed, RSS +${growthMb.toFixed(1)} MB, ${flood.cut} of ${flood.opened} cut`,
  );
  return { alone, during };
}

function floodRow(measured: Measured): string {
  const { kind, first, turns } = measured;
  const sum = (pick: (turn: Turn) => number): number => turns.reduce((total, turn) => total + pick(turn), 0);
  return row([
    floodKinds[kind].title,
    growthOf(measured).toFixed(1),
    ms(median(turns.map(({ alone }) => alone.client.p99))),
    ms(first.during.client.p99),
    ms(median(turns.map(({ during }) => during.client.p99))),
    ratioOf(turns).toFixed(2),
    String(sum(({ during }) => during.client.failed)),
    String(sum(({ during }) => during.flood.opened)),
    String(sum(({ during }) => during.flood.cut)),
    (sum(({ during }) => during.flood.sentBytes) / 1e6).toFixed(1),
  ]);
}

function growthOf({ first, turns }: Measured): number {
  return Math.max(...[first, ...turns].map(({ during }) => during.growthMb));
}

function ratioOf(turns: readonly Turn[]): number {
  return median(turns.map(({ alone, during }) => during.client.p99 / alone.client.p99));
}

function barsOf(measured: Measured): Bar[] {
  const { kind, first, turns } = measured;
  const failed = [first, ...turns].reduce((total, { during }) => total + during.client.failed, 0);
  return [
    { title: `${kind}: growth`, wanted: growthBarMb, measured: growthOf(measured), unit: " MB" },
    { title: `${kind}: p99 beside ÷ alone`, wanted: tailBar, measured: ratioOf(turns), unit: "" },
    { title: `${kind}: failed beside`, wanted: 0, measured: failed, unit: "" },
  ];
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
