/**
 * Budgets where there are several controllers: the one that leads deals them out, the others hand on what their machines ask. One that
 * leads anew listens first, until all proxies have said what they hold.
 */
import { controllerPaths } from "../../api/messages.ts";
import type { PeerBudgetsRequest } from "../../api/peer_messages.ts";
import { Refusal } from "../../api/problem.ts";
import type { BudgetGrants, BudgetsRequest } from "../../model/budget.ts";
import { limits } from "../../model/limits.ts";
import type { Peers } from "../peers.ts";
import { SharedBudgets, type SharedBudgetsOptions } from "./shared_budgets.ts";

export interface DealtBudgetsOptions extends SharedBudgetsOptions {
  readonly peers: Pick<Peers, "leadsSince" | "leader" | "clientOf">;
}

export class DealtBudgets {
  own: SharedBudgets;

  constructor(readonly options: DealtBudgetsOptions) {
    this.own = new SharedBudgets(options);
  }

  /** This controller leads from now on. */
  begin(): void {
    this.own = new SharedBudgets(this.options);
  }

  async ask(node: string, asked: BudgetsRequest): Promise<BudgetGrants> {
    const { peers } = this.options;
    if (peers.leadsSince !== null) return this.own.ask(node, asked);
    const { leader } = peers;
    const client = leader === null ? null : peers.clientOf(leader.name);
    if (leader === null || client === null)
      throw new Refusal(503, "No controller that deals out budgets is reached");
    const request: PeerBudgetsRequest = { since: leader.since, node, ...asked };
    const answer = await client.call("POST", controllerPaths.peerBudgets, request, limits.budgetWaitMs);
    return answer.body as BudgetGrants;
  }
}
