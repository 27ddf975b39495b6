/**
 * Decides by what requests met whether an endpoint gets more of them: the circuit breaker of one endpoint.
 *
 *     closed --(trip)--> open, for a penalty --> half-open: one probe --(success)--> closed
 *                         ^                                  |
 *                         +----------(failure)---------------+
 *
 * It trips on a streak of hard failures, or when the share of successes within a window is too low (as the "unified" breaker
 * of Linkerd 2026 does); but not while the others fail as much: then what is wrong is not this endpoint (an overload, a fault of
 * the caller), and to eject it would leave more for the others. The penalty doubles with each ejection, and jitter keeps many from returning together. Only requests
 * open and close it: a health probe that passes says nothing here, because it may pass where requests fail.
 */
import type { Random } from "../../../runtime/contract.ts";
import { SharedRow } from "../../base/shared_row.ts";
import type { BreakerSettings } from "./breaker_settings.ts";
import { SuccessWindow, windowNumbers } from "./success_window.ts";

const states = ["closed", "open", "half-open"] as const;
export type BreakerState = (typeof states)[number];

const reasons = ["streak", "connect", "rate"] as const;
/** Why it tripped: hard failures in a row, no connection in a row, or too few successes in the window. */
export type EjectionReason = (typeof reasons)[number];

/** Places of its numbers. State and reason are places in their lists, a reason from 1 on; after them comes its window. */
const [stateAt, reasonAt, epochAt, untilAt, ejectionsAt, streakAt, probeAt, penaltyAt] = [
  0, 1, 2, 3, 4, 5, 6, 7,
] as const;
const [returnedAt, returnsAt, windowAt] = [8, 9, 10] as const;

/** Numbers of one. */
export const breakerNumbers = windowAt + windowNumbers;

/** `connect`: nothing was sent. `hard`: an answer that says it does not work, a reset, a timeout. `busy`: see judge.ts. */
export type EndpointFailure = "connect" | "hard" | "busy";

/** What the breakers of a service share. */
export interface BreakerHost {
  readonly settings: BreakerSettings;
  readonly random: Random;
  /** What changes a breaker, but for answers that are usual, happens between these two: one at a time of all that share the service. */
  enter(): void;
  leave(): void;
  /** How much fails at the average endpoint but this one: all at one that is ejected, nothing at one that is idle. */
  othersFailing(breaker: Breaker, nowMs: number): number;
  /** Whether one more may be open. */
  mayEject(): boolean;
  /** One made its transition from this state. */
  moved(breaker: Breaker, from: BreakerState, nowMs: number): void;
  /** The next probe may be due at another time. */
  probesChanged(): void;
}

export class Breaker {
  readonly #window: SuccessWindow;

  constructor(
    readonly group: BreakerHost,
    readonly row = SharedRow.own(breakerNumbers),
  ) {
    this.#window = new SuccessWindow(group.settings.windowMs, row, windowAt);
  }

  get state(): BreakerState {
    return states[this.row.numbers[stateAt] as number] as BreakerState;
  }

  /** Why it is open or half-open; of a closed one, why it was the last time. null: it never tripped. */
  get reason(): EjectionReason | null {
    return reasons[(this.row.numbers[reasonAt] as number) - 1] ?? null;
  }

  /** Rises with each transition. An attempt notes it when it begins: what began before says nothing about after. */
  get epoch(): number {
    return this.row.numbers[epochAt] as number;
  }

  /** Since when it is closed; -Infinity when it was never open. Slow start counts from here. */
  get closedSinceMs(): number {
    return this.row.numbers[returnsAt] === 0 ? -Infinity : (this.row.numbers[returnedAt] as number);
  }

  /** When the penalty of an open one is over. */
  get untilMs(): number {
    return this.row.numbers[untilAt] as number;
  }

  /** Ejections that are not forgiven yet: what the penalty grows with. */
  get ejections(): number {
    return this.row.numbers[ejectionsAt] as number;
  }

  /** Hard failures in a row. */
  get streak(): number {
    return this.row.numbers[streakAt] as number;
  }

  /** True while no request but a probe goes there. */
  get ejected(): boolean {
    return this.row.numbers[stateAt] !== 0;
  }

  /** The penalty in force, jitter included; 0 before the first. */
  get penaltyMs(): number {
    return this.row.numbers[penaltyAt] as number;
  }

  /** Whether the next request may be the probe. `repeatable`: it may be sent again elsewhere when it fails. */
  mayProbe(nowMs: number, repeatable: boolean): boolean {
    if (this.state === "closed") return false;
    const { probePatienceMs, probeSilentMs } = this.group.settings;
    if (this.state === "half-open") return nowMs - (this.row.numbers[probeAt] as number) >= probeSilentMs;
    return nowMs >= this.untilMs && (repeatable || nowMs >= this.untilMs + probePatienceMs);
  }

  /** Before then no request is the probe. */
  get nextProbeMs(): number {
    return this.state === "half-open"
      ? (this.row.numbers[probeAt] as number) + this.group.settings.probeSilentMs
      : this.untilMs;
  }

