/** The retry budget: a floor, a share of recent requests, and what it says is left is what it grants. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { limits } from "../../../../src/model/limits.ts";
import { RetryBudget } from "../../../../src/proxy/balance/retry_budget.ts";

const floor = (limits.retryBudgetFloorPerSecond * limits.retryBudgetWindowMs) / 1000;

function takeAll(budget: RetryBudget, nowMs: number): number {
  let taken = 0;
  while (budget.take(nowMs)) taken++;
  return taken;
}

test("grants exactly what it says is left, then nothing", () => {
  const budget = new RetryBudget();
  for (let count = 0; count < 100; count++) budget.request(1_000);
  const left = budget.left(1_000);
  expect(left).toBe(Math.floor(floor + 100 * limits.retryBudgetRatio));
  expect(takeAll(budget, 1_000)).toBe(left);
  expect(budget.left(1_000)).toBe(0);
});

test("forgets requests and retries that are older than its window", () => {
  const budget = new RetryBudget();
  for (let count = 0; count < 100; count++) budget.request(1_000);
  takeAll(budget, 1_000);
  expect(budget.left(1_000 + limits.retryBudgetWindowMs + 1)).toBe(floor);
});

test("whoever asks and when, with each retry its window holds no more of them than the floor and the share of its requests", () => {
  const bucketMs = limits.retryBudgetWindowMs / 10;
  const step = fc.record({ afterMs: fc.nat(3_000), requests: fc.nat(200), asks: fc.nat(150) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const budget = new RetryBudget();
      const noted: { bucket: number; requests: number; retries: number }[] = [];
      let nowMs = 0;
      for (const { afterMs, requests, asks } of steps) {
        nowMs += afterMs;
        for (let count = 0; count < requests; count++) budget.request(nowMs);
        let retries = 0;
        for (let count = 0; count < asks; count++) if (budget.take(nowMs)) retries++;
        const bucket = Math.floor(nowMs / bucketMs);
        noted.push({ bucket, requests, retries });
        const window = noted.filter((each) => each.bucket > bucket - 10);
        const asked = window.reduce((sum, each) => sum + each.requests, 0);
        const granted = window.reduce((sum, each) => sum + each.retries, 0);
        if (retries > 0) expect(granted).toBeLessThanOrEqual(floor + asked * limits.retryBudgetRatio);
        // And nothing is refused that was there.
        if (retries < asks) expect(granted).toBeGreaterThan(floor + asked * limits.retryBudgetRatio - 1);
      }
    }),
  );
});
