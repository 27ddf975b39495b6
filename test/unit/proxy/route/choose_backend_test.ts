/** Shares by weight: exact over the unit interval, and nothing for who has none. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { chooseBackend, totalWeightOf } from "../../../../src/proxy/route/choose_backend.ts";

test("each backend gets its share of the interval, in order", () => {
  const backends = [{ weight: 90 }, { weight: 0 }, { weight: 10 }];
  const at = (unit: number): number =>
    backends.indexOf(chooseBackend(backends, 100, unit) as { weight: number });
  expect([at(0), at(0.899), at(0.9), at(0.9999)]).toEqual([0, 0, 2, 2]);
});

test("nothing is chosen when nothing has weight", () => {
  expect(chooseBackend([], 0, 0)).toBeNull();
  expect(chooseBackend([{ weight: 0 }, { weight: 0 }], 0, 0.5)).toBeNull();
});

test("who has no weight is never chosen, and somebody is when somebody has", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(1_000), { maxLength: 8 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (weights, unit) => {
        const backends = weights.map((weight) => ({ weight }));
        const total = totalWeightOf(backends);
        const chosen = chooseBackend(backends, total, unit);
        if (total === 0) expect(chosen).toBeNull();
        else expect(chosen?.weight).toBeGreaterThan(0);
      },
    ),
    { numRuns: 1_000 },
  );
});

test("over evenly spread choices the counts are the weights", () => {
  const backends = [{ weight: 1 }, { weight: 2 }, { weight: 5 }];
  const counts = backends.map(() => 0);
  for (let step = 0; step < 800; step++) {
    const index = backends.indexOf(chooseBackend(backends, 8, (step + 0.5) / 800) as { weight: number });
    counts[index] = (counts[index] ?? 0) + 1;
  }
  expect(counts).toEqual([100, 200, 500]);
});
