/** What picking an endpoint costs, by strategy, among ten and among ten thousand: it is to cost nearly the same. */
import type { Random } from "../../runtime/contract.ts";
import { hashNumber } from "../../src/base/hash.ts";
import { ByKey } from "../../src/proxy/balance/by_key.ts";
import { EndpointPicker } from "../../src/proxy/balance/endpoint_picker.ts";
import { maglevTable } from "../../src/proxy/balance/maglev.ts";
import { PowerOfTwo } from "../../src/proxy/balance/power_of_two.ts";
import { RandomPick } from "../../src/proxy/balance/random_pick.ts";
import { ringTable } from "../../src/proxy/balance/ring_hash.ts";
import { WeightedRoundRobin } from "../../src/proxy/balance/weighted_round_robin.ts";
import type { EndpointStrategy } from "../../src/proxy/balance/endpoint_strategy.ts";
import { serviceOf, type TestCandidate } from "../support/candidates.ts";
import { seeded } from "../support/chance.ts";
import { median } from "./rounds.ts";
import { note } from "./stage.ts";
import { barTable, row, tableHead } from "./tables.ts";

const few = 10;
const many = 10_000;
const picksPerBatch = 1_000;
const batches = 1_000;
const ratioBar = 2;

const strategies: Readonly<Record<string, (random: Random) => EndpointStrategy<TestCandidate>>> = {
  "peak-EWMA": (random) => new PowerOfTwo("ewma", random),
  "least request": (random) => new PowerOfTwo("requests", random),
  "round robin": (random) => new WeightedRoundRobin(random),
  random: (random) => new RandomPick(random),
  Maglev: (random) => new ByKey({ layOut: maglevTable, boundedLoad: 1.25 }, random),
  "ring hash": (random) => new ByKey({ layOut: ringTable, boundedLoad: 1.25 }, random),
};

export function measurePicks(): string[] {
  note("picks: a million for each strategy, among ten and among ten thousand");
  const rows = Object.entries(strategies).map(([name, create]) => {
    const [small, large] = [pickerOf(few, create), pickerOf(many, create)];
    const nanos: [number[], number[]] = [[], []];
    for (let batch = -batches / 10; batch < batches; batch++) {
      const costs = [small, large].map((picker) => batchNanos(picker));
      if (batch >= 0) costs.forEach((cost, at) => nanos[at]?.push(cost));
    }
    return { name, few: median(nanos[0]), many: median(nanos[1]) };
  });
  return [
    `Nanoseconds of a pick: medians of ${batches} batches of ${picksPerBatch} picks, those among ${few} and among ${many} endpoints in turn.`,
    `Three zones, the caller's own first; by key with bounded load; every request has a key of its own and is under way until ${underWayMax} others began.`,
    "",
    ...tableHead([`${few}`, `${many}`, "ratio"]),
    ...rows.map((each) =>
      row([each.name, each.few.toFixed(0), each.many.toFixed(0), (each.many / each.few).toFixed(2)]),
    ),
    "",
    ...barTable(
      rows.map((each) => ({
        title: `${each.name}: ${many} ÷ ${few}`,
        wanted: ratioBar,
        measured: each.many / each.few,
        unit: "",
      })),
    ),
  ];
}

const underWayMax = 64;

interface Picking {
  readonly picker: EndpointPicker<TestCandidate>;
  readonly underWay: (TestCandidate | null)[];
  at: number;
}

function pickerOf(count: number, create: (random: Random) => EndpointStrategy<TestCandidate>): Picking {
  const random = seeded(count);
  const { all, group } = serviceOf(count, (at) => ({ zone: `zone-${at % 3}`, region: "here" }));
  const picker = new EndpointPicker({
    endpoints: all,
    health: group,
    zones: { zone: "zone-1", region: "here", order: null },
    strategy: () => create(random),
    random,
  });
  return { picker, underWay: new Array<TestCandidate | null>(underWayMax).fill(null), at: 0 };
}

/** Each request ends when so many others have begun after it. */
function batchNanos(picking: Picking): number {
  const { picker, underWay } = picking;
  const choice = { key: 0, tried: [], repeatable: true, nowMs: 0 };
  const startedNs = Bun.nanoseconds();
  for (let pick = 0; pick < picksPerBatch; pick++) {
    choice.key = hashNumber(++picking.at, 1);
    choice.nowMs = picking.at / 100;
    const picked = picker.pick(choice);
    picked?.load.started();
    const slot = picking.at % underWayMax;
    underWay[slot]?.load.ended();
    underWay[slot] = picked;
  }
  return (Bun.nanoseconds() - startedNs) / picksPerBatch;
}
