/**
 * One key of a budget, as the controller that deals it out keeps it: what was spent in the window, and what each proxy has been granted
 * and has neither spent nor returned. `src/model/budget.ts` says what holds.
 */
import type { BudgetAsk, BudgetGrant, BudgetLimit } from "../../model/budget.ts";
import { limits } from "../../model/limits.ts";
import { Spending } from "../../model/spending.ts";

interface Holder {
  /** Which life of the proxy these are of. */
  readonly life: string;
  sequence: number;
  granted: number;
  spent: number;
  returned: number;
  heardMs: number;
}

export class BudgetPool {
  readonly #holders = new Map<string, Holder>();
  /** Those that are silent, and hold nothing: what they said before is not to be said again while it is within the window. */
  readonly #silent = new Map<string, Holder>();
  /** Since when there is little left; Infinity: there is enough. */
  #tightSinceMs = Infinity;
  /** Of all holders. */
  #outstanding = 0;
  /** When to look again for proxies that are gone. */
  #forgetMs = 0;
  #spending: Spending;

  /** `listensUntilMs`: until then it hears what proxies have from before it began, and grants nothing. */
  constructor(
    private limit: BudgetLimit,
    readonly listensUntilMs: number,
  ) {
    this.#spending = new Spending(limit.windowMs);
  }

  /** Another limit; another window begins with what is known of the old one. */
  become(limit: BudgetLimit, nowMs: number): void {
    if (limit.windowMs !== this.limit.windowMs) {
      const before = this.#spending.recent(nowMs);
      this.#spending = new Spending(limit.windowMs);
      for (const [ageMs, tokens] of before) this.#spending.add(tokens, nowMs - ageMs);
    }
    this.limit = limit;
  }

  /** Answers a proxy. */
  ask(proxy: string, asked: BudgetAsk, nowMs: number): BudgetGrant {
    this.#forget(nowMs);
    const holder = this.#holderOf(proxy, asked, nowMs);
    if (holder === null) return this.#answer(asked, asked.granted, nowMs, "unknown");
    const late = asked.sequence <= holder.sequence;
    const before = outstandingOf(holder);
    this.#hear(holder, asked, nowMs);
    this.#outstanding += outstandingOf(holder) - before;
    if (nowMs < this.listensUntilMs) return this.#answer(asked, holder.granted, nowMs, "listens");
    return late ? this.#answer(asked, holder.granted, nowMs) : this.#grant(holder, asked, nowMs);
  }

