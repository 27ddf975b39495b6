/** Long runs of the fuzzers stand in the results, and a bench that is written later leaves them there. */
import { expect, test } from "bun:test";
import { mergeReport } from "../bench/report.ts";
import { withRun } from "../fuzz/record.ts";

const ran = { executions: 1_200, seconds: 600, seed: 7, kept: 3, grownMb: 1, failure: null };

test("a run replaces the row of its target and no other, and a bench keeps all rows", () => {
  const bench = mergeReport(
    "",
    new Map([["A heddle proxy by itself", "## A heddle proxy by itself\n\ntext"]]),
  );
  const one = withRun(withRun(bench, "hpack", ran), "chunked", { ...ran, failure: "it throws" });
  const two = withRun(one, "hpack", { ...ran, executions: 6_000 });
  expect(two).toContain("| hpack | 600 | 6000 | 10 | 7 | 3 | 1 | nothing |");
  expect(two).toContain("| chunked | 600 | 1200 | 2 | 7 | 3 | 1 | it throws |");
  expect(two.match(/^\| hpack/gm)).toHaveLength(1);
  expect(two).toContain("## A heddle proxy by itself\n\ntext");
  expect(mergeReport(two, new Map())).toBe(two);
});
