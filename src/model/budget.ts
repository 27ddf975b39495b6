/**
 * A budget of tokens that all proxies of a mesh spend from: what proxy and controller say to each other about one key of it.
 *
 * The controller keeps what was spent in the window, and what it granted; a grant is held (for a call under way) or in hand until it is
 * spent or returned. All counts grow only, within a life of the key at a proxy: a message that is lost, late or repeated changes nothing that the
 * next one does not put right.
 *
 * The bound on the error. Spent and granted never come to more than the limit while proxies reach the controller, so no more calls are
 * admitted than fit; a stream may go over by what comes between two of its events and their count. A proxy that is away spends from what it
 * has in hand until its grant ends, then nothing (`whenAway: closed`), or at the pace of an even share (`whenAway: share`): with `a` of
 * `n` proxies away at most `limit * (1 + a / n)`. What a proxy that is gone had been granted counts as spent until it leaves the window.
 */

/** As proxies and controllers name one key of a budget to each other. `digest`: of what has it for itself; keys may be secrets. */
export function budgetKeyName(service: string, budget: string, digest: string): string {
  return `${service} ${budget} ${digest}`;
}

/** Service key and name of the budget; null: it is no such name. */
export function budgetOfKey(name: string): { readonly service: string; readonly budget: string } | null {
  const [, service, budget] = /^(\S+) (\S+) [0-9a-f]{24}$/.exec(name) ?? [];
  return service === undefined || budget === undefined ? null : { service, budget };
}

/** What documents say of it. Amounts are in tokens, weighted by kind. */
export interface BudgetLimit {
  readonly tokens: number;
  readonly windowMs: number;
}

export interface BudgetAsk {
  /** Of this key at this proxy: all counts begin with it. */
  readonly life: string;
  /** Rises with each ask of a life. */
  readonly sequence: number;
  /** Since the life began; spent by calls that have ended. */
  readonly granted: number;
  readonly spent: number;
  readonly returned: number;
  /** When the last of `spent` was, in ms before now. */
  readonly ageMs: number;
  /** Beside what calls hold; below 0 where calls took more than was granted. */
  readonly inHand: number;
  /** What calls wait for, each by itself, in the order in which they came. */
  readonly wanted: readonly number[];
  /** What calls took in the last seconds, in tokens per second. */
  readonly pace: number;
  /** What it spent within the window, for a controller that does not know: ages in ms and amounts, youngest first. */
  readonly recent?: readonly (readonly [ageMs: number, tokens: number])[];
}

export interface BudgetGrant {
  /** Of the ask that it answers. */
  readonly sequence: number;
  /** Since the life began. Of `wanted` each was granted, in order, that fitted into what was left. */
  readonly granted: number;
  /** What it may have in hand beside what calls hold; more is to be returned. */
  readonly handMax: number;
  /** How long it may be spent without another answer, counted from when the proxy asked. */
  readonly forMs: number;
  /** Not all of `wanted` fitted: when the first that did not may fit, in ms. */
  readonly retryMs?: number;
  /** Others may not have heard yet that there is little left: what they have given back may come. */
  readonly unsure?: true;
  /** There is little left: what comes back is to be told at once. */
  readonly tight?: true;
  /** A part of the limit for each proxy: what it goes on with when the controller is away. */
  readonly evenTokens: number;
  /** Nothing is granted: it does not know what this life did before (`recent` is to be said), or it began just now and listens. */
  readonly state?: "unknown" | "listens";
}

/** POST by a node. `part`: which of its event loops asks, from 0. */
export interface BudgetsRequest {
  readonly part: number;
  readonly asks: BudgetAsks;
}

/** What a proxy asks, by name of the key; and what it is answered. */
export type BudgetAsks = Readonly<Record<string, BudgetAsk>>;

export interface BudgetGrants {
  /** Another one with each controller that begins to deal out, and each start of one. */
  readonly since: string;
  readonly grants: Readonly<Record<string, BudgetGrant>>;
}