  #grant(holder: Holder, asked: BudgetAsk, nowMs: number): BudgetGrant {
    let free = this.free(nowMs);
    // With what it was granted and has not heard of.
    let credit = asked.inHand + holder.granted - asked.granted;
    let missing = 0;
    const held = outstandingOf(holder);
    for (const wanted of asked.wanted) {
      const before = outstandingOf(holder);
      const tokens = Math.max(0, wanted - credit);
      const costs = outstandingOf({ ...holder, granted: holder.granted + tokens }) - before;
      if (costs > free) {
        missing ||= costs - free;
        continue;
      }
      holder.granted += tokens;
      credit += tokens - wanted;
      free -= costs;
    }
    if (missing === 0 && asked.wanted.length > 0) holder.granted += this.#ahead(asked.pace, free);
    this.#outstanding += outstandingOf(holder) - held;
    if (missing > 0) {
      const answer = {
        ...this.#answer(asked, holder.granted, nowMs),
        retryMs: this.#retryMs(missing, nowMs),
      };
      const unsure = nowMs - this.#tightSinceMs < limits.budgetAskMs + limits.budgetAnswerMs;
      return unsure && this.outstanding > 0 ? { ...answer, unsure } : answer;
    }
    return this.#answer(asked, holder.granted, nowMs);
  }

  /** What may be granted now. */
  free(nowMs: number): number {
    return this.limit.tokens - this.#spending.sum(nowMs) - this.outstanding;
  }

  spent(nowMs: number): number {
    return this.#spending.sum(nowMs);
  }

  /** Granted, and neither spent nor returned. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** Nothing is spent or granted: it can be forgotten. */
  isIdle(nowMs: number): boolean {
    this.#forget(nowMs);
    return this.outstanding === 0 && this.#spending.sum(nowMs) === 0;
  }

  /** null: what it has from before is not known, and it does not say. */
  #holderOf(proxy: string, asked: BudgetAsk, nowMs: number): Holder | null {
    const before = this.#holders.get(proxy);
    if (before?.life === asked.life) return before;
    const silent = this.#silent.get(proxy);
    this.#silent.delete(proxy);
    if (silent?.life === asked.life) {
      this.#holders.set(proxy, silent);
      return silent;
    }
    if (before !== undefined) this.#end(proxy, before, nowMs);
    const { life, granted, spent, returned, recent } = asked;
    if (recent === undefined && granted + spent > 0) return null;
    const holder: Holder = { ...{ life, sequence: 0, granted, spent, returned }, heardMs: nowMs };
    for (const [ageMs, tokens] of recent ?? []) this.#spending.add(tokens, nowMs - ageMs);
    this.#holders.set(proxy, holder);
    this.#outstanding += outstandingOf(holder);
    return holder;
  }

  #hear(holder: Holder, asked: BudgetAsk, nowMs: number): void {
    holder.heardMs = nowMs;
    this.#spending.add(Math.max(0, asked.spent - holder.spent), nowMs - asked.ageMs);
    holder.spent = Math.max(holder.spent, asked.spent);
    holder.returned = Math.max(holder.returned, asked.returned);
    holder.sequence = Math.max(holder.sequence, asked.sequence);
  }

  #answer(
    { sequence, pace }: BudgetAsk,
    granted: number,
    nowMs: number,
    state?: BudgetGrant["state"],
  ): BudgetGrant {
    const evenTokens = this.limit.tokens / Math.max(1, this.#holders.size);
    const tight = this.free(nowMs) < this.limit.tokens * limits.budgetTightRatio;
    this.#tightSinceMs = tight ? Math.min(this.#tightSinceMs, nowMs) : Infinity;
    return {
      ...{ sequence, granted, handMax: this.#handMax(pace), evenTokens, forMs: limits.budgetGrantMs },
      ...(tight ? { tight } : {}),
      ...(state === undefined ? {} : { state }),
    };
  }

  /** What a proxy may have in hand: for some seconds at its pace, and all of them together a small part of the limit. */
  #handMax(pace: number): number {
    const part = (this.limit.tokens * limits.budgetHandRatio) / Math.max(1, this.#holders.size);
    return Math.floor(Math.min(part, pace * limits.budgetHandSeconds));
  }

  /** Beyond what is wanted, so that the next calls need not ask; the less the less there is. */
  #ahead(pace: number, free: number): number {
    return Math.max(0, Math.min(this.#handMax(pace), Math.floor(free * limits.budgetHandRatio)));
  }

  #retryMs(tokens: number, nowMs: number): number {
    const leavesMs = this.#spending.freeAfterMs(tokens, nowMs);
    // What others hold may come back with the end of any call.
    return Math.min(leavesMs, this.outstanding > 0 ? limits.budgetRetryMs : Infinity, this.limit.windowMs);
  }

  #end(proxy: string, holder: Holder, atMs: number): void {
    this.#outstanding -= outstandingOf(holder);
    this.#spending.add(outstandingOf(holder), atMs);
    this.#holders.delete(proxy);
  }

  /** Calls of a proxy that is away for longer than a call may take are over: what it was granted counts as spent when it was heard last. */
  #forget(nowMs: number): void {
    if (nowMs < this.#forgetMs) return;
    this.#forgetMs = nowMs + limits.budgetAskMs;
    for (const [proxy, holder] of this.#holders) {
      if (nowMs - holder.heardMs <= limits.budgetHoldMs) continue;
      const counted = outstandingOf(holder);
      this.#end(proxy, holder, holder.heardMs);
      holder.returned += counted;
      this.#silent.set(proxy, holder);
    }
    const goneMs = limits.budgetHoldMs + 2 * this.limit.windowMs;
    for (const [proxy, { heardMs }] of this.#silent) if (nowMs - heardMs > goneMs) this.#silent.delete(proxy);
  }
}

function outstandingOf({ granted, spent, returned }: Pick<Holder, "granted" | "spent" | "returned">): number {
  return Math.max(0, granted - spent - returned);
}
