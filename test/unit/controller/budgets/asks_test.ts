/** What a controller and a proxy make of single asks and grants of a budget. */
import { expect, test } from "bun:test";
import { BudgetPool } from "../../../../src/controller/budgets/budget_pool.ts";
import { BudgetHand } from "../../../../src/proxy/budget/budget_hand.ts";

const limit = { tokens: 1_000, windowMs: 60_000 };
const ask = {
  ...{ life: "1", sequence: 1, wanted: [100] },
  ...{ granted: 0, spent: 0, returned: 0, ageMs: 0, inHand: 0, pace: 0 },
};

test("an ask that comes twice, or late, grants nothing a second time", () => {
  const pool = new BudgetPool(limit, 0);
  expect(pool.ask("vm", ask, 1).granted).toBe(100);
  expect(pool.ask("vm", ask, 2).granted).toBe(100);
  expect(pool.ask("vm", { ...ask, sequence: 2 }, 3).granted).toBe(100);
  expect(pool.outstanding).toBe(100);
});

test("nor does it grant again what a proxy has in hand for its next calls", () => {
  const pool = new BudgetPool(limit, 0);
  const hurried = { ...ask, pace: 100 };
  const { granted } = pool.ask("vm", hurried, 1);
  expect(granted).toBeGreaterThan(100);
  expect(pool.ask("vm", hurried, 2).granted).toBe(granted);
  expect(pool.outstanding).toBe(granted);
});

test("a controller that begins grants nothing until it has listened", () => {
  const pool = new BudgetPool(limit, 1_000);
  expect(pool.ask("vm", ask, 999)).toMatchObject({ granted: 0, state: "listens" });
  expect(pool.ask("vm", { ...ask, sequence: 2 }, 1_000).granted).toBe(100);
});

test("what is in hand may be taken until its grant ends, and no longer", () => {
  const hand = new BudgetHand("1", limit, 0);
  hand.ask([], 0);
  hand.given({ sequence: 1, granted: 100, handMax: 100, forMs: 5_000, evenTokens: 1_000 }, 0, 10);
  expect(hand.hold(10, 4_999)).toBe(true);
  expect(hand.hold(10, 5_000)).toBe(false);
  expect([hand.held, hand.inHand]).toEqual([10, 0]);
});
