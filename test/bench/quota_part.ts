/**
 * What a further event loop is worth: requests a second where each may take 30 % of a core, so that load and backend have room beside two
 * of them on a machine of two cores.
 */
import { shardsOf } from "../support/shard_processes.ts";
import { startHeddle, type StartedHeddle } from "./heddle.ts";
import { closedLoop } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import type { Subject } from "./peers/peer.ts";
import { quotaOf } from "./quota.ts";
import { interleave, median } from "./rounds.ts";
import { backends, loadCore, newStage, note, proxyCore, startLoad, stopStage, type Stage } from "./stage.ts";
import { row, tableHead } from "./tables.ts";
import { warm } from "./warming.ts";

const work = "hop";
const share = 0.3;
const wanted = 1.8;
/** Loopback addresses of the second mesh begin here. */
const otherAddressFirst = 20;

interface Side {
  readonly loops: 1 | 2;
  readonly heddle: StartedHeddle;
}

/** Lines of a table; the reason where this machine gives no quotas. */
export async function measureQuota(options: BenchOptions): Promise<string[]> {
  const quota = quotaOf(share);
  if (typeof quota === "string")
    return [`Throughput with a quota for each loop was not measured: ${quota}.`, ""];
  const stage = newStage();
  const sides: Side[] = [];
  try {
    await startLoad(stage, [work]);
    for (const loops of [1, 2] as const) sides.push({ loops, heddle: await started(loops) });
    for (const { heddle } of sides) await warm(stage, "http1", subjectOf(heddle), options);
    quota.hold(sides.flatMap(({ loops, heddle }) => (loops === 1 ? [heddle.near] : shardsOf(heddle.near))));
    return linesOf(await rates(stage, sides, options));
  } finally {
    quota.release();
    await Promise.all(sides.map(({ heddle }) => heddle.stop()));
    await stopStage(stage);
  }
}

async function started(loops: 1 | 2): Promise<StartedHeddle> {
  const heddle = await startHeddle({
    ...{ backends, proxyCore, loadCore, wanted: [work] },
    proxyEnv: { HEDDLE_SHARDS: String(loops) },
    addressFirst: loops === 1 ? 0 : otherAddressFirst,
  });
  if (typeof heddle === "string") throw new Error(`Cannot start heddle: ${heddle}`);
  return heddle;
}

function subjectOf(heddle: StartedHeddle): Subject {
  return heddle.subjects.get(work)?.get("heddle") as Subject;
}

/** Requests a second of each round. A loop gets as many requests, however many there are, so that all rounds last for as many periods. */
async function rates(
  { folder }: Stage,
  sides: readonly Side[],
  { rounds, counts }: BenchOptions,
): Promise<ReadonlyMap<string, readonly number[]>> {
  return await interleave(
    sides.map(({ loops }) => String(loops)),
    rounds,
    async (name) => {
      const { loops, heddle } = sides.find((side) => String(side.loops) === name) as Side;
      const count = loops * counts.http1;
      const { rate } = await closedLoop("http1", subjectOf(heddle), { count, core: loadCore, folder });
      note(`quota: ${name} loops: ${rate.toFixed(0)} requests/s`);
      return rate;
    },
  );
}

function linesOf(found: ReadonlyMap<string, readonly number[]>): string[] {
  const [one = [], two = []] = [found.get("1"), found.get("2")];
  const ratio = median(two.map((rate, at) => rate / (one[at] ?? Number.NaN)));
  const shown = [median(one).toFixed(0), median(two).toFixed(0), ratio.toFixed(2)];
  return [
    `Requests a second of one hop of HTTP/1.1 where each loop may take ${share * 100} % of a core (a control group for each; their keeper has none).`,
    "",
    ...tableHead(["one loop", "two", "two ÷ one", `at least ${wanted.toFixed(2)}`]),
    row(["requests/s", ...shown, ratio >= wanted ? "met" : "**missed**"]),
    "",
  ];
}
