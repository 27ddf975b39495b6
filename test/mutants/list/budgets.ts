/** Tokens that all proxies of a mesh spend from, and what a proxy had registered before it started again. */
import type { Mutant } from "../mutant.ts";

const pool = "src/controller/budgets/budget_pool.ts";
const hand = "src/proxy/budget/budget_hand.ts";
const call = "src/proxy/budget/call_budget.ts";
const dealt = [
  "test/unit/controller/budgets/budget_pool_test.ts",
  "test/unit/controller/budgets/asks_test.ts",
];
const called = ["test/unit/proxy/budgets_test.ts"];

export const budgets: readonly Mutant[] = [
  {
    fault: "a budget grants more than it has",
    file: pool,
    find: "if (costs > free) {",
    replace: "if (costs > 2 * free) {",
    suites: dealt,
  },
  {
    fault: "an ask that comes twice is granted twice",
    file: pool,
    find: "return late ? this.#answer",
    replace: "return asked.sequence < 0 ? this.#answer",
    suites: dealt,
  },
  {
    fault: "a controller that begins grants before it has listened",
    file: pool,
    find: "if (nowMs < this.listensUntilMs) return",
    replace: "if (nowMs < 0) return",
    suites: dealt,
  },
  {
    fault: "what a proxy held that began anew is forgotten",
    file: pool,
    find: "if (before !== undefined) this.#end(proxy, before, nowMs);",
    replace: "if (before === null) this.#end(proxy, before, nowMs);",
    suites: dealt,
  },
  {
    fault: "a proxy that is away spends without a bound",
    file: hand,
    find: "if (this.#spending.sum(nowMs) + this.#held + tokens > this.#evenTokens) return false;",
    replace: "if (tokens < 0) return false;",
    suites: dealt,
  },
  {
    fault: "what a proxy has in hand never ends",
    file: hand,
    find: "if (nowMs >= this.#endsMs) this.#returned",
    replace: "if (nowMs < 0) this.#returned",
    suites: dealt,
  },
  {
    fault: "a stream goes on when its budget is spent",
    file: call,
    find: "return outputTokens < this.#outputHeld ? null : this.#refusal;",
    replace: "return null;",
    suites: called,
  },
  {
    fault: "a call is settled by what it held",
    file: call,
    find: "hold.settle(usage === null ? 0 : Math.ceil(costOf(budget, { ...usage, input }, counted)));",
    replace: "hold.settle(hold.tokens);",
    suites: called,
  },
  {
    fault: "a proxy that starts again takes its instances out until it knows how they are",
    file: "src/app/registration.ts",
    find: "this.#timer = options.clock.after(limits.leaseRenewMs, () => this.#renew());",
    replace: "this.#renew();",
    suites: ["test/unit/app/registration_test.ts"],
  },
];
