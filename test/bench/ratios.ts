/**
 * Today's cost held against that of another commit: each round gives a ratio of its own, because how fast the machine is differs
 * more from round to round than the commits do. The median of the ratios counts, with the interval in which it lies for sure.
 */
import { quantile } from "./rounds.ts";
import { row, tableHead } from "./tables.ts";

/** What one round cost, all turns of a side together. */
export interface RoundCosts {
  readonly today: number;
  readonly other: number;
}

export interface RatioRow {
  readonly name: string;
  /** As its load tells it: "CPU µs per request". */
  readonly cost: string;
  readonly rounds: readonly RoundCosts[];
}

export interface Ratio {
  /** Of the median round of each. */
  readonly today: number;
  readonly other: number;
  readonly median: number;
  /** Where the median of ever more rounds would be, with 95 %. */
  readonly interval: readonly [number, number];
  readonly quartiles: readonly [number, number];
}

export function ratioOf({ rounds }: RatioRow): Ratio {
  const ratios = rounds.map(({ today, other }) => today / other);
  return {
    today: quantile(
      rounds.map(({ today }) => today),
      0.5,
    ),
    other: quantile(
      rounds.map(({ other }) => other),
      0.5,
    ),
    median: quantile(ratios, 0.5),
    interval: medianInterval(ratios),
    quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
  };
}

/** Ranks of the sorted values around the median, whatever their distribution: each side misses it in at most 2.5 % of all samples. */
export function medianInterval(values: readonly number[]): [number, number] {
  const sorted = [...values].sort((a, b) => a - b);
  // How likely it is that so many of them, or fewer, are below the median.
  let likely = 0;
  let exactly = 0.5 ** sorted.length;
  let rank = 0;
  while (rank < sorted.length && likely + exactly <= 0.025) {
    likely += exactly;
    exactly *= (sorted.length - rank) / (rank + 1);
    rank++;
  }
  const low = sorted[rank - 1] ?? Number.NEGATIVE_INFINITY;
  return [low, sorted[sorted.length - rank] ?? Number.POSITIVE_INFINITY];
}

export type Verdict = "met" | "unclear" | "**missed**";

/** Unclear: more rounds would tell. */
export function verdictOf(one: RatioRow, bar: number): Verdict {
  const [low, high] = ratioOf(one).interval;
  if (high <= bar) return "met";
  return low > bar ? "**missed**" : "unclear";
}

export function ratioTable(rows: readonly RatioRow[], other: string, bar: number): string[] {
  const lines = rows.map((one) => {
    const ratio = ratioOf(one);
    return row([
      one.name,
      one.cost.replace(/^CPU /, ""),
      ratio.today.toFixed(2),
      ratio.other.toFixed(2),
      ratio.median.toFixed(3),
      between(ratio.interval),
      between(ratio.quartiles),
      verdictOf(one, bar),
    ]);
  });
  const titles = ["CPU", "today", other, "ratio", "95 %", "quartiles", `at most ${bar.toFixed(2)}`];
  return [...tableHead(titles), ...lines, ""];
}

function between(ends: readonly [number, number]): string {
  return ends.map((each) => each.toFixed(3)).join("–");
}
