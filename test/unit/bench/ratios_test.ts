/** What a comparison of two commits says: the median of the ratios of rounds, their spread, and the bar. */
import { expect, test } from "bun:test";
import { medianInterval, ratioOf, ratioTable, type RatioRow } from "../../bench/ratios.ts";

function rowOf(...rounds: readonly (readonly [number, number])[]): RatioRow {
  return {
    name: "hop",
    cost: "CPU µs per request",
    rounds: rounds.map(([today, other]) => ({ today, other })),
  };
}

test("a ratio is that of the median round, not that of the medians: a machine that slows down slows both", () => {
  const row = rowOf([10, 10], [22, 20], [30, 30]);
  expect(ratioOf(row)).toMatchObject({ today: 22, other: 20, median: 1, quartiles: [1, 1.05] });
});

test("of an even number of rounds the median lies between the two in the middle: none of them is favoured", () => {
  expect(ratioOf(rowOf([10, 10], [12, 10])).median).toBeCloseTo(1.1, 12);
});

test("the median is known the better the more rounds there are, and of few not at all", () => {
  const ratios = (count: number) => Array.from({ length: count }, (_, at) => at);
  // Ranks by the binomial distribution: 2.5 % and less of all samples leave the median on either side of them.
  expect(medianInterval(ratios(5))).toEqual([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
  expect(medianInterval(ratios(6))).toEqual([0, 5]);
  expect(medianInterval(ratios(15))).toEqual([3, 11]);
  expect(medianInterval(ratios(45).reverse())).toEqual([15, 29]);
});

test("each row says what both cost, their ratio, how well it is known, and whether it is within the bar", () => {
  const spread = (name: string, around: number): RatioRow => {
    const offsets = [-0.04, -0.02, -0.01, 0, 0, 0.01, 0.02, 0.04];
    return { ...rowOf(...offsets.map((each) => [20 * (around + each), 20] as const)), name };
  };
  const rows = [spread("hop", 1), spread("pair, http/1.1", 1.03), spread("grpc", 1.2)];
  expect(ratioTable(rows, "0123456789ab", 1.05)).toEqual([
    "|  | CPU | today | 0123456789ab | ratio | 95 % | quartiles | at most 1.05 |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    "| hop | µs per request | 20.00 | 20.00 | 1.000 | 0.960–1.040 | 0.988–1.012 | met |",
    "| pair, http/1.1 | µs per request | 20.60 | 20.00 | 1.030 | 0.990–1.070 | 1.018–1.042 | unclear |",
    "| grpc | µs per request | 24.00 | 20.00 | 1.200 | 1.160–1.240 | 1.188–1.212 | **missed** |",
    "",
  ]);
});

test("a row in which nothing was measured does not meet its bar", () => {
  expect(ratioTable([rowOf([1, 0], [0, 0])], "0123456789ab", 1.05)[2]).toContain("| unclear |");
  expect(ratioTable([rowOf()], "0123456789ab", 1.05)[2]).toContain("| unclear |");
});
