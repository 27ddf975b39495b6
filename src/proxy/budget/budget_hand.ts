/**
 * One key of a budget, as a proxy has it: what it was granted is spent, returned, held for calls under way, or in hand.
 * `src/model/budget.ts` says what proxy and controller promise each other.
 */
import type { BudgetAsk, BudgetGrant, BudgetLimit } from "../../model/budget.ts";
import { limits } from "../../model/limits.ts";
import { Spending } from "../../model/spending.ts";

/** What a proxy does when the controller is away: nothing new, or up to an even share. */
export type WhenAway = "closed" | "share";

export class BudgetHand {
  #granted = 0;
  #spent = 0;
  #spentMs: number;
  #returned = 0;
  #held = 0;
  /** Spent or held since the last ask: the pace. */
  #taken = 0;
  #askedMs: number;
  #sequence = 0;
  /** Until when its grant may be spent. */
  #endsMs = -Infinity;
  /** When it last heard of the controller. */
  #heardMs = -Infinity;
  #handMax = 0;
  #tight = false;
  #evenTokens = 0;
  /** Spent and returned, as of the last ask, and the last that was answered. */
  #told = 0;
  #answered = 0;
  /** The controller is to be told what was spent. */
  #tellsRecent = false;
  readonly #spending: Spending;

  constructor(
    /** Unlike any before of this key at this proxy. */
    readonly life: string,
    readonly limit: BudgetLimit,
    nowMs: number,
  ) {
    this.#askedMs = this.#spentMs = nowMs;
    this.#spending = new Spending(limit.windowMs);
  }

  /** Beside what calls hold; below 0 where calls took more than was granted. */
  get inHand(): number {
    return this.#granted - this.#spent - this.#returned - this.#held;
  }

  /** There is little left: what comes back is to be told at once. */
  get isUrgent(): boolean {
    return this.#tight && (this.inHand > 0 || this.#told !== this.#spent + this.#returned);
  }

  get held(): number {
    return this.#held;
  }

  /** Holds so many tokens for a call, when they are in hand. */
  hold(tokens: number, nowMs: number): boolean {
    this.#void(nowMs);
    if (tokens > this.inHand) return false;
    this.#take(tokens);
    return true;
  }

  /** As `hold`, while the controller is away: up to an even share of the limit within the window. */
  holdOfShare(tokens: number, nowMs: number): boolean {
    this.#void(nowMs);
    if (!this.isAway(nowMs)) return false;
    if (this.#spending.sum(nowMs) + this.#held + tokens > this.#evenTokens) return false;
    this.#take(tokens);
    return true;
  }

  /** The controller was not heard of for long, though there is much to ask it while calls wait. */
  isAway(nowMs: number): boolean {
    return nowMs - this.#heardMs >= limits.budgetAwayMs;
  }

  /** The end of a call: what it held, and what it spent. */
  settle(held: number, spent: number, nowMs: number): void {
    this.#held -= held;
    this.#spent += spent;
    if (spent > 0) this.#spentMs = nowMs;
    this.#spending.add(spent, nowMs);
  }

  /** What to say to the controller; `waiting`: what calls wait for. null: there is nothing to say. */
  ask(waiting: readonly number[], nowMs: number): BudgetAsk | null {
    this.#void(nowMs);
    const pace = (this.#taken * 1_000) / Math.max(1_000, nowMs - this.#askedMs);
    // Calls that wait stand in one line with those of other proxies, and what is left over is everybody's.
    const keeps = waiting.length === 0 && pace > 0 && !this.#tight ? this.#handMax : 0;
    this.#returned += Math.max(0, this.inHand - keeps);
    if (waiting.length === 0 && this.#isTold) return null;
    this.#taken = 0;
    this.#askedMs = nowMs;
    this.#sequence++;
    this.#told = this.#spent + this.#returned;
    const counts = { granted: this.#granted, spent: this.#spent, returned: this.#returned };
    const ageMs = nowMs - this.#spentMs;
    const said = {
      life: this.life,
      sequence: this.#sequence,
      ...counts,
      ageMs,
      inHand: this.inHand,
      wanted: waiting,
      pace,
    };
    return this.#tellsRecent ? { ...said, recent: this.#spending.recent(nowMs) } : said;
  }

  /** The controller's answer to what was asked at `askedMs`. */
  given(grant: BudgetGrant, askedMs: number, nowMs: number): void {
    this.#tellsRecent = grant.state === "unknown";
    this.#evenTokens = grant.evenTokens;
    if (grant.state !== undefined) return;
    this.#heardMs = nowMs;
    this.#tight = grant.tight === true;
    this.#answered = grant.sequence;
    this.#granted = Math.max(this.#granted, grant.granted);
    this.#handMax = grant.handMax;
    this.#endsMs = Math.max(this.#endsMs, askedMs + grant.forMs);
  }

  /** The controller that deals out now does not know what was spent. */
  tellAll(): void {
    this.#tellsRecent = true;
  }

  /** Nothing is held, and all was told: it can be forgotten once nobody needs to know what was spent. */
  isIdle(nowMs: number): boolean {
    return this.#isTold && this.#spending.sum(nowMs) === 0;
  }

  get #isTold(): boolean {
    if (this.#tellsRecent && this.#spending.any) return false;
    const told = this.#answered === this.#sequence && this.#told === this.#spent + this.#returned;
    return told && this.#held === 0 && this.inHand === 0;
  }

  #take(tokens: number): void {
    this.#held += tokens;
    this.#taken += tokens;
  }

  /** A grant that ended is no more in hand. */
  #void(nowMs: number): void {
    if (nowMs >= this.#endsMs) this.#returned += Math.max(0, this.inHand);
  }
}
