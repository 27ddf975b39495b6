/** The budgets that the proxies of the mesh share, by key: made as they are asked for, forgotten when nothing of them is left. */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../../runtime/contract.ts";
import {
  budgetOfKey,
  type BudgetGrant,
  type BudgetGrants,
  type BudgetLimit,
  type BudgetsRequest,
} from "../../model/budget.ts";
import { limits } from "../../model/limits.ts";
import { BudgetPool } from "./budget_pool.ts";

export interface SharedBudgetsOptions {
  readonly clock: Clock;
  /** null where documents have no such budget. */
  readonly limitOf: (service: string, budget: string) => BudgetLimit | null;
}

export class SharedBudgets {
  readonly #pools = new Map<string, BudgetPool>();
  readonly #since = randomUUID();
  /** When to look again for pools that are idle. */
  #forgetMs = -Infinity;
  /** Until then proxies may hold what another controller granted, or this one before it started again. */
  readonly #listensUntilMs: number;

  constructor(readonly options: SharedBudgetsOptions) {
    this.#listensUntilMs = options.clock.now() + limits.budgetGrantMs + limits.budgetAskMs;
  }

  /** Answers a machine; without keys that no document has, and those that there is no room for. */
  ask(node: string, { part, asks }: BudgetsRequest): BudgetGrants {
    const nowMs = this.options.clock.now();
    const grants: Record<string, BudgetGrant> = {};
    for (const [name, asked] of Object.entries(asks)) {
      const pool = this.#poolOf(name, nowMs);
      if (pool !== null) grants[name] = pool.ask(`${node}/${part}`, asked, nowMs);
    }
    return { since: this.#since, grants };
  }

  #poolOf(name: string, nowMs: number): BudgetPool | null {
    const key = budgetOfKey(name);
    const limit = key === null ? null : this.options.limitOf(key.service, key.budget);
    if (limit === null) {
      this.#pools.delete(name);
      return null;
    }
    const known = this.#pools.get(name);
    if (known !== undefined) {
      known.become(limit, nowMs);
      return known;
    }
    if (this.#pools.size >= limits.budgetPoolsMax) this.#forgetIdle(nowMs);
    if (this.#pools.size >= limits.budgetPoolsMax) return null;
    const pool = new BudgetPool(limit, this.#listensUntilMs);
    this.#pools.set(name, pool);
    return pool;
  }

  /** Not for each key that there is no room for: it looks at all. */
  #forgetIdle(nowMs: number): void {
    if (nowMs < this.#forgetMs) return;
    this.#forgetMs = nowMs + limits.budgetAskMs;
    for (const [name, pool] of this.#pools) if (pool.isIdle(nowMs)) this.#pools.delete(name);
  }
}
