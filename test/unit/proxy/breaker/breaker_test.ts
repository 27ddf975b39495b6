/** Circuit breakers: when they trip, how long, who probes, what closes them, and how many may be open. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Breaker, BreakerState, EndpointFailure } from "../../../../src/proxy/breaker/breaker.ts";
import { BreakerGroup } from "../../../../src/proxy/breaker/breaker_group.ts";
import { breakerDefaults, type BreakerSettings } from "../../../../src/proxy/breaker/breaker_settings.ts";
import { scripted, seeded } from "../../../support/chance.ts";

interface Change {
  readonly breaker: Breaker;
  readonly from: BreakerState;
  readonly to: BreakerState;
}

function groupOf(count: number, options: Partial<BreakerSettings> = {}, random = scripted(0)) {
  const changes: Change[] = [];
  const group = new BreakerGroup({ ...breakerDefaults, ...options }, random, (breaker, from) =>
    changes.push({ breaker, from, to: breaker.state }),
  );
  const breakers = Array.from({ length: count }, () => group.add());
  return { group, breakers, changes, first: breakers[0] as Breaker };
}

function fail(breaker: Breaker, times: number, nowMs: number, failure: EndpointFailure = "hard"): void {
  for (let time = 0; time < times; time++) breaker.failed(breaker.epoch, failure, nowMs);
}

/** The penalty is over and the probe comes back so. */
function probed(breaker: Breaker, result: "success" | EndpointFailure): void {
  const nowMs = breaker.untilMs;
  breaker.probe(nowMs, true);
  if (result === "success") breaker.succeeded(breaker.epoch, nowMs);
  else breaker.failed(breaker.epoch, result, nowMs);
}

describe("a breaker trips", () => {
  test("at the fifth hard failure in a row, and not when a success came between", () => {
    const { first } = groupOf(2, { successMin: 0 });
    fail(first, 4, 0);
    first.succeeded(first.epoch, 0);
    fail(first, 4, 0);
    expect(first.state).toBe("closed");
    fail(first, 1, 0);
    expect([first.state, first.reason]).toEqual(["open", "streak"]);
  });

  test("and says that no connection could be made when that was it", () => {
    const { first } = groupOf(2);
    fail(first, 5, 0, "connect");
    expect(first.reason).toBe("connect");
  });

  test("when fewer than four of five answers of ten seconds are successes, whatever their order", () => {
    const { first } = groupOf(2);
    for (let turn = 0; first.state === "closed" && turn < 20; turn++) {
      for (let good = 0; good < 3; good++) first.succeeded(first.epoch, turn * 100);
      fail(first, 1, turn * 100);
    }
    expect([first.state, first.reason]).toEqual(["open", "rate"]);
  });

  test("by its share of successes only once there are five answers that are young enough", () => {
    const { first } = groupOf(2);
    fail(first, 4, 0);
    first.succeeded(first.epoch, 20_000);
    fail(first, 3, 20_000);
    expect(first.state).toBe("closed");
  });

  test("never because its endpoint is busy", () => {
    const { first } = groupOf(2);
    fail(first, 1_000, 0, "busy");
    expect(first.state).toBe("closed");
  });

  test("never by a rule that is switched off", () => {
    const { first } = groupOf(2, { streakMax: 0, successMin: 0 });
    fail(first, 1_000, 0);
    expect(first.state).toBe("closed");
  });
});

