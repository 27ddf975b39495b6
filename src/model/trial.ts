/** How a version of a policy does that is tried beside the one in force, as proxies tell the controller. */
import { failsMore, type Tally } from "../base/sequential_test.ts";

export interface TrialReading {
  /** Of the policy. */
  readonly name: string;
  /** Of the version that is tried. */
  readonly hash: string;
  /** Which trial of it, as the snapshot says when it began. Absent: a proxy of before does not say. */
  readonly startedMs?: number;
  /** Exchanges that it was asked about, and those of the version in force since then. */
  readonly now: Tally;
  readonly before: Tally;
  /** Those of the version in force before. Absent: none are known. */
  readonly earlier?: Tally;
  /** How often answers came late, and how often the code of a version took long. Absent: it is not known yet what would be. */
  readonly late?: SlowReading;
  readonly costly?: SlowReading;
  /** As a shadow: how often both said the same. */
  readonly agreed: number;
  readonly differed: number;
  /** What differed, `goes on / answered 403`, with how often. */
  readonly differences: readonly Difference[];
  /** Why this proxy does not ask it any more; null: it does. */
  readonly returned: string | null;
}

/** `failed` are those that took `us` microseconds or more. */
export interface SlowReading {
  readonly us: number;
  readonly now: Tally;
  readonly before: Tally;
}

export interface Difference {
  readonly what: string;
  readonly count: number;
}

/** Why a version is not to be asked any more; null: nothing speaks against it. */
export function verdictOf({
  now,
  before,
  earlier,
  late,
  costly,
}: Pick<TrialReading, "now" | "before" | "earlier" | "late" | "costly">): string | null {
  const of = (one: Tally, other: Tally, what: string): string =>
    `${one.failed} of its ${one.calls} calls ${what}, and ${other.failed} of ${other.calls} of the version in force`;
  if (failsMore(now, before, earlier)) return of(now, before, "failed");
  if (late !== undefined && failsMore(late.now, late.before))
    return of(late.now, late.before, `were answered after ${msOf(late)} or later`);
  if (costly !== undefined && failsMore(costly.now, costly.before))
    return of(costly.now, costly.before, `ran for ${msOf(costly)} or longer`);
  return null;
}

function msOf({ us }: SlowReading): string {
  return `${Number((us / 1_000).toFixed(1))} ms`;
}

/** Of several event loops or machines together. */
export function addReadings(all: readonly TrialReading[]): readonly TrialReading[] {
  const sums = new Map<string, TrialReading>();
  for (const each of all) {
    const key = `${each.name} ${each.hash} ${each.startedMs}`;
    const sum = sums.get(key);
    sums.set(key, sum === undefined ? each : added(sum, each));
  }
  return [...sums.values()];
}

function added(one: TrialReading, other: TrialReading): TrialReading {
  const counts = new Map(one.differences.map(({ what, count }) => [what, count]));
  for (const { what, count } of other.differences) counts.set(what, (counts.get(what) ?? 0) + count);
  const [earlier, late, costly] = [
    both(one.earlier, other.earlier, tally),
    both(one.late, other.late, slow),
    both(one.costly, other.costly, slow),
  ];
  return {
    ...one,
    now: tally(one.now, other.now),
    before: tally(one.before, other.before),
    ...(earlier === undefined ? {} : { earlier }),
    ...(late === undefined ? {} : { late }),
    ...(costly === undefined ? {} : { costly }),
    agreed: one.agreed + other.agreed,
    differed: one.differed + other.differed,
    differences: [...counts].map(([what, count]) => ({ what, count })),
    returned: one.returned ?? other.returned,
  };
}

function both<Each>(
  one: Each | undefined,
  other: Each | undefined,
  sum: (one: Each, other: Each) => Each,
): Each | undefined {
  return one === undefined || other === undefined ? (one ?? other) : sum(one, other);
}

function tally(one: Tally, other: Tally): Tally {
  return { calls: one.calls + other.calls, failed: one.failed + other.failed };
}

/** What is long differs from one to the other: the longer is told. */
function slow(one: SlowReading, other: SlowReading): SlowReading {
  return {
    us: Math.max(one.us, other.us),
    now: tally(one.now, other.now),
    before: tally(one.before, other.before),
  };
}
