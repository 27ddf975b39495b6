/** `budgets` of `inference` of a service: how many tokens its calls may spend. */
import * as v from "valibot";
import { limits } from "../../model/limits.ts";
import type { TokenBudget } from "../../model/inference.ts";
import { list, object, said } from "../fields.ts";
import { atLeast, wholeNumber } from "./traffic_part.ts";

const nameForm = "a name of at most 63 letters a-z, digits and dashes";
const headerForm = "a header name in lower case";
const part = v.union(
  [
    v.picklist(["caller", "model"]),
    v.strictObject({
      header: v.pipe(v.string(), v.regex(/^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/)),
    }),
  ],
  `caller, model, or {header: NAME} with ${headerForm}`,
);
const weightForm = `a number from 0 to ${limits.tokenWeightMax}`;
const weight = v.pipe(
  v.number(weightForm),
  v.minValue(0, weightForm),
  v.maxValue(limits.tokenWeightMax, weightForm),
);
const weights = object({
  input: v.optional(said(weight, "A token of the prompt that is not from the cache (default: 1)")),
  cached: v.optional(said(weight, "One that the engine had in its cache (default: 1)")),
  cacheCreation: v.optional(said(weight, "One that was written to the cache (default: 1)")),
  output: v.optional(said(weight, "A token of the answer (default: 1)")),
});

const budget = object({
  name: said(
    v.pipe(v.string(nameForm), v.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, nameForm)),
    "What refusals and figures call it",
  ),
  tokens: said(
    wholeNumber(1, limits.budgetTokensMax),
    "Tokens that may be spent within the window, over all proxies of the mesh",
  ),
  window: said(atLeast("1s", 1_000), "The time that slides along: 1m, 1h, 24h"),
  per: v.optional(
    said(
      list(part, 4),
      "What has it for itself: caller, model, {header: x-team} (default: all calls together)",
    ),
  ),
  weights: v.optional(said(weights, "What a token counts, by kind")),
  whenAway: v.optional(
    said(
      v.picklist(["closed", "share"], "closed or share"),
      "While no controller is reached: closed, calls are refused when what the proxy has in hand is spent; share, each proxy goes on with an even share (default: share)",
    ),
  ),
});

export const budgets = v.pipe(
  list(budget, limits.budgetsPerServiceMax),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const names = dataset.value.map(({ name }) => name);
    const twice = names.find((name, at) => names.indexOf(name) < at);
    if (twice !== undefined) addIssue({ message: `two budgets have the name ${twice}` });
  }),
);

export function expandBudgets(written: v.InferOutput<typeof budgets>): readonly TokenBudget[] {
  return written.map(({ window, per = [], ...rest }) => ({ ...rest, windowMs: window, per }) as TokenBudget);
}
