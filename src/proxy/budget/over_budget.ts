/** What a caller is told whose call does not fit into a budget of tokens. */
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { HoldRefusal } from "./budgets.ts";

/** `service`: its key. */
export function overBudget(service: string, { name, reason, retryMs }: HoldRefusal): Outcome {
  const budget = `the budget of tokens ${name.split(" ")[1] ?? name} of ${service}`;
  const base = {
    side: "downstream",
    repeat: "no",
    retryAfterMs: Math.min(retryMs, limits.budgetRetryMaxMs),
  } as const;
  if (reason === "spent")
    return {
      ...{ ...base, flag: "RL", status: 429 },
      detail: `${budget} has no room for this call (inference.budgets of its document: raise it there)`,
    };
  const why =
    reason === "away" ? "the controller that deals it out is not reached" : "too many calls wait for it";
  return {
    ...{ ...base, flag: "RL", side: "mesh", status: 503 },
    detail: `${budget} cannot be asked: ${why}`,
  };
}

/** A prompt that cannot be read: compressed, no JSON object, or with two models. */
export function uncounted(service: string): Outcome {
  const detail = `calls to ${service} spend a budget of tokens, so their prompts must be plain JSON objects that name one model`;
  return { flag: "RL", side: "downstream", repeat: "no", status: 415, detail };
}