  /** The next request is the probe if this says so: its attempt notes the epoch after this call. */
  probe(nowMs: number, repeatable: boolean): boolean {
    const { group } = this;
    group.enter();
    const may = this.mayProbe(nowMs, repeatable);
    if (may) {
      if (this.state === "open") this.#become("half-open", nowMs);
      this.row.numbers[probeAt] = nowMs;
      group.probesChanged();
    }
    group.leave();
    return may;
  }

  /** An attempt of this epoch was answered, and not with a failure. */
  succeeded(epoch: number, nowMs: number): void {
    if (epoch !== this.epoch || this.state === "open") return;
    if (this.state === "half-open") return this.release(nowMs);
    this.row.numbers[streakAt] = 0;
    this.#window.add(true, nowMs);
  }

  failed(epoch: number, failure: EndpointFailure, nowMs: number): void {
    this.group.enter();
    this.#failed(epoch, failure, nowMs);
    this.group.leave();
  }

  #failed(epoch: number, failure: EndpointFailure, nowMs: number): void {
    if (epoch !== this.epoch || this.state === "open") return;
    if (this.state === "half-open") return this.#probeFailed(failure, nowMs);
    if (failure === "busy") return;
    (this.row.numbers[streakAt] as number)++;
    this.#window.add(false, nowMs);
    const reason = this.#tripReason(failure);
    if (reason === null || !this.group.mayEject()) return;
    const least = this.group.settings.outlierFactor * this.group.othersFailing(this, nowMs);
    const own = reason === "rate" ? this.#failedShare() : 1;
    if (own >= least) this.#eject(reason, nowMs);
  }

  /** An attempt ended without a word about the endpoint (the client left): a probe goes back to be taken by another request. */
  abandoned(epoch: number, nowMs: number): void {
    if (!this.ejected) return;
    this.group.enter();
    if (epoch === this.epoch && this.state === "half-open") this.#become("open", nowMs);
    this.group.leave();
  }

  /** Closed again, with a clean slate but for its ejections. */
  release(nowMs: number): void {
    this.group.enter();
    const numbers = this.row.numbers;
    numbers[streakAt] = 0;
    this.#window.clear();
    numbers[returnedAt] = nowMs;
    (numbers[returnsAt] as number)++;
    this.#become("closed", nowMs);
    this.group.leave();
  }

  #tripReason(failure: EndpointFailure): EjectionReason | null {
    const { streakMax, successMin, windowAnswersMin } = this.group.settings;
    if (streakMax > 0 && this.streak >= streakMax) return failure === "connect" ? "connect" : "streak";
    const { answers, successes } = this.#window;
    return answers >= windowAnswersMin && successes < successMin * answers ? "rate" : null;
  }

  /** How much of what it gets fails, between 0 and 1: in the window, or in its last requests if that is more. */
  failing(nowMs: number): number {
    if (this.ejected) return 1;
    const { streakMax } = this.group.settings;
    this.#window.turn(nowMs);
    // A streak that the window has forgotten says nothing any more.
    const streak = Math.min(this.streak, this.#window.answers - this.#window.successes);
    return streakMax === 0
      ? this.#failedShare()
      : Math.max(this.#failedShare(), Math.min(1, streak / streakMax));
  }

  #failedShare(): number {
    const { answers, successes } = this.#window;
    return (answers - successes) / Math.max(this.group.settings.windowAnswersMin, answers, 1);
  }

  #eject(reason: EjectionReason, nowMs: number): void {
    const forgiven = Math.floor((nowMs - this.closedSinceMs) / this.group.settings.forgiveMs);
    this.row.numbers[ejectionsAt] = Math.max(0, this.ejections - forgiven);
    this.#punish(reason, nowMs);
  }

  #probeFailed(failure: EndpointFailure, nowMs: number): void {
    // It lives and has no room yet: as before, and not longer than before.
    if (failure === "busy") (this.row.numbers[ejectionsAt] as number)--;
    this.#punish(failure === "connect" ? failure : this.reason, nowMs);
  }

  #punish(reason: EjectionReason | null, nowMs: number): void {
    const { penaltyMs, penaltyMaxMs, jitterRatio } = this.group.settings;
    const numbers = this.row.numbers;
    const plain = Math.min(penaltyMaxMs, penaltyMs * 2 ** this.ejections);
    (numbers[ejectionsAt] as number)++;
    numbers[penaltyAt] = plain * (1 + jitterRatio * this.group.random.unit());
    numbers[untilAt] = nowMs + this.penaltyMs;
    numbers[reasonAt] = reason === null ? 0 : reasons.indexOf(reason) + 1;
    this.#become("open", nowMs);
  }

  #become(state: BreakerState, nowMs: number): void {
    const from = this.state;
    this.row.numbers[stateAt] = states.indexOf(state);
    (this.row.numbers[epochAt] as number)++;
    this.group.moved(this, from, nowMs);
  }
}
