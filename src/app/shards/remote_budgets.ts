/** Tokens of budgets for an event loop, which the keeper asks the controller for. */
import type { BudgetAsks, BudgetGrants } from "../../model/budget.ts";
import type { FromShard, ToShard } from "./messages.ts";

export class RemoteBudgets {
  readonly #open = new Map<number, (grants: BudgetGrants | null) => void>();
  #asks = 0;

  constructor(private readonly send: (message: FromShard) => void) {}

  /** Rejects where no controller answers in time. */
  readonly ask = async (asks: BudgetAsks): Promise<BudgetGrants> => {
    const { promise, resolve } = Promise.withResolvers<BudgetGrants | null>();
    const number = ++this.#asks;
    this.#open.set(number, resolve);
    this.send({ kind: "ask-budgets", number, asks });
    const grants = await promise;
    if (grants === null) throw new Error("no controller answered");
    return grants;
  };

  answered({ number, grants }: Extract<ToShard, { kind: "budgets" }>): void {
    this.#open.get(number)?.(grants);
    this.#open.delete(number);
  }
}
