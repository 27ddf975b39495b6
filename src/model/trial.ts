/** How a version of a policy does that is tried beside the one in force, as proxies tell the controller. */
import type { Tally } from "../base/sequential_test.ts";

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
  /** As a shadow: how often both said the same. */
  readonly agreed: number;
  readonly differed: number;
  /** What differed, `goes on / answered 403`, with how often. */
  readonly differences: readonly Difference[];
  /** Why this proxy does not ask it any more; null: it does. */
  readonly returned: string | null;
}

export interface Difference {
  readonly what: string;
  readonly count: number;
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
  return {
    ...one,
    now: tally(one.now, other.now),
    before: tally(one.before, other.before),
    agreed: one.agreed + other.agreed,
    differed: one.differed + other.differed,
    differences: [...counts].map(([what, count]) => ({ what, count })),
    returned: one.returned ?? other.returned,
  };
}

function tally(one: Tally, other: Tally): Tally {
  return { calls: one.calls + other.calls, failed: one.failed + other.failed };
}
