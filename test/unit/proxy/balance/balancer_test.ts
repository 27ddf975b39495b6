/** Picking an endpoint: in turn, or the better of two different ones; never one that was tried while there is another. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Balancer } from "../../../../src/proxy/balance/balancer.ts";
import { EndpointLoad } from "../../../../src/proxy/balance/endpoint_load.ts";
import { scripted, seeded } from "../../../support/chance.ts";

interface Place {
  readonly name: number;
  readonly load: EndpointLoad;
}

function places(...latenciesMs: readonly number[]): Place[] {
  return latenciesMs.map((latencyMs, name) => {
    const load = new EndpointLoad(0);
    // Above the seed, so that it counts at once.
    load.answered(100 + latencyMs, 0);
    return { name, load };
  });
}

function shares(balancer: Balancer<Place>, picks: number): number[] {
  const counts = balancer.endpoints.map(() => 0);
  for (let pick = 0; pick < picks; pick++) {
    const name = balancer.pick([], 0)?.name ?? 0;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

describe("any balancer", () => {
  for (const balance of ["round-robin", "ewma"] as const) {
    test(`has nothing to pick from nothing, and one of one, tried or not (${balance})`, () => {
      expect(new Balancer<Place>(balance, [], seeded(1)).pick([], 0)).toBeNull();
      const [only] = places(1) as [Place];
      expect(new Balancer(balance, [only], seeded(1)).pick([only], 0)).toBe(only);
    });

    test(`avoids what was tried while there is another (${balance})`, () => {
      fc.assert(
        fc.property(fc.integer({ min: 2, max: 9 }), fc.nat(), fc.nat(255), (count, seed, mask) => {
          const all = places(...Array.from({ length: count }, (_, at) => at * 50));
          const tried = all.filter((_, at) => (mask & (1 << at)) !== 0);
          const picked = new Balancer(balance, all, seeded(seed)).pick(tried, 0);
          expect(picked).not.toBeNull();
          if (tried.length < count) expect(tried).not.toContain(picked as Place);
        }),
        { numRuns: 500 },
      );
    });
  }
});

describe("in turn", () => {
  test("each gets the same share, whatever its load", () => {
    expect(shares(new Balancer("round-robin", places(1, 500, 900), seeded(3)), 300)).toEqual([100, 100, 100]);
  });

  test("begins somewhere by chance, so that many callers do not begin at the same one", () => {
    const firsts = [0, 0.34, 0.67].map(
      (unit) => new Balancer("round-robin", places(1, 1, 1), scripted(unit)).pick([], 0)?.name,
    );
    expect(new Set(firsts).size).toBe(3);
  });
});

describe("the better of two", () => {
  test("are always two different ones: of two endpoints the busier gets nothing", () => {
    expect(shares(new Balancer("ewma", places(1, 500), seeded(7)), 500)).toEqual([500, 0]);
  });

  test("is the first when both are alike", () => {
    const all = places(5, 5, 5);
    // First 2, second 0.
    expect(new Balancer("ewma", all, scripted(0, 0.99, 0)).pick([], 0)?.name).toBe(2);
    expect(new Balancer("ewma", all, scripted(0, 0, 0)).pick([], 0)?.name).toBe(0);
  });

  test("leaves the worst of many nothing, and the best the most", () => {
    const [best = 0, middle = 0, worst = 0] = shares(
      new Balancer("ewma", places(1, 200, 400), seeded(11)),
      3_000,
    );
    expect(worst).toBe(0);
    expect(best).toBeGreaterThan(middle);
    // Of three pairs the best is in two, the middle one wins the third.
    expect(best / 3_000).toBeCloseTo(2 / 3, 1);
  });

  test("counts what is under way: picks spread over endpoints that are alike", () => {
    const all = places(5, 5, 5, 5);
    const balancer = new Balancer("ewma", all, seeded(5));
    for (let pick = 0; pick < 400; pick++) balancer.pick([], 0)?.load.started();
    for (const each of all) expect(Math.abs(each.load.pending - 100)).toBeLessThan(5);
  });
});
