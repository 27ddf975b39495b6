/** Asks the controller for tokens of budgets, over the connection of this machine's other calls. */
import type { ControlClient } from "../api/control.ts";
import { controllerPaths } from "../api/messages.ts";
import type { BudgetGrants, BudgetsRequest } from "../model/budget.ts";
import { limits } from "../model/limits.ts";

export type AskBudgets = (request: BudgetsRequest) => Promise<BudgetGrants>;

/** Rejects where no controller answers in time. */
export function budgetLink(control: Pick<ControlClient, "call">): AskBudgets {
  return async (request) => {
    const answer = await control.call("POST", controllerPaths.budgets, request, limits.budgetAnswerMs);
    return answer.body as BudgetGrants;
  };
}
