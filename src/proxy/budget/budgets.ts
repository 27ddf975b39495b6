/**
 * The budgets of tokens that calls of this proxy spend from: holds what a call may take before it is sent, counts on while it streams, and
 * settles at its end. What is not in hand is asked of the controller while the call waits.
 */
import { randomUUID } from "node:crypto";
import type { Clock, Timer } from "../../../runtime/contract.ts";
import type { BudgetAsk, BudgetAsks, BudgetGrant, BudgetGrants, BudgetLimit } from "../../model/budget.ts";
import { limits } from "../../model/limits.ts";
import { BudgetHand, type WhenAway } from "./budget_hand.ts";

/** One key of one budget. */
export interface BudgetKey {
  /** As the controller knows it, unique within the mesh. */
  readonly name: string;
  readonly limit: BudgetLimit;
  readonly whenAway: WhenAway;
}

export type HoldRefusal = {
  /** Of the key that refused. */
  readonly name: string;
  /** `spent`: there is no more; `away`: the controller cannot be asked; `room`: too many keys or calls wait. */
  readonly reason: "spent" | "away" | "room";
  /** When it is worth to ask again. */
  readonly retryMs: number;
};

export interface BudgetsOptions {
  /** Of this start of the proxy, unlike those before. Default: a random one. */
  readonly life?: string;
  readonly clock: Clock;
  /** Asks the controller, for an event loop of this proxy by its number, 0 where there is one. Rejects where it is not reached. */
  readonly ask: (asks: BudgetAsks, part?: number) => Promise<BudgetGrants>;
}

/** Who waits for tokens of several keys in turn. */
interface WaitingCall {
  over: boolean;
}

/** A call waits for so many tokens of one key. */
interface Waiting {
  readonly whenAway: WhenAway;
  readonly tokens: number;
  readonly told: (refusal: HoldRefusal | null) => void;
  readonly call: WaitingCall;
  timer: Timer;
  /** When it was said first that there is not as much. */
  refusedMs: number | null;
}

interface Kept {
  readonly key: BudgetKey;
  readonly hand: BudgetHand;
  readonly waiting: Waiting[];
}

const noTimer: Timer = { cancel: () => {} };

/** What a call holds of its keys. To be settled once. */
export class BudgetHold {
  #tokens: number;
  readonly #call: WaitingCall = { over: false };

  constructor(
    readonly budgets: Budgets,
    readonly keys: readonly BudgetKey[],
    tokens: number,
  ) {
    this.#tokens = tokens;
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** Holds so many tokens more; `told` with why not, perhaps at once. */
  extend(tokens: number, told: (refusal: HoldRefusal | null) => void): void {
    this.budgets.reserve(this.keys, tokens, this.#call, (refusal) => {
      if (refusal === null) this.#tokens += tokens;
      told(refusal);
    });
  }

  /** The call is over, and spent so many. */
  settle(spent: number): void {
    if (this.#call.over) return;
    this.#call.over = true;
    for (const key of this.keys) this.budgets.settle(key, this.#tokens, spent);
  }
}

export class Budgets {
  readonly #kept = new Map<string, Kept>();
  readonly #inputRatios = new Map<string, number>();
  /** An ask is under way. */
  #asking = false;
  #closed = false;
  readonly #life: string;
  #lives = 0;
  #askedMs = -Infinity;
  /** Who dealt out when it was asked last. */
  #since = "";
  /** The next ask. */
  #timer: { readonly atMs: number; readonly timer: Timer } | null = null;

  constructor(readonly options: BudgetsOptions) {
    this.#life = options.life ?? randomUUID();
  }

  /**
   * Holds tokens of all keys, or of none: told why, perhaps at once.
   *
   * @returns what ends it, where the call is over before it was told
   */
  hold(
    keys: readonly BudgetKey[],
    tokens: number,
    told: (held: BudgetHold | HoldRefusal) => void,
  ): () => void {
    const call: WaitingCall = { over: false };
    this.reserve(keys, tokens, call, (refusal) => told(refusal ?? new BudgetHold(this, keys, tokens)));
    return () => {
      call.over = true;
    };
  }

  /** One key after the other. */
  reserve(
    keys: readonly BudgetKey[],
    tokens: number,
    call: WaitingCall,
    told: (refusal: HoldRefusal | null) => void,
    from = 0,
  ): void {
    const key = keys[from];
    const back = (): void => {
      for (const before of keys.slice(0, from)) this.settle(before, tokens, 0);
    };
    if (call.over) return back();
    if (key === undefined) return told(null);
    this.#reserveOne(key, tokens, call, (refusal) => {
      if (refusal === null) return this.reserve(keys, tokens, call, told, from + 1);
      back();
      if (!call.over) told(refusal);
    });
  }

