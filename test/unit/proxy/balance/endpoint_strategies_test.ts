/** What every balancing strategy does: one suite over all of them. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Random } from "../../../../runtime/contract.ts";
import { hashNumber } from "../../../../src/base/hash.ts";
import { ByKey } from "../../../../src/proxy/balance/by_key.ts";
import { Candidates } from "../../../../src/proxy/balance/candidates.ts";
import { maglevTable } from "../../../../src/proxy/balance/maglev.ts";
import { PowerOfTwo } from "../../../../src/proxy/balance/power_of_two.ts";
import { RandomPick } from "../../../../src/proxy/balance/random_pick.ts";
import { ringTable } from "../../../../src/proxy/balance/ring_hash.ts";
import { WeightedRoundRobin } from "../../../../src/proxy/balance/weighted_round_robin.ts";
import type { EndpointStrategy } from "../../../../src/proxy/balance/endpoint_strategy.ts";
import { seeded } from "../../../support/chance.ts";
import { choiceOf, eject, serviceOf, type TestCandidate } from "../../../support/candidates.ts";

const strategies: Readonly<Record<string, (random: Random) => EndpointStrategy<TestCandidate>>> = {
  "peak-EWMA": (random) => new PowerOfTwo("ewma", random),
  "least request": (random) => new PowerOfTwo("requests", random),
  "round robin": (random) => new WeightedRoundRobin(random),
  random: (random) => new RandomPick(random),
  Maglev: (random) => new ByKey({ layOut: maglevTable, boundedLoad: null }, random),
  "ring hash": (random) => new ByKey({ layOut: ringTable, boundedLoad: null }, random),
  "Maglev with bounded load": (random) => new ByKey({ layOut: maglevTable, boundedLoad: 1.25 }, random),
  "ring hash with bounded load": (random) => new ByKey({ layOut: ringTable, boundedLoad: 1.25 }, random),
};
const drawing = ["peak-EWMA", "least request", "round robin", "random"];

/** How often each of `count` endpoints is picked when requests begin and end at once; keys are all different. */
function shares(
  strategy: EndpointStrategy<TestCandidate>,
  candidates: Candidates<TestCandidate>,
  picks: number,
  nowMs = 0,
): number[] {
  const counts = candidates.all.map(() => 0);
  for (let pick = 0; pick < picks; pick++) {
    const picked = strategy.pick(candidates, choiceOf({ key: hashNumber(pick, 7), nowMs }));
    if (picked !== null) counts[picked.at] = (counts[picked.at] ?? 0) + 1;
  }
  return counts;
}

for (const [name, create] of Object.entries(strategies))
  describe(name, () => {
    test("has nothing to pick from nothing, and the one of one, whatever is the matter with it", () => {
      const none = serviceOf(0);
      expect(create(seeded(1)).pick(new Candidates(none.all, none.group), choiceOf({ key: 5 }))).toBeNull();
      const { all, group } = serviceOf(1);
      const [only] = all as [TestCandidate];
      eject(only, 0);
      const picked = create(seeded(1)).pick(new Candidates(all, group), choiceOf({ key: 5, tried: [only] }));
      expect(picked).toBe(only);
    });

    test("picks nothing that is ejected unless all are, nothing that was tried unless all others are or are ejected", () => {
      const sets = fc.record({
        count: fc.integer({ min: 2, max: 12 }),
        seed: fc.nat(),
        out: fc.nat(4_095),
        tried: fc.nat(4_095),
        key: fc.option(fc.nat(2 ** 32 - 1), { nil: null }),
        busy: fc.array(fc.nat(20), { minLength: 12, maxLength: 12 }),
      });
      fc.assert(
        fc.property(sets, ({ count, seed, out, tried: triedMask, key, busy }) => {
          const { all, group } = serviceOf(count);
          const candidates = new Candidates(all, group);
          const strategy = create(seeded(seed));
          // It knows them before anything happens to them.
          strategy.pick(candidates, choiceOf({ key }));
          for (const each of all) {
            if ((out & (1 << each.at)) !== 0) eject(each, 0);
            for (let one = 0; one < (busy[each.at] ?? 0); one++) each.load.started();
          }
          const tried = all.filter(({ at }) => (triedMask & (1 << at)) !== 0);
          const free = all.filter((each) => !each.health.ejected && !tried.includes(each));
          const picked = strategy.pick(candidates, choiceOf({ key, tried }));
          expect(picked).not.toBeNull();
          if (free.length > 0) expect(free).toContain(picked as TestCandidate);
          else if (all.some(({ health }) => !health.ejected)) expect(picked?.health.ejected).toBe(false);
          else if (tried.length < count) expect(tried).not.toContain(picked as TestCandidate);
        }),
        { numRuns: 80 },
      );
    });

    test("gives endpoints that are alike shares that are alike", () => {
      fc.assert(
        fc.property(fc.nat(), (seed) => {
          const { all, group } = serviceOf(10);
          const counts = shares(create(seeded(seed)), new Candidates(all, group), 20_000);
          // A ring of 128 points each is uneven by a tenth, rarely by a third.
          for (const count of counts) expect(Math.abs(count - 2_000)).toBeLessThan(900);
        }),
        { numRuns: 5 },
      );
    });

    test("gives nobody a share of what is ejected but those that are left", () => {
      const { all, group } = serviceOf(6);
      const candidates = new Candidates(all, group);
      const strategy = create(seeded(3));
      shares(strategy, candidates, 100);
      eject(all[2] as TestCandidate, 0);
      const counts = shares(strategy, candidates, 6_000);
      expect(counts[2]).toBe(0);
      expect(Math.min(...counts.filter((_, at) => at !== 2))).toBeGreaterThan(500);
    });

    test("repeats itself exactly with the same chance", () => {
      const picksOf = (): number[] => {
        const { all, group } = serviceOf(7, (at) => ({ weight: 1 + at }));
        return shares(create(seeded(11)), new Candidates(all, group), 500);
      };
      expect(picksOf()).toEqual(picksOf());
    });
  });