describe("what the others do", () => {
  /** Ten requests a second to each of these, of which so many fail, in between. */
  function serve(breakers: readonly Breaker[], failures: number, fromMs: number, toMs: number): void {
    for (let nowMs = fromMs; nowMs < toMs; nowMs += 1_000)
      for (let request = 0; request < 10; request++)
        for (const each of breakers)
          if ((request * 7) % 10 < failures) each.failed(each.epoch, "hard", nowMs);
          else each.succeeded(each.epoch, nowMs);
  }

  test("ejects nobody when all begin to fail alike, however much", () => {
    for (const failures of [3, 6, 9, 10]) {
      const { breakers, group } = groupOf(10);
      serve(breakers, 0, 0, 10_000);
      serve(breakers, failures, 10_000, 60_000);
      expect(group.ejected).toBe(0);
    }
  });

  test("ejects those that fail more than the others, up to half", () => {
    const { breakers, group } = groupOf(10);
    serve(breakers, 0, 0, 10_000);
    for (let nowMs = 10_000; nowMs < 20_000; nowMs += 1_000) {
      serve(breakers.slice(5), 1, nowMs, nowMs + 1_000);
      serve(breakers.slice(0, 5), 10, nowMs, nowMs + 1_000);
    }
    expect(breakers.map(({ ejected }) => ejected)).toEqual(breakers.map((_, at) => at < 5));
    expect(group.ejected).toBe(5);
  });

  test("is no excuse for endpoints that get all requests when the others are idle: a whole zone can be ejected", () => {
    const { breakers, group } = groupOf(12);
    serve(breakers.slice(0, 4), 10, 0, 3_000);
    expect(group.ejected).toBe(4);
  });

  test("long ago is no excuse", () => {
    const { breakers, first } = groupOf(3, { successMin: 0, streakMax: 5 });
    for (const each of breakers.slice(1)) fail(each, 4, 0);
    fail(first, 5, 60_000);
    expect(first.state).toBe("open");
  });
});

describe("an open breaker", () => {
  test("stays open for a second, then twice as long after each failed probe, up to a minute", () => {
    const { first } = groupOf(2);
    fail(first, 5, 0);
    const penalties = [first.penaltyMs];
    for (let probe = 0; probe < 8; probe++) {
      probed(first, "hard");
      penalties.push(first.penaltyMs);
    }
    expect(penalties).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1_000));
  });

  test("stays open for up to half as long again, by chance", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { first } = groupOf(2, {}, seeded(seed));
        fail(first, 5, 100);
        expect(first.untilMs).toBeGreaterThanOrEqual(1_100);
        expect(first.untilMs).toBeLessThan(1_600);
      }),
    );
  });

  test("is probed by a request that may be repeated, and after a second by any", () => {
    const { first } = groupOf(2);
    fail(first, 5, 0);
    expect([999, 1_000, 1_999, 2_000].map((nowMs) => first.mayProbe(nowMs, false))).toEqual([
      false,
      false,
      false,
      true,
    ]);
    expect([999, 1_000].map((nowMs) => first.mayProbe(nowMs, true))).toEqual([false, true]);
  });

  test("hears nothing of attempts that began before it tripped", () => {
    const { first } = groupOf(2);
    const before = first.epoch;
    fail(first, 5, 0);
    first.succeeded(before, 1);
    first.succeeded(first.epoch, 1);
    first.failed(before, "hard", 1);
    expect([first.state, first.untilMs]).toEqual(["open", 1_000]);
    first.probe(1_000, true);
    first.succeeded(before, 1_001);
    expect(first.state).toBe("half-open");
  });

  test("has one probe at a time, and another only when the first says nothing for long", () => {
    const { first } = groupOf(2);
    fail(first, 5, 0);
    first.probe(1_000, true);
    expect(first.mayProbe(10_999, true)).toBe(false);
    expect(first.mayProbe(11_000, true)).toBe(true);
  });

  test("is closed by the success of its probe, with a clean slate", () => {
    const { first } = groupOf(2);
    fail(first, 5, 0);
    probed(first, "success");
    expect([first.state, first.closedSinceMs, first.streak]).toEqual(["closed", 1_000, 0]);
    fail(first, 4, 1_000);
    expect(first.state).toBe("closed");
  });

  test("gets its probe back from a request whose client left", () => {
    const { first } = groupOf(2);
    fail(first, 5, 0);
    first.probe(1_000, true);
    first.abandoned(first.epoch, 1_200);
    expect([first.state, first.mayProbe(1_200, true), first.ejections]).toEqual(["open", true, 1]);
  });

  test("stays open as long as before when its probe finds it busy", () => {
    const { first } = groupOf(2);
    fail(first, 5, 0);
    probed(first, "hard");
    const before = first.penaltyMs;
    probed(first, "busy");
    probed(first, "busy");
    expect([first.state, first.penaltyMs]).toEqual(["open", before]);
  });
});

