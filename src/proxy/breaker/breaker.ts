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
import type { BreakerSettings } from "./breaker_settings.ts";
import { SuccessWindow } from "./success_window.ts";

export type BreakerState = "closed" | "open" | "half-open";

/** Why it tripped: hard failures in a row, no connection in a row, or too few successes in the window. */
export type EjectionReason = "streak" | "connect" | "rate";

/** `connect`: nothing was sent. `hard`: an answer that says it does not work, a reset, a timeout. `busy`: see judge.ts. */
export type EndpointFailure = "connect" | "hard" | "busy";

/** What the breakers of a service share. */
export interface BreakerHost {
  readonly settings: BreakerSettings;
  readonly random: Random;
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
  state: BreakerState = "closed";
  /** Why it is open or half-open; of a closed one, why it was the last time. null: it never tripped. */
  reason: EjectionReason | null = null;
  /** Rises with each transition. An attempt notes it when it begins: what began before says nothing about after. */
  epoch = 0;
  /** Since when it is closed; -Infinity when it was never open. Slow start counts from here. */
  closedSinceMs = -Infinity;
  /** When the penalty of an open one is over. */
  untilMs = 0;
  /** Ejections that are not forgiven yet: what the penalty grows with. */
  ejections = 0;
  /** Hard failures in a row. */
  streak = 0;
  #probeMs = 0;
  #penaltyMs = 0;
  readonly #window: SuccessWindow;

  constructor(readonly group: BreakerHost) {
    this.#window = new SuccessWindow(group.settings.windowMs);
  }

  /** True while no request but a probe goes there. */
  get ejected(): boolean {
    return this.state !== "closed";
  }

  /** The penalty in force, jitter included; 0 before the first. */
  get penaltyMs(): number {
    return this.#penaltyMs;
  }

  /** Whether the next request may be the probe. `repeatable`: it may be sent again elsewhere when it fails. */
  mayProbe(nowMs: number, repeatable: boolean): boolean {
    if (this.state === "closed") return false;
    const { probePatienceMs, probeSilentMs } = this.group.settings;
    if (this.state === "half-open") return nowMs - this.#probeMs >= probeSilentMs;
    return nowMs >= this.untilMs && (repeatable || nowMs >= this.untilMs + probePatienceMs);
  }

  /** Before then no request is the probe. */
  get nextProbeMs(): number {
    return this.state === "half-open" ? this.#probeMs + this.group.settings.probeSilentMs : this.untilMs;
  }

  /** The next request is the probe: its attempt notes the epoch after this call. */
  probe(nowMs: number): void {
    if (this.state === "open") this.#become("half-open", nowMs);
    this.#probeMs = nowMs;
    this.group.probesChanged();
  }

  /** An attempt of this epoch was answered, and not with a failure. */
  succeeded(epoch: number, nowMs: number): void {
    if (epoch !== this.epoch || this.state === "open") return;
    if (this.state === "half-open") return this.release(nowMs);
    this.streak = 0;
    this.#window.add(true, nowMs);
  }

  failed(epoch: number, failure: EndpointFailure, nowMs: number): void {
    if (epoch !== this.epoch || this.state === "open") return;
    if (this.state === "half-open") return this.#probeFailed(failure, nowMs);
    if (failure === "busy") return;
    this.streak++;
    this.#window.add(false, nowMs);
    const reason = this.#tripReason(failure);
    if (reason === null || !this.group.mayEject()) return;
    const least = this.group.settings.outlierFactor * this.group.othersFailing(this, nowMs);
    const own = reason === "rate" ? this.#failed() : 1;
    if (own >= least) this.#eject(reason, nowMs);
  }

  /** An attempt ended without a word about the endpoint (the client left): a probe goes back to be taken by another request. */
  abandoned(epoch: number, nowMs: number): void {
    if (epoch !== this.epoch || this.state !== "half-open") return;
    this.#become("open", nowMs);
  }

  /** Closed again, with a clean slate but for its ejections. */
  release(nowMs: number): void {
    this.streak = 0;
    this.#window.clear();
    this.closedSinceMs = nowMs;
    this.#become("closed", nowMs);
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
    return streakMax === 0 ? this.#failed() : Math.max(this.#failed(), Math.min(1, streak / streakMax));
  }

  #failed(): number {
    const { answers, successes } = this.#window;
    return (answers - successes) / Math.max(this.group.settings.windowAnswersMin, answers, 1);
  }

  #eject(reason: EjectionReason, nowMs: number): void {
    const forgiven = Math.floor((nowMs - this.closedSinceMs) / this.group.settings.forgiveMs);
    this.ejections = Math.max(0, this.ejections - forgiven);
    this.reason = reason;
    this.#punish(nowMs);
  }

  #probeFailed(failure: EndpointFailure, nowMs: number): void {
    // It lives and has no room yet: as before, and not longer than before.
    if (failure === "busy") this.ejections--;
    else this.reason = failure === "connect" ? "connect" : this.reason;
    this.#punish(nowMs);
  }

  #punish(nowMs: number): void {
    const { penaltyMs, penaltyMaxMs, jitterRatio } = this.group.settings;
    const plain = Math.min(penaltyMaxMs, penaltyMs * 2 ** this.ejections);
    this.ejections++;
    this.#penaltyMs = plain * (1 + jitterRatio * this.group.random.unit());
    this.untilMs = nowMs + this.#penaltyMs;
    this.#become("open", nowMs);
  }

  #become(state: BreakerState, nowMs: number): void {
    const from = this.state;
    this.state = state;
    this.epoch++;
    this.group.moved(this, from, nowMs);
  }
}
