/** What a comparison of two commits says: the median of the ratios of rounds, their spread, and the bar. */
import { expect, test } from "bun:test";
import { ratioOf, ratioTable, type RatioRow } from "../../bench/ratios.ts";

function rowOf(...rounds: readonly (readonly [number, number])[]): RatioRow {
  return {
    name: "hop",
    cost: "CPU µs per request",
    rounds: rounds.map(([today, other]) => ({ today, other })),
  };
}

test("a ratio is that of the median round, not that of the medians: a machine that slows down slows both", () => {
  const row = rowOf([10, 10], [22, 20], [30, 30]);
  expect(ratioOf(row)).toEqual({ today: 22, other: 20, median: 1, quartiles: [1, 1.05], extremes: [1, 1.1] });
});

test("of an even number of rounds the median lies between the two in the middle: none of them is favoured", () => {
  expect(ratioOf(rowOf([10, 10], [12, 10])).median).toBeCloseTo(1.1, 12);
});

test("each row says what both cost, their ratio, its spread, and whether it is within the bar", () => {
  const rows = [rowOf([10, 10], [20.8, 20], [30.3, 30]), { ...rowOf([11, 10]), name: "pair, http/1.1" }];
  expect(ratioTable(rows, "0123456789ab", 1.05)).toEqual([
    "|  | CPU | today | 0123456789ab | ratio | quartiles | extremes | at most 1.05 |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    "| hop | µs per request | 20.80 | 20.00 | 1.010 | 1.005–1.025 | 1.000–1.040 | met |",
    "| pair, http/1.1 | µs per request | 11.00 | 10.00 | 1.100 | 1.100–1.100 | 1.100–1.100 | **missed** |",
    "",
  ]);
});

test("a row in which nothing was measured misses its bar", () => {
  expect(ratioTable([rowOf([1, 0], [0, 0])], "0123456789ab", 1.05)[2]).toContain("**missed**");
  expect(ratioTable([rowOf()], "0123456789ab", 1.05)[2]).toContain("**missed**");
});
