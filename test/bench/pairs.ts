/**
 * Two meshes of heddle that differ in one thing, held against one another: a mesh of each at the same time, and rounds of the same load
 * on one, the other, the other, the one, so that a machine which becomes slower or faster meanwhile does so for both. Both meshes
 * are started anew several times, because processes of one binary differ too: in what they compile while they run, and when.
 */
import { limits } from "../../src/model/limits.ts";
import { startHeddle, type HeddleContext, type StartedHeddle } from "./heddle.ts";
import { closedLoop, loads } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import type { Subject } from "./peers/peer.ts";
import type { RatioRow, RoundCosts } from "./ratios.ts";
import {
  backends,
  loadCore,
  newStage,
  note,
  proxyCore,
  startLoad,
  stopStage,
  worksFor,
  type Stage,
} from "./stage.ts";
import { carryFirst } from "./work_part.ts";
import { workPlans, type Work } from "./works.ts";
import { warm } from "./warming.ts";

/** Loopback addresses of the other mesh begin here: those of today's are below. */
const otherAddressFirst = 20;

/**
 * A proxy gives memory back once, some time after its start, and with it all code that was compiled while it ran: what is warmed before
 * is cold again, and that was the mesh warmed first alone.
 */
const compactMs = 1_000;

/** A turn is so small a part of what a round is elsewhere: what is compared is to be close together. */
export const turnsPerCount = 8;

type Side = keyof RoundCosts;
type Pair = Readonly<Record<Side, StartedHeddle>>;

/** What of each side is its own. */
export type Sides = Readonly<Record<Side, Pick<HeddleContext, "binary" | "proxyEnv">>>;

/** A row for every way that heddle has to do the work. */
export async function rowsOf(
  work: Work,
  sides: Sides,
  options: BenchOptions,
  starts: number,
  versions: Set<string>,
): Promise<RatioRow[]> {
  const ways = new Map<string, RoundCosts[]>();
  for (let start = 0; start < starts; start++) {
    const version = await onNewPair(work, sides, start, async (stage, pair) => {
      note(`${work}, start ${start + 1}:`);
      for (const [way, rounds] of await compare(stage, work, pair, options)) {
        ways.set(way, [...(ways.get(way) ?? []), ...rounds]);
      }
    });
    versions.add(version);
  }
  const { cost } = loads[workPlans[work].load];
  return [...ways].map(([way, rounds]) => ({ name: way.replace(/^heddle/, work), cost, rounds }));
}

export function turnOf(counts: BenchOptions["counts"], work: Work): number {
  return Math.ceil(counts[workPlans[work].load] / turnsPerCount);
}

/** Returns the versions of both. Whose mesh is started first changes with every start. */
async function onNewPair(
  work: Work,
  sides: Sides,
  start: number,
  run: (stage: Stage, pair: Pair) => Promise<void>,
): Promise<string> {
  const stage = newStage();
  const started = new Map<Side, StartedHeddle>();
  const places = {
    today: { ...sides.today, addressFirst: 0 },
    other: { ...sides.other, addressFirst: otherAddressFirst },
  } as const;
  try {
    const wanted = worksFor(work);
    await startLoad(stage, wanted);
    for (const side of turns(start).slice(0, 2)) {
      const heddle = await startHeddle({ backends, proxyCore, loadCore, wanted, ...places[side] });
      if (typeof heddle === "string") throw new Error(`Cannot start heddle: ${heddle}`);
      started.set(side, heddle);
    }
    const [today, other] = [started.get("today"), started.get("other")];
    if (today === undefined || other === undefined) throw new Error("Cannot compare: a mesh is missing");
    await Bun.sleep(limits.compactAfterMs + compactMs);
    await run(stage, { today, other });
    return `Today: heddle ${today.version}; the other: heddle ${other.version}`;
  } finally {
    await Promise.all([...started.values()].map((heddle) => heddle.stop()));
    await stopStage(stage);
  }
}

/** The order within a round; the next one begins with who was second. */
function turns(round: number): readonly [Side, Side, Side, Side] {
  return round % 2 === 0 ? ["today", "other", "other", "today"] : ["other", "today", "today", "other"];
}

/** Rounds of every way that heddle has to do the work, by its name. */
async function compare(
  stage: Stage,
  work: Work,
  pair: Pair,
  options: BenchOptions,
): Promise<Map<string, RoundCosts[]>> {
  const { load } = workPlans[work];
  const subjectsOf = (side: Side): ReadonlyMap<string, Subject> => pair[side].subjects.get(work) ?? new Map();
  for (const side of ["today", "other"] as const) {
    await carryFirst(stage, work, pair[side].subjects, options);
    for (const subject of subjectsOf(side).values()) await warm(stage, load, subject, options);
  }
  const turn = { count: turnOf(options.counts, work), core: loadCore, folder: stage.folder };
  const found = new Map<string, RoundCosts[]>();
  for (let round = -(options.uncountedRounds ?? 0); round < options.rounds; round++) {
    for (const [way, today] of subjectsOf("today")) {
      const other = subjectsOf("other").get(way);
      if (other === undefined) throw new Error(`Cannot compare "${way}": the other mesh has no such way`);
      const subjects = { today, other };
      const costs = { today: 0, other: 0 };
      for (const side of turns(round)) costs[side] += (await closedLoop(load, subjects[side], turn)).cost / 2;
      const shown = [costs.today, costs.other, costs.today / costs.other].map((each) => each.toFixed(3));
      note(`${way.replace(/^heddle/, work)} ${round + 1}: ${shown[0]} ÷ ${shown[1]} = ${shown[2]}`);
      if (round >= 0) found.set(way, [...(found.get(way) ?? []), costs]);
    }
  }
  return found;
}
