/** What the picker promises whatever the strategy: shares by weight, bounded load, another endpoint for a retry; with zones in between. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { hashNumber } from "../../../../src/base/hash.ts";
import type { BalanceStrategy } from "../../../../src/model/traffic.ts";
import { EndpointPicker } from "../../../../src/proxy/balance/endpoint_picker.ts";
import { strategyOf } from "../../../../src/proxy/balance/strategies.ts";
import type { ZoneRules } from "../../../../src/proxy/balance/zones.ts";
import { seeded } from "../../../support/chance.ts";
import {
  choiceOf,
  eject,
  serviceOf,
  type TestCandidate,
  type TestService,
} from "../../../support/candidates.ts";

const strategies: readonly BalanceStrategy[] = [
  "peak-ewma",
  "least-request",
  "round-robin",
  "random",
  "maglev",
  "ring-hash",
];

function pickerOf(
  { all, group }: TestService,
  strategy: BalanceStrategy,
  zones: ZoneRules | null = null,
  boundedLoadPercent = 0,
): EndpointPicker<TestCandidate> {
  const random = seeded(3);
  return new EndpointPicker<TestCandidate>({
    endpoints: all,
    health: group,
    zones,
    strategy: (previous) => strategyOf<TestCandidate>({ strategy, boundedLoadPercent }, { random, previous }),
    random,
  });
}

const inZones = (count: number, weights: readonly number[] = [1]): TestService =>
  serviceOf(count, (at) => ({
    zone: at % 2 === 0 ? "near" : "far",
    weight: weights[at % weights.length] as number,
  }));
const near: ZoneRules = { zone: "near", region: "", order: null };

describe("the picker", () => {
  for (const strategy of strategies)
    test(`gives each endpoint what is under way by its weight, in its zone alone (${strategy})`, () => {
      // Endpoints 0, 2, 4 and 6 are near: with the weights 1, 2, 1 and 2.
      const service = inZones(8, [1, 5, 2, 5]);
      const picker = pickerOf(service, strategy, near);
      const counts = service.all.map(() => 0);
      for (let request = 0; request < 12_000; request++) {
        const picked = picker.pick(choiceOf({ key: hashNumber(request, 5) })) as TestCandidate;
        picked.load.started();
        counts[picked.at] = (counts[picked.at] ?? 0) + 1;
      }
      expect(counts.filter((_, at) => at % 2 === 1)).toEqual([0, 0, 0, 0]);
      const slack = strategy === "ring-hash" ? 0.35 : 0.08;
      counts.forEach((count, at) => {
        if (at % 2 === 0)
          expect(Math.abs(count / (2_000 * (service.all[at]?.weight ?? 0)) - 1)).toBeLessThan(slack);
      });
    });

  for (const strategy of ["maglev", "ring-hash"] as const)
    test(`lets no endpoint of a zone have more than its bound of that zone's requests (${strategy})`, () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 4, max: 16 }),
          fc.array(fc.record({ key: fc.nat(2), ends: fc.boolean() }), { minLength: 1, maxLength: 200 }),
          (count, steps) => {
            const service = inZones(count);
            const picker = pickerOf(service, strategy, near, 125);
            const own = service.all.filter(({ zone }) => zone === "near").length;
            const open: TestCandidate[] = [];
            for (const { key, ends } of steps) {
              const picked = picker.pick(choiceOf({ key: hashNumber(key, 9) })) as TestCandidate;
              const bound = Math.ceil((1.25 * (open.length + 1)) / own);
              picked.load.started();
              open.push(picked);
              expect(picked.zone).toBe("near");
              expect(picked.load.pending).toBeLessThanOrEqual(bound);
              if (ends) open.shift()?.load.ended();
            }
          },
        ),
        { numRuns: 25 },
      );
    });

  for (const strategy of strategies)
    test(`leads a retry to another endpoint of the zone, then to another zone (${strategy})`, () => {
      fc.assert(
        fc.property(fc.integer({ min: 2, max: 12 }), fc.nat(), fc.nat(4_095), (count, key, out) => {
          const service = inZones(count);
          for (const each of service.all) if ((out & (1 << each.at)) !== 0) eject(each, 0);
          const picker = pickerOf(service, strategy, near);
          const tried: TestCandidate[] = [];
          const well = service.all.filter(({ health }) => !health.ejected).length;
          for (let attempt = 0; attempt < well; attempt++) {
            const picked = picker.pick(choiceOf({ key: hashNumber(key, 3), tried })) as TestCandidate;
            expect([tried.includes(picked), picked.health.ejected]).toEqual([false, false]);
            tried.push(picked);
          }
        }),
        { numRuns: 20 },
      );
    });
});
