/**
 * The breakers of the endpoints of one service: they share the bound on how many may be ejected. Without it a fault that all
 * endpoints have (or the caller's own) would leave nobody to answer; it stands in for a panic threshold.
 */
import type { Random } from "../../../runtime/contract.ts";
import { SharedRow } from "../../base/shared_row.ts";
import { limits } from "../../model/limits.ts";
import { Breaker, type BreakerHost, type BreakerState } from "./breaker.ts";
import type { BreakerSettings } from "./breaker_settings.ts";

/** Hears each transition; `breaker` says where it is now and why. */
export type BreakerListener = (breaker: Breaker, from: BreakerState, nowMs: number) => void;

/** Places of its numbers: transitions, and changes of when a probe is due. */
const [changesAt, probesAt] = [0, 1] as const;

/** Numbers of one. */
export const groupNumbers = 2;

export class BreakerGroup implements BreakerHost {
  /** How many stand between `enter` and `leave`, one inside of the other. */
  #depth = 0;
  readonly #members = new Set<Breaker>();
  /** Open and half-open ones. */
  readonly #ejected = new Set<Breaker>();
  /** As of these changes. */
  #ejectedSeen = 0;
  #nextProbeMs = Infinity;
  /** As of these. */
  #probesSeen = 0;
  /** Shares of failures of all, added up. */
  #failing = 0;
  #countedMs = -Infinity;

  constructor(
    readonly settings: BreakerSettings,
    readonly random: Random,
    readonly changed: BreakerListener = () => {},
    readonly row = SharedRow.own(groupNumbers),
    /** Begins the names of the rows of its breakers. */
    readonly name = "",
  ) {}

  enter(): void {
    if (this.#depth++ === 0) this.row.enter();
  }

  leave(): void {
    if (--this.#depth === 0) this.row.leave();
  }

  /** Rises whenever an endpoint is ejected or returns: who keeps a list of those that are not looks again. */
  get changes(): number {
    return this.row.numbers[changesAt] as number;
  }

  /** A breaker for one more endpoint. */
  add(row?: SharedRow): Breaker {
    const breaker = new Breaker(this, row);
    this.#enter(breaker);
    return breaker;
  }

  /** Its endpoint is gone. With fewer endpoints fewer may be ejected: those return whose penalty is over first. */
  remove(breaker: Breaker, nowMs: number): void {
    this.#leave(breaker);
    this.#keepBound(nowMs);
  }

  /**
   * These are the breakers of the endpoints that may be picked now. One that comes back is as it was: a health probe that passes
   * again says nothing about requests.
   */
  become(breakers: ReadonlySet<Breaker>, nowMs: number): void {
    for (const breaker of breakers) this.#enter(breaker);
    for (const breaker of this.#members) if (!breakers.has(breaker)) this.#leave(breaker);
    this.#keepBound(nowMs);
  }

  get size(): number {
    return this.#members.size;
  }

  get ejected(): number {
    return this.#ejectedNow().size;
  }

  mayEject(): boolean {
    return this.#ejectedNow().size < this.#ejectedMax();
  }

  othersFailing(breaker: Breaker, nowMs: number): number {
    const { size } = this.#members;
    const fresh = size > limits.breakerCountEagerMax && nowMs - this.#countedMs < limits.breakerCountMs;
    if (!fresh) this.#countFailing(nowMs);
    return Math.max(0, this.#failing - breaker.failing(nowMs)) / Math.max(1, size - 1);
  }

  /** When the first of the ejected may be probed, or looked at again: before then nobody need be asked. */
  get nextProbeMs(): number {
    if (this.#probesSeen !== this.row.numbers[probesAt]) this.#findNextProbe();
    return this.#nextProbeMs;
  }

  /** For breakers: one made its transition. */
  moved(breaker: Breaker, from: BreakerState, nowMs: number): void {
    this.#ejectedNow();
    if (breaker.state === "closed") this.#ejected.delete(breaker);
    else if (this.#members.has(breaker)) this.#ejected.add(breaker);
    if ((from === "closed") !== (breaker.state === "closed")) this.#ejectedChanged();
    this.probesChanged();
    this.changed(breaker, from, nowMs);
  }

  /** For breakers: the next probe may be due at another time. */
  probesChanged(): void {
    (this.row.numbers[probesAt] as number)++;
  }

  #enter(breaker: Breaker): void {
    this.#members.add(breaker);
    if (!breaker.ejected || this.#ejected.has(breaker)) return;
    this.#ejected.add(breaker);
    this.#ejectedChanged();
  }

  #leave(breaker: Breaker): void {
    this.#members.delete(breaker);
    if (this.#ejected.delete(breaker)) this.#ejectedChanged();
  }

  #keepBound(nowMs: number): void {
    this.enter();
    while (this.#ejectedNow().size > this.#ejectedMax()) {
      const [first] = [...this.#ejected].sort((one, other) => one.untilMs - other.untilMs);
      first?.release(nowMs);
    }
    this.leave();
  }

  /** Others may have ejected some, or let some return. */
  #ejectedNow(): ReadonlySet<Breaker> {
    if (this.#ejectedSeen === this.changes) return this.#ejected;
    this.#ejectedSeen = this.changes;
    this.#ejected.clear();
    for (const each of this.#members) if (each.ejected) this.#ejected.add(each);
    return this.#ejected;
  }

  /** The set of those that are is right as it stands. */
  #ejectedChanged(): void {
    this.#ejectedSeen = ++(this.row.numbers[changesAt] as number);
    this.probesChanged();
  }

  #ejectedMax(): number {
    const { size } = this.#members;
    return Math.max(0, Math.min(size - 1, Math.floor(size * this.settings.ejectedShareMax)));
  }

  #countFailing(nowMs: number): void {
    this.#countedMs = nowMs;
    this.#failing = 0;
    for (const each of this.#members) this.#failing += each.failing(nowMs);
  }

  #findNextProbe(): void {
    this.#nextProbeMs = Infinity;
    this.#probesSeen = this.row.numbers[probesAt] as number;
    for (const breaker of this.#ejectedNow())
      this.#nextProbeMs = Math.min(this.#nextProbeMs, breaker.nextProbeMs);
  }
}