  settle({ name }: BudgetKey, held: number, spent: number): void {
    // A key with a hold is not forgotten.
    const hand = this.#kept.get(name)?.hand;
    hand?.settle(held, spent, this.options.clock.now());
    if (hand?.isUrgent === true) this.#soon(limits.budgetPauseMs);
    else this.#later();
  }

  /** Tokens that calls hold now, over all keys. */
  get held(): number {
    let sum = 0;
    for (const { hand } of this.#kept.values()) sum += hand.held;
    return sum;
  }

  /** Tokens that prompts to a service really have, over what their bytes say. */
  inputRatio(service: string): number {
    return this.#inputRatios.get(service) ?? 1;
  }

  /** What an engine said of a prompt. */
  learnInput(service: string, guessed: number, told: number): void {
    if (guessed < 1) return;
    const before = this.#inputRatios.get(service) ?? 1;
    const seen = Math.min(limits.budgetInputRatioMax, told / guessed);
    this.#inputRatios.set(service, before + (seen - before) * limits.budgetInputLearnRatio);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.timer.cancel();
  }

  #reserveOne(
    key: BudgetKey,
    tokens: number,
    call: WaitingCall,
    told: (refusal: HoldRefusal | null) => void,
  ): void {
    const kept = this.#keptOf(key);
    const { name } = key;
    if (kept === null) return told({ name, reason: "room", retryMs: limits.budgetRetryMs });
    if (tokens > key.limit.tokens) return told({ name, reason: "spent", retryMs: key.limit.windowMs });
    if (kept.waiting.length === 0 && kept.hand.hold(tokens, this.options.clock.now())) {
      this.#later();
      return told(null);
    }
    if (kept.waiting.length >= limits.budgetCallsWaitingMax)
      return told({ name, reason: "room", retryMs: limits.budgetRetryMs });
    const { whenAway } = key;
    const waiting: Waiting = { whenAway, tokens, told, call, timer: noTimer, refusedMs: null };
    this.#await(kept, waiting, limits.budgetWaitMs);
    kept.waiting.push(waiting);
    this.#soon(0);
  }

  #await(kept: Kept, waiting: Waiting, forMs: number, again = false): void {
    const { clock } = this.options;
    waiting.timer = clock.after(forMs, () => {
      // What was asked just now, by an event loop that stood still, may be answered yet.
      const asksSinceMs = this.#asking ? clock.now() - this.#askedMs : Infinity;
      if (!again && asksSinceMs < limits.budgetAnswerMs)
        return this.#await(kept, waiting, limits.budgetAnswerMs, true);
      kept.waiting.splice(kept.waiting.indexOf(waiting), 1);
      waiting.told(this.#away(kept, waiting));
    });
  }

