/** What is decided by numbers that event loops share is what one loop alone would decide, whichever of them does what. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ownNumbers, type SharedNumbers } from "../../../src/base/shared_numbers.ts";
import { budgetNumbers, RetryBudget } from "../../../src/proxy/balance/retry_budget.ts";
import { Breaker, breakerNumbers, type EndpointFailure } from "../../../src/proxy/breaker/breaker.ts";
import { BreakerGroup, groupNumbers } from "../../../src/proxy/breaker/breaker_group.ts";
import { breakerDefaults } from "../../../src/proxy/breaker/breaker_settings.ts";
import { Gradient2, gradientNumbers } from "../../../src/proxy/limit/gradient2.ts";
import { bucketNumbers, TokenBucket } from "../../../src/proxy/limit/token_bucket.ts";
import { scripted } from "../../support/chance.ts";
import { loopsOn } from "../../support/loops.ts";

/** Who does it, and how long after the step before. */
const step = { loop: fc.nat(3), afterMs: fc.nat(900) };

/** Does the same steps in one loop, and shared out over two and over four; returns what came of each. */
function outcomes<Thing, Step extends { loop: number; afterMs: number }, Result>(
  make: (numbers: SharedNumbers) => Thing,
  steps: readonly Step[],
  act: (thing: Thing, step: Step, nowMs: number) => Result,
): Result[][] {
  return [[ownNumbers], loopsOn(2), loopsOn(4)].map((loops) => {
    const things = loops.map(make);
    let nowMs = 0;
    return steps.map((each) => {
      nowMs += each.afterMs;
      return act(things[each.loop % things.length] as Thing, each, nowMs);
    });
  });
}

function expectSame(results: readonly unknown[][]): void {
  const [alone, ...shared] = results;
  for (const each of shared) expect(each).toEqual(alone as unknown[]);
}

describe("one, two and four loops come to the same", () => {
  test("tokens of a bucket", () => {
    const steps = fc.array(fc.record({ ...step, count: fc.nat(8), spends: fc.boolean() }), {
      maxLength: 100,
    });
    fc.assert(
      fc.property(steps, (all) =>
        expectSame(
          outcomes(
            (numbers) => new TokenBucket(10, 0, 20, numbers.row("rate", bucketNumbers)),
            all,
            (bucket, { count, spends }, nowMs) =>
              spends ? bucket.spend(count, nowMs) : bucket.take(count, nowMs),
          ),
        ),
      ),
    );
  });

  test("retries that a budget grants", () => {
    const steps = fc.array(fc.record({ ...step, retries: fc.boolean() }), { maxLength: 200 });
    const settings = { ratio: 0.2, minPerSecond: 1, windowMs: 2_000 };
    fc.assert(
      fc.property(steps, (all) =>
        expectSame(
          outcomes(
            (numbers) => new RetryBudget(settings, numbers.row("budget", budgetNumbers)),
            all,
            (budget, { retries }, nowMs) => (retries ? budget.take(nowMs) : budget.request(nowMs)),
          ),
        ),
      ),
    );
  });

  test("endpoints that are ejected, probed and back, and never more of them than may be", () => {
    const failures: readonly EndpointFailure[] = ["connect", "hard", "busy"];
    const act = fc.constantFrom("succeeds", "probes", "is left", ...failures);
    const steps = fc.array(fc.record({ ...step, endpoint: fc.nat(3), act }), { maxLength: 200 });
    const make = (numbers: SharedNumbers): { group: BreakerGroup; breakers: Breaker[] } => {
      const settings = { ...breakerDefaults, streakMax: 2, outlierFactor: 0 };
      const group = new BreakerGroup(settings, scripted(0), undefined, numbers.row("breakers", groupNumbers));
      const breakers = [0, 1, 2, 3].map((at) => group.add(numbers.row(`breaker ${at}`, breakerNumbers)));
      return { group, breakers };
    };
    fc.assert(
      fc.property(steps, (all) =>
        expectSame(
          outcomes(make, all, ({ group, breakers }, { endpoint, act: what }, nowMs) => {
            const breaker = breakers[endpoint] as Breaker;
            const probed = what === "probes" && breaker.probe(nowMs, true);
            if (what === "succeeds") breaker.succeeded(breaker.epoch, nowMs);
            else if (what === "is left") breaker.abandoned(breaker.epoch, nowMs);
            else if (what !== "probes") breaker.failed(breaker.epoch, what, nowMs);
            expect(group.ejected).toBeLessThanOrEqual(2);
            const states = breakers.map(({ state, reason, ejections, untilMs }) => [
              state,
              reason,
              ejections,
              untilMs,
            ]);
            return [probed, group.ejected, group.nextProbeMs, states];
          }),
        ),
      ),
    );
  });

  test("the limit of concurrency that is found", () => {
    const steps = fc.array(
      fc.record({ ...step, tookMs: fc.integer({ min: 1, max: 400 }), underWay: fc.nat(60) }),
    );
    fc.assert(
      fc.property(steps, (all) =>
        expectSame(
          outcomes(
            (numbers) => new Gradient2(2, 100, 20, numbers.row("found", gradientNumbers)),
            all,
            (law, { tookMs, underWay }, nowMs) => {
              law.sample(tookMs, underWay, nowMs);
              return [law.limit, law.longMs];
            },
          ),
        ),
      ),
    );
  });
});

test("a change of another loop is one that whoever keeps a list of endpoints sees", () => {
  const [one, other] = loopsOn(2).map((numbers) => {
    const group = new BreakerGroup(
      breakerDefaults,
      scripted(0),
      undefined,
      numbers.row("breakers", groupNumbers),
    );
    return { group, breakers: [0, 1].map((at) => group.add(numbers.row(`breaker ${at}`, breakerNumbers))) };
  });
  const before = other?.group.changes;
  const failing = one?.breakers[0] as Breaker;
  for (let time = 0; time < breakerDefaults.streakMax; time++) failing.failed(failing.epoch, "hard", 0);
  expect(other?.group.changes).not.toBe(before);
  expect(other?.breakers.map(({ ejected }) => ejected)).toEqual([true, false]);
});