describe("the penalty", () => {
  test("grows while an endpoint comes and goes, though each probe in between succeeds", () => {
    const { first } = groupOf(2);
    const penalties: number[] = [];
    for (let turn = 0, nowMs = 0; turn < 4; turn++) {
      fail(first, 5, nowMs);
      penalties.push(first.penaltyMs);
      probed(first, "success");
      nowMs = first.closedSinceMs + 2_000;
    }
    expect(penalties).toEqual([1_000, 2_000, 4_000, 8_000]);
  });

  test("forgets one ejection for each half minute that went well", () => {
    const { first } = groupOf(2);
    for (let turn = 0, nowMs = 0; turn < 3; turn++) {
      fail(first, 5, nowMs);
      probed(first, "success");
      nowMs = first.closedSinceMs;
    }
    fail(first, 5, first.closedSinceMs + 60_000);
    expect(first.penaltyMs).toBe(2_000);
  });
});

describe("the breakers of a service", () => {
  test("eject at most half of the endpoints, and leave one, whatever happens to them", () => {
    const step = fc.record({
      breaker: fc.nat(30),
      act: fc.constantFrom("fail", "connect", "busy", "succeed", "probe", "abandon", "add", "remove"),
      times: fc.integer({ min: 1, max: 6 }),
      afterMs: fc.integer({ min: 0, max: 3_000 }),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9 }),
        fc.array(step, { maxLength: 120 }),
        fc.nat(),
        (count, steps, seed) => {
          const { group, breakers } = groupOf(count, {}, seeded(seed));
          let nowMs = 0;
          for (const { breaker: chosen, act, times, afterMs } of steps) {
            nowMs += afterMs;
            const breaker = breakers[chosen % Math.max(1, breakers.length)];
            if (act === "add") breakers.push(group.add());
            else if (breaker === undefined) continue;
            else if (act === "remove")
              group.remove(breakers.splice(breakers.indexOf(breaker), 1)[0] as Breaker, nowMs);
            else if (act === "probe") breaker.probe(nowMs, true);
            else if (act === "succeed") breaker.succeeded(breaker.epoch, nowMs);
            else if (act === "abandon") breaker.abandoned(breaker.epoch, nowMs);
            else fail(breaker, times, nowMs, act === "fail" ? "hard" : act);
            const ejected = breakers.filter((each) => each.ejected);
            expect(group.ejected).toBe(ejected.length);
            expect(ejected.length).toBeLessThanOrEqual(breakers.length / 2);
            if (breakers.length > 0) expect(ejected.length).toBeLessThan(breakers.length);
            expect(group.nextProbeMs).toBe(Math.min(...ejected.map((each) => each.nextProbeMs)));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test("let one more be ejected only when another has come back", () => {
    const { breakers, group } = groupOf(3);
    const [first, second] = breakers as [Breaker, Breaker, Breaker];
    fail(first, 5, 0);
    fail(second, 50, 0);
    expect(breakers.map((each) => each.state)).toEqual(["open", "closed", "closed"]);
    probed(first, "success");
    fail(second, 1, 1_000);
    expect([second.state, group.ejected]).toEqual(["open", 1]);
  });

  test("take back those whose penalty ends first when endpoints leave", () => {
    const { breakers, group } = groupOf(4);
    const [first, second, third] = breakers as [Breaker, Breaker, Breaker, Breaker];
    fail(first, 5, 0);
    fail(second, 5, 500);
    group.remove(third, 600);
    expect([first.state, second.state]).toEqual(["closed", "open"]);
  });

  test("tell of each transition and count those between ejected and not", () => {
    const { first, group, changes } = groupOf(2);
    fail(first, 5, 0);
    probed(first, "hard");
    probed(first, "success");
    expect(changes.map(({ from, to }) => `${from} ${to}`)).toEqual([
      "closed open",
      "open half-open",
      "half-open open",
      "open half-open",
      "half-open closed",
    ]);
    expect(group.changes).toBe(2);
  });
});
