/** The retry budget: a floor, a share of recent requests, and what it says is left is what it grants. */
import { expect, test } from "bun:test";
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