describe("weights", () => {
  const weights = [1, 2, 4, 8];

  for (const name of ["round robin", "random", "Maglev", "ring hash"])
    test(`are the shares (${name})`, () => {
      const { all, group } = serviceOf(4, (at) => ({ weight: weights[at] as number }));
      const create = strategies[name] as (random: Random) => EndpointStrategy<TestCandidate>;
      const counts = shares(create(seeded(5)), new Candidates(all, group), 30_000);
      counts.forEach((count, at) => {
        const wanted = (30_000 * (weights[at] as number)) / 15;
        expect(Math.abs(count / wanted - 1)).toBeLessThan(name === "ring hash" ? 0.35 : 0.08);
      });
    });

  test("are exact to one turn in any number of rounds (round robin)", () => {
    const weight = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(
        fc.array(weight, { minLength: 2, maxLength: 9 }),
        fc.integer({ min: 1, max: 50 }),
        (all, rounds) => {
          const service = serviceOf(all.length, (at) => ({ weight: all[at] as number }));
          const sum = all.reduce((one, other) => one + other, 0);
          const counts = shares(
            new WeightedRoundRobin(seeded(1)),
            new Candidates(service.all, service.group),
            sum * rounds,
          );
          counts.forEach((count, at) =>
            expect(Math.abs(count - (all[at] as number) * rounds)).toBeLessThan(3),
          );
        },
      ),
    );
  });

  for (const measure of ["ewma", "requests"] as const)
    test(`divide the load: twice the weight may have twice as much under way (${measure})`, () => {
      const { all, group } = serviceOf(2, (at) => ({ weight: 1 + at }));
      const candidates = new Candidates(all, group);
      const strategy = new PowerOfTwo<TestCandidate>(measure, seeded(1));
      for (let request = 0; request < 300; request++) strategy.pick(candidates, choiceOf())?.load.started();
      expect(Math.abs((all[1]?.load.pending ?? 0) - 200)).toBeLessThan(3);
    });
});

describe("slow start", () => {
  for (const name of drawing)
    test(`lets an endpoint that came new grow into its share over half a minute (${name})`, () => {
      const create = strategies[name] as (random: Random) => EndpointStrategy<TestCandidate>;
      const { all, group } = serviceOf(4, (at) => ({ addedMs: at === 3 ? 1_000_000 : -Infinity }));
      const candidates = new Candidates(all, group);
      const sharesAt = [0, 15_000, 30_000].map((passedMs) => {
        const strategy = create(seeded(9));
        const nowMs = 1_000_000 + passedMs;
        // What is under way stays so: shares show in what each holds.
        for (const { load } of all) load.pending = 0;
        const counts = all.map(() => 0);
        for (let pick = 0; pick < 4_000; pick++) {
          const picked = strategy.pick(candidates, choiceOf({ nowMs }));
          picked?.load.started();
          if (picked !== null) counts[picked.at] = (counts[picked.at] ?? 0) + 1;
        }
        return (counts[3] ?? 0) / 4_000;
      });
      [0.1 / 3.1, 0.5 / 3.5, 0.25].forEach((wanted, at) =>
        expect(Math.abs((sharesAt[at] ?? 0) - wanted)).toBeLessThan(0.03),
      );
    });

  test("is for endpoints that come back from ejection too", () => {
    const { all, group } = serviceOf(4);
    const [first] = all as [TestCandidate];
    eject(first, 0);
    first.health.probe(1_000, true);
    first.health.succeeded(first.health.epoch, 1_000);
    const counts = shares(new WeightedRoundRobin(seeded(1)), new Candidates(all, group), 3_100, 1_000);
    expect(Math.abs((counts[0] ?? 0) - 100)).toBeLessThan(5);
  });

  test("is for nobody where there are fewer than three endpoints", () => {
    const { all, group } = serviceOf(2, (at) => ({ addedMs: at === 1 ? 0 : -Infinity }));
    expect(shares(new WeightedRoundRobin(seeded(1)), new Candidates(all, group), 100)).toEqual([50, 50]);
  });
});
