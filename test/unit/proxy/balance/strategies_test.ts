/** Picking an endpoint: what every strategy keeps, then what each of them is for. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Balance } from "../../../../src/model/service_traits.ts";
import { Balancer } from "../../../../src/proxy/balance/balancer.ts";
import { EndpointLoad } from "../../../../src/proxy/balance/endpoint_load.ts";
import { strategies } from "../../../../src/proxy/balance/strategies.ts";
import type { PickFor } from "../../../../src/proxy/balance/strategy.ts";
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

const asked = (change: Partial<PickFor<Place>> = {}): PickFor<Place> => ({
  key: null,
  zone: "",
  tried: [],
  nowMs: 0,
  ...change,
});

function shares(balancer: Balancer<Place>, picks: number): number[] {
  const counts = balancer.endpoints.map(() => 0);
  for (let pick = 0; pick < picks; pick++) {
    const name = balancer.pick(asked())?.name ?? 0;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** Some endpoints, and some of them tried. */
const scenes = fc.record({
  latenciesMs: fc.array(fc.nat(1_000), { minLength: 2, maxLength: 9 }),
  seed: fc.nat(),
  mask: fc.nat(511),
});
const triedOf = (all: readonly Place[], mask: number): Place[] =>
  all.filter((_, at) => (mask & (1 << at)) !== 0);
const keys = [null, "one", "two"];

for (const balance of Object.keys(strategies) as Balance[])
  describe(`balancing by ${balance}`, () => {
    test("has nothing to pick from nothing, and one of one, tried or not", () => {
      expect(new Balancer<Place>(balance, [], seeded(1)).pick(asked())).toBeNull();
      const [only] = places(1) as [Place];
      expect(new Balancer(balance, [only], seeded(1)).pick(asked({ tried: [only] }))).toBe(only);
    });

    test("avoids what was tried while there is another, and begins anew when all were", () => {
      fc.assert(
        fc.property(scenes, ({ latenciesMs, seed, mask }) => {
          const all = places(...latenciesMs);
          const tried = triedOf(all, mask);
          const balancer = new Balancer(balance, all, seeded(seed));
          for (const key of keys) {
            const picked = balancer.pick(asked({ tried, key }));
            expect(all).toContain(picked as Place);
            if (tried.length < all.length) expect(tried).not.toContain(picked as Place);
          }
        }),
        { numRuns: 300 },
      );
    });

    test("picks the same again from the same seed, whatever was tried between", () => {
      fc.assert(
        fc.property(scenes, ({ latenciesMs, seed, mask }) => {
          const run = (): (number | undefined)[] => {
            const all = places(...latenciesMs);
            const balancer = new Balancer(balance, all, seeded(seed));
            const requests = [
              asked(),
              asked({ tried: triedOf(all, mask) }),
              asked({ nowMs: 5_000 }),
              asked(),
            ];
            return requests.map((request) => balancer.pick(request)?.name);
          };
          expect(run()).toEqual(run());
        }),
        { numRuns: 200 },
      );
    });

    test("leaves none of those that are alike without a share, and none with twice its own", () => {
      fc.assert(
        fc.property(fc.integer({ min: 2, max: 9 }), fc.nat(), (count, seed) => {
          const all = places(...Array.from({ length: count }, () => 5));
          const balancer = new Balancer(balance, all, seeded(seed));
          const picks = Array.from({ length: 200 * count }, () => {
            const picked = balancer.pick(asked()) as Place;
            picked.load.started();
            return picked.name;
          });
          for (const { name } of all) {
            const share = picks.filter((each) => each === name).length;
            expect(share).toBeGreaterThan(100);
            expect(share).toBeLessThan(400);
          }
        }),
        { numRuns: 30 },
      );
    });
  });

describe("in turn", () => {
  test("each gets the same share, whatever its load", () => {
    expect(shares(new Balancer("round-robin", places(1, 500, 900), seeded(3)), 300)).toEqual([100, 100, 100]);
  });

  test("begins somewhere by chance, so that many callers do not begin at the same one", () => {
    const firsts = [0, 0.34, 0.67].map(
      (unit) => new Balancer("round-robin", places(1, 1, 1), scripted(unit)).pick(asked())?.name,
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
    expect(new Balancer("ewma", all, scripted(0.99, 0)).pick(asked())?.name).toBe(2);
    expect(new Balancer("ewma", all, scripted(0, 0)).pick(asked())?.name).toBe(0);
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
    for (let pick = 0; pick < 400; pick++) balancer.pick(asked())?.load.started();
    for (const each of all) expect(Math.abs(each.load.pending - 100)).toBeLessThan(5);
  });
});
