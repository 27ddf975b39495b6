/**
 * The budgets that one call to a language model spends from: tokens are held before it is sent, more while its answer streams, and what it
 * really spent is settled at its end. Input is what the prompt's bytes make, put right by what engines said of the prompts before.
 */
import { createHash } from "node:crypto";
import { budgetKeyName } from "../../model/budget.ts";
import type { BudgetPart, TokenBudget, TokenKind } from "../../model/inference.ts";
import { limits } from "../../model/limits.ts";
import type { Usage } from "../../model/usage.ts";
import { BudgetHold, type BudgetKey, type Budgets, type HoldRefusal } from "./budgets.ts";

/** What a call is, as far as budgets tell calls apart. */
export interface BudgetedCall {
  /** Key of the service that is called. */
  readonly service: string;
  /** SPIFFE id. */
  readonly caller: string;
  readonly model: string;
  readonly header: (name: string) => string | null;
  /** Of the prompt, as far as its bytes say. */
  readonly inputTokens: number;
  /** That the answer may have; null: the call does not say. */
  readonly outputTokensMax: number | null;
}

interface Spent {
  readonly budget: TokenBudget;
  readonly hold: BudgetHold;
}

export class CallBudget {
  readonly #spent: Spent[] = [];
  #forget: (() => void) | null = null;
  #over = false;
  /** Output tokens that are held. */
  #outputHeld: number;
  #extending = false;
  /** No more than is held may come. */
  #refusal: HoldRefusal | null = null;

  constructor(
    readonly budgets: Budgets,
    readonly declared: readonly TokenBudget[],
    readonly call: BudgetedCall,
  ) {
    this.#outputHeld = Math.min(call.outputTokensMax ?? Infinity, limits.budgetOutputHold);
  }

  /** Holds what it may spend: told why not, perhaps at once. */
  hold(told: (refusal: HoldRefusal | null) => void, from = 0): void {
    const budget = this.declared[from];
    if (budget === undefined) return told(null);
    const { call, budgets } = this;
    const input = call.inputTokens * budgets.inputRatio(call.service) * weightOf(budget, "input");
    const output = weightOf(budget, "output");
    // A small budget ends long answers sooner; a prompt that is longer than all of it has no room there.
    const tokens = Math.max(
      Math.ceil(input),
      Math.min(budget.tokens, Math.ceil(input + this.#outputHeld * output)),
    );
    if (output > 0) this.#outputHeld = Math.min(this.#outputHeld, Math.max(0, tokens - input) / output);
    this.#forget = budgets.hold([keyOf(budget, call)], tokens, (held) => {
      this.#forget = null;
      if (!(held instanceof BudgetHold)) return told(held);
      this.#spent.push({ budget, hold: held });
      this.hold(told, from + 1);
    });
  }

  /** So many tokens of the answer have come. null: more may; else why it has to end. */
  came(outputTokens: number): HoldRefusal | null {
    if (this.#refusal !== null) return outputTokens < this.#outputHeld ? null : this.#refusal;
    if (!this.#over && !this.#extending && outputTokens + limits.budgetExtendTokens / 2 >= this.#outputHeld)
      this.#extend();
    return null;
  }

  #extend(): void {
    this.#extending = true;
    let left = this.#spent.length;
    for (const { budget, hold } of this.#spent)
      hold.extend(Math.ceil(limits.budgetExtendTokens * weightOf(budget, "output")), (refusal) => {
        this.#refusal ??= refusal;
        if (--left > 0) return;
        this.#extending = false;
        if (this.#refusal === null) this.#outputHeld += limits.budgetExtendTokens;
      });
  }

  /** The call is over, and nobody can say what it cost: what was held for it counts as spent. */
  settleUnread(): void {
    if (this.#over) return;
    this.#over = true;
    this.#forget?.();
    for (const { hold } of this.#spent) hold.settle(hold.tokens);
  }

  /** The call is over. `counted`: tokens of its answer, said or seen, the more of both. null: nobody was asked. */
  settle(usage: Usage | null, counted: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#forget?.();
    const { service, inputTokens } = this.call;
    const input = usage?.input ?? inputTokens * this.budgets.inputRatio(service);
    if (usage?.input != null) this.budgets.learnInput(service, inputTokens, usage.input);
    for (const { budget, hold } of this.#spent)
      hold.settle(usage === null ? 0 : Math.ceil(costOf(budget, { ...usage, input }, counted)));
  }
}

function costOf(budget: TokenBudget, usage: Usage & { readonly input: number }, counted: number): number {
  const { input, cached, cacheCreation } = usage;
  const [fromCache, toCache] = [cached ?? 0, cacheCreation ?? 0];
  return (
    Math.max(0, input - fromCache - toCache) * weightOf(budget, "input") +
    fromCache * weightOf(budget, "cached") +
    toCache * weightOf(budget, "cacheCreation") +
    counted * weightOf(budget, "output")
  );
}

function weightOf({ weights }: TokenBudget, kind: TokenKind): number {
  return weights?.[kind] ?? 1;
}

function keyOf(
  { name, tokens, windowMs, per, whenAway = "share" }: TokenBudget,
  call: BudgetedCall,
): BudgetKey {
  const parts = JSON.stringify(per.map((part) => partOf(part, call)));
  const digest = createHash("sha256").update(parts).digest("hex").slice(0, 24);
  return { name: budgetKeyName(call.service, name, digest), limit: { tokens, windowMs }, whenAway };
}

/** Calls without the header have a budget together. */
function partOf(part: BudgetPart, { caller, model, header }: BudgetedCall): string | null {
  if (part === "caller") return caller;
  return part === "model" ? model : header(part.header);
}
