/** The retry budget: a floor, a share of recent requests, no more in a second than a second earns; what it says is left it grants. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { limits } from "../../../../src/model/limits.ts";
import { RetryBudget, retryBudgetSettings } from "../../../../src/proxy/balance/retry_budget.ts";

const floor = limits.retryBudgetFloorPerSecond;
const seconds = limits.retryBudgetWindowMs / 1_000;

function takeAll(budget: RetryBudget, nowMs: number): number {
  let taken = 0;
  while (budget.take(nowMs)) taken++;
  return taken;
}

function earn(budget: RetryBudget, requests: number, nowMs: number): void {
  for (let count = 0; count < requests; count++) budget.request(nowMs);
}

test("grants exactly what it says is left, then nothing", () => {
  const budget = new RetryBudget();
  earn(budget, 100, 1_000);
  const left = budget.left(1_000);
  expect(left).toBe(Math.floor(floor + 100 * limits.retryBudgetRatio));
  expect(takeAll(budget, 1_000)).toBe(left);
  expect(budget.left(1_000)).toBe(0);
});

test("of a service that nobody called for long, one second grants what a second earns and no more", () => {
  const budget = new RetryBudget();
  expect([takeAll(budget, 60_000), takeAll(budget, 60_999), takeAll(budget, 61_000)]).toEqual([
    floor,
    0,
    floor,
  ]);
});

test("of steady requests any second grants the floor and their share, though the window earned ten times that", () => {
  const budget = new RetryBudget();
  for (let second = 0; second < 30; second++) earn(budget, 500, second * 1_000);
  expect(takeAll(budget, 29_500)).toBe(floor + 500 * limits.retryBudgetRatio);
  // The next one has no request yet: it goes by the average.
  expect(takeAll(budget, 30_001)).toBe(floor + 450 * limits.retryBudgetRatio);
});

test("forgets requests and retries that are older than its window", () => {
  const budget = new RetryBudget();
  earn(budget, 100, 1_000);
  takeAll(budget, 1_000);
  expect(budget.left(1_000 + limits.retryBudgetWindowMs + 1)).toBe(floor);
});

test("goes by what a document says, and grants nothing where that is nothing", () => {
  const settings = (percent: number, min: number) =>
    retryBudgetSettings({ retryBudget: { percent, min, intervalMs: 2_000 } });
  const half = new RetryBudget(settings(50, 0));
  earn(half, 8, 0);
  expect([takeAll(half, 0), takeAll(half, 1_900)]).toEqual([4, 0]);
  const none = new RetryBudget(settings(0, 0));
  earn(none, 1_000, 0);
  expect(takeAll(none, 0)).toBe(0);
});

test("a service of few requests and no floor has a retry all the same, as often as its requests earn one", () => {
  const budget = new RetryBudget(retryBudgetSettings({ retryBudget: { min: 0 } }));
  let taken = 0;
  for (let second = 0; second < 100; second++) {
    budget.request(second * 1_000);
    taken += takeAll(budget, second * 1_000);
  }
  expect(taken).toBe(20);
});

test("whoever asks and when, with each retry its window holds no more of them than the floor and the share of its requests", () => {
  const step = fc.record({ afterMs: fc.nat(3_000), requests: fc.nat(200), asks: fc.nat(150) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const budget = new RetryBudget();
      const noted: { second: number; requests: number; retries: number }[] = [];
      let nowMs = 0;
      for (const { afterMs, requests, asks } of steps) {
        nowMs += afterMs;
        earn(budget, requests, nowMs);
        let retries = 0;
        for (let count = 0; count < asks; count++) if (budget.take(nowMs)) retries++;
        const second = Math.floor(nowMs / 1_000);
        noted.push({ second, requests, retries });
        const sums = (from: number): { requests: number; retries: number } =>
          noted
            .filter((each) => each.second > second - from)
            .reduce(
              (sum, each) => ({
                requests: sum.requests + each.requests,
                retries: sum.retries + each.retries,
              }),
              { requests: 0, retries: 0 },
            );
        const [window, now] = [sums(seconds), sums(1)];
        const mostInWindow = floor * seconds + window.requests * limits.retryBudgetRatio;
        const mostNow = floor + Math.max(now.requests, window.requests / seconds) * limits.retryBudgetRatio;
        if (retries > 0) {
          expect(window.retries).toBeLessThanOrEqual(mostInWindow);
          expect(now.retries).toBeLessThanOrEqual(mostNow);
        }
        // And nothing is refused that was there.
        if (retries < asks)
          expect(Math.min(mostInWindow - window.retries, mostNow - now.retries)).toBeLessThan(1);
      }
    }),
  );
});
