/** A proxy whose calls spend of very many keys of budgets. */
import { expect, test } from "bun:test";
import { BudgetPool } from "../../../../src/controller/budgets/budget_pool.ts";
import { limits } from "../../../../src/model/limits.ts";
import { BudgetHold, Budgets } from "../../../../src/proxy/budget/budgets.ts";
import { ManualClock } from "../../../support/clock.ts";

test("a proxy with very many keys asks for some at once, for those of waiting calls first, and for all in turn", async () => {
  const clock = new ManualClock();
  const asked: string[][] = [];
  const pools = new Map<string, BudgetPool>();
  const limit = { tokens: 1_000, windowMs: 60_000 };
  const budgets = new Budgets({
    ...{ life: "1", clock },
    ask: async (asks) => {
      asked.push(Object.keys(asks));
      const grants = Object.entries(asks).map(([name, ask]) => {
        const pool = pools.get(name) ?? new BudgetPool(limit, 0);
        pools.set(name, pool);
        return [name, pool.ask("vm", ask, clock.now())] as const;
      });
      return { since: "1", grants: Object.fromEntries(grants) };
    },
  });
  let held = 0;
  const hold = (at: number): void =>
    void budgets.hold([{ name: `key ${at}`, limit, whenAway: "closed" }], 10, (told) => {
      if (told instanceof BudgetHold) held++;
    });
  const keys = 3 * limits.budgetKeysAskedMax;
  for (let at = 0; at < keys; at++) hold(at);
  await clock.advance(limits.budgetAskMs / 2);
  expect(held).toBe(keys);
  expect(Math.max(...asked.map(({ length }) => length))).toBe(limits.budgetKeysAskedMax);
  asked.length = 0;
  hold(keys);
  await clock.advance(limits.budgetPauseMs);
  expect(asked[0]).toContain(`key ${keys}`);
  await clock.advance(limits.budgetAskMs + 10 * limits.budgetPauseMs);
  expect(new Set(asked.flat()).size).toBe(keys + 1);
  budgets.close();
});