  /** It waited in vain: the controller did not answer, or others stood before it in the line for what is left. */
  #away({ key, hand }: Kept, { tokens, whenAway }: Waiting): HoldRefusal | null {
    const nowMs = this.options.clock.now();
    if (whenAway === "share" && hand.holdOfShare(tokens, nowMs)) return null;
    const reason = hand.isAway(nowMs) ? "away" : "spent";
    return { name: key.name, reason, retryMs: limits.budgetRetryMs };
  }

  #keptOf(key: BudgetKey): Kept | null {
    const nowMs = this.options.clock.now();
    const known = this.#kept.get(key.name);
    if (known !== undefined && sameLimit(known.key.limit, key.limit)) return known;
    if (known !== undefined && known.waiting.length + known.hand.held > 0) return known;
    if (this.#kept.size >= limits.budgetKeysMax) this.#forgetIdle(nowMs);
    if (this.#kept.size >= limits.budgetKeysMax) return null;
    const made: Kept = {
      key,
      hand: known?.hand ?? new BudgetHand(this.#nextLife(), key.limit, nowMs),
      waiting: [],
    };
    this.#kept.set(key.name, made);
    return made;
  }

  #nextLife(): string {
    this.#lives++;
    return `${this.#life}/${this.#lives}`;
  }

  #forgetIdle(nowMs: number): void {
    for (const [name, { hand, waiting }] of this.#kept)
      if (waiting.length === 0 && hand.isIdle(nowMs)) this.#kept.delete(name);
  }

  /** Asks within so many ms, or when the answer that is under way has come. */
  #soon(withinMs: number): void {
    if (this.#asking || this.#closed) return;
    const atMs = Math.max(this.options.clock.now() + withinMs, this.#askedMs + limits.budgetPauseMs);
    if (this.#timer !== null && this.#timer.atMs <= atMs) return;
    this.#timer?.timer.cancel();
    const ask = (): void => {
      this.#timer = null;
      void this.#ask();
    };
    this.#timer = { atMs, timer: this.options.clock.after(atMs - this.options.clock.now(), ask, true) };
  }

  /** Says in a while what has changed. */
  #later(): void {
    this.#soon(limits.budgetAskMs);
  }

  async #ask(): Promise<void> {
    const askedMs = this.options.clock.now();
    const asked: { kept: Kept; waiting: readonly Waiting[] }[] = [];
    const asks: Record<string, BudgetAsk> = {};
    for (const [name, kept] of this.#inTurn()) {
      if (asked.length === limits.budgetKeysAskedMax) break;
      const waiting = kept.waiting.slice(0, limits.budgetWantedMax);
      const ask = kept.hand.ask(
        waiting.map(({ tokens }) => tokens),
        askedMs,
      );
      if (ask === null) continue;
      asks[name] = ask;
      asked.push({ kept, waiting });
      this.#kept.delete(name);
      this.#kept.set(name, kept);
    }
    // Who deals out anew wants to know what was spent: this proxy asks for nothing, and hears of it.
    if (this.#kept.size === 0) return;
    this.#asking = true;
    this.#askedMs = askedMs;
    const answer = await this.options.ask(asks).catch(() => null);
    this.#asking = false;
    if (this.#closed) return;
    if (answer !== null) {
      for (const each of asked) this.#answered(each, answer.grants[each.kept.key.name], askedMs);
      if (answer.since !== this.#since) for (const { hand } of this.#kept.values()) hand.tellAll();
      this.#since = answer.since;
    }
    this.#forgetIdle(this.options.clock.now());
    if (asked.length === limits.budgetKeysAskedMax) this.#soon(limits.budgetPauseMs);
    else this.#askAgain();
  }

  /** Those that calls wait for first, then those that were not asked for longest. */
  #inTurn(): (readonly [string, Kept])[] {
    const all = [...this.#kept];
    for (const [, { waiting }] of all) dropEnded(waiting);
    const waits = ([, { waiting }]: readonly [string, Kept]): boolean => waiting.length > 0;
    return [...all.filter(waits), ...all.filter((each) => !waits(each))];
  }

  #askAgain(): void {
    let withinMs: number = limits.budgetAskMs;
    for (const { hand, waiting } of this.#kept.values()) {
      const [first] = waiting;
      if (first !== undefined)
        withinMs = Math.min(withinMs, first.refusedMs === null ? 0 : limits.budgetSureMs);
      if (hand.isUrgent) withinMs = Math.min(withinMs, limits.budgetPauseMs);
    }
    this.#soon(withinMs);
  }

  #answered(
    { kept, waiting }: { kept: Kept; waiting: readonly Waiting[] },
    grant: BudgetGrant | undefined,
    askedMs: number,
  ): void {
    if (grant === undefined) return;
    const nowMs = this.options.clock.now();
    kept.hand.given(grant, askedMs, nowMs);
    if (grant.state !== undefined) return;
    for (const each of waiting) {
      const at = kept.waiting.indexOf(each);
      // Its time was over.
      if (at < 0) continue;
      const held = kept.hand.hold(each.tokens, nowMs);
      if (!held && !isSure(each, grant, askedMs)) continue;
      kept.waiting.splice(at, 1);
      each.timer.cancel();
      each.told(held ? null : { name: kept.key.name, reason: "spent", retryMs: grant.retryMs ?? 0 });
    }
  }
}

/** Calls that waited, and are over. */
function dropEnded(waiting: Waiting[]): void {
  for (const each of waiting.filter(({ call }) => call.over)) {
    each.timer.cancel();
    waiting.splice(waiting.indexOf(each), 1);
  }
}

/** There is not as much for this call, also after what others may just have given back. */
function isSure(waiting: Waiting, { retryMs, unsure }: BudgetGrant, askedMs: number): boolean {
  if (retryMs === undefined) return false;
  if (unsure === true) {
    waiting.refusedMs = askedMs;
    return false;
  }
  if (retryMs > limits.budgetRetryMs) return true;
  waiting.refusedMs ??= askedMs;
  return askedMs - waiting.refusedMs >= limits.budgetSureMs;
}

/** Where there is no controller. */
export function nobodyDealsOut(): Promise<never> {
  return Promise.reject(new Error("no controller deals out budgets here"));
}

function sameLimit(one: BudgetLimit, other: BudgetLimit): boolean {
  return one.tokens === other.tokens && one.windowMs === other.windowMs;
}
