/** The bench's histogram against plain sorting. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Histogram } from "../../bench/histogram.ts";

test("a quantile is within 1.6 % of the sorted values'", () => {
  const values = fc.array(fc.integer({ min: 0, max: 60_000_000 }), { minLength: 1, maxLength: 300 });
  const check = fc.property(values, fc.constantFrom(0.01, 0.5, 0.9, 0.99, 1), (micros, quantile) => {
    const histogram = new Histogram();
    for (const each of micros) histogram.record(each);
    const sorted = [...micros].sort((a, b) => a - b);
    const exact = sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? 0;
    expect(Math.abs(histogram.quantile(quantile) - exact)).toBeLessThanOrEqual(exact * 0.016);
  });
  fc.assert(check, { numRuns: 300, verbose: true });
});

test("adding two is recording all in one", () => {
  const [both, left, right] = [new Histogram(), new Histogram(), new Histogram()];
  for (let each = 0; each < 1_000; each++) {
    both.record(each * each);
    (each % 3 === 0 ? left : right).record(each * each);
  }
  left.add(right);
  for (const quantile of [0.1, 0.5, 0.99]) expect(left.quantile(quantile)).toBe(both.quantile(quantile));
  expect([left.count, left.max]).toEqual([both.count, both.max]);
});
