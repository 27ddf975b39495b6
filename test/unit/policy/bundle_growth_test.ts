/**
 * The time that bundling takes grows as the text does. What counts is processor time of this process, as a ratio: four times
 * the text may take twelve times as long, where a quadratic step takes sixteen times; what is quick at full length passes.
 */
import { describe, expect, test } from "bun:test";
import { bundlePolicies } from "../../../src/policy/bundle.ts";
import { LineStarts } from "../../../src/policy/line_starts.ts";
import { SourceMap } from "../../../src/policy/source_map.ts";
import { hostileShapes } from "../../support/hostile_policies/shapes.ts";
import { sampleOf } from "../../support/quick.ts";
import { processorClock } from "../../support/processor_time.ts";
import { runtime } from "../../support/runtime_under_test.ts";

const long = 160_000;
const quickMs = 400;
const ratioMax = 12;

async function processorMs(text: string): Promise<number> {
  const spentMs = processorClock();
  await bundlePolicies([{ file: "policies/p.ts", text }], runtime.bundler);
  return spentMs();
}

async function ratio(shape: (length: number) => string): Promise<number> {
  const most = await processorMs(shape(long));
  return most < quickMs ? 1 : most / (await processorMs(shape(long / 4)));
}

describe("the processor time of bundling is proportional to the text:", () => {
  for (const [name, shape] of sampleOf(Object.entries(hostileShapes), 6)) {
    test(
      name,
      async () => {
        // A collection of garbage may spoil one measurement.
        let least = await ratio(shape);
        for (let again = 0; again < 2 && least > ratioMax; again++)
          least = Math.min(least, await ratio(shape));
        expect(least).toBeLessThan(ratioMax);
      },
      60_000,
    );
  }
});

describe("places", () => {
  test("are found by halving, first and last of a line", () => {
    const starts = new LineStarts("ab\n\ncd");
    expect([0, 2, 3, 4, 5].map((offset) => starts.placeOf(offset))).toEqual([
      { line: 1, column: 1 },
      { line: 1, column: 3 },
      { line: 2, column: 1 },
      { line: 3, column: 1 },
      { line: 3, column: 2 },
    ]);
    expect(starts.offsetOf({ line: 3, column: 2 })).toBe(5);
  });

  test("are read from a map: the last segment before them, none before the first", () => {
    const map = new SourceMap(JSON.stringify({ mappings: ";EAAC,IAGE;" }), "0\n123456789\n");
    expect([0, 2, 3, 4, 7, 8, 10, 12].map((offset) => map.placeOf(offset))).toEqual([
      null,
      null,
      null,
      { line: 1, column: 2 },
      { line: 1, column: 2 },
      { line: 4, column: 4 },
      { line: 4, column: 4 },
      null,
    ]);
  });
});
