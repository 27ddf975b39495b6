/**
 * Today's cost held against that of another commit: each round gives a ratio of its own, because how fast the machine is differs
 * more from round to round than the commits do; the median of the ratios counts, and their spread says how far to believe it.
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
  readonly quartiles: readonly [number, number];
  readonly extremes: readonly [number, number];
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
    quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
    extremes: [quantile(ratios, 0), quantile(ratios, 1)],
  };
}

/** Also where nothing was measured it is not. */
export function isWithin(one: RatioRow, bar: number): boolean {
  return ratioOf(one).median <= bar;
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
      ratio.quartiles.map((each) => each.toFixed(3)).join("–"),
      ratio.extremes.map((each) => each.toFixed(3)).join("–"),
      isWithin(one, bar) ? "met" : "**missed**",
    ]);
  });
  const titles = ["CPU", "today", other, "ratio", "quartiles", "extremes", `at most ${bar.toFixed(2)}`];
  return [...tableHead(titles), ...lines, ""];
}
