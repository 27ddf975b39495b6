/**
 * Gives out a bounded number of places, to each client and each caller no more than its share while others may want them.
 * Who has its share waits in line, for a bounded time; callers have their turns there one after the other, and so have the
 * clients of a caller. Places in the line are bounded and shared in the same way.
 */
import { NameTallies } from "../../base/name_tallies.ts";
import { WheelEntry } from "../../base/timer_wheel.ts";
import type { Tally } from "../../base/tally.ts";
import type { Shard } from "../../http/shard.ts";
import { limits } from "../../model/limits.ts";
import { Claim, ClaimGroup } from "./claim.ts";
import { mayTake } from "./share_rule.ts";

export interface FairGateOptions<W> {
  readonly shard: Shard;
  /** How many places there are. */
  readonly max: number;
  /** Its turn came: it has a place, and gives it back. */
  readonly admit: (waiter: W, sinceMs: number) => void;
  /** It waited for as long as may be. */
  readonly overdue: (waiter: W) => void;
  /** Before it looks whether other loops gave places back: there may be more by now. */
  readonly look?: () => void;
  /** What is taken counts for the gates of this name in all event loops. */
  readonly name: string;
}

/** `full`: there is no place in the line either. */
export type GateAnswer = "enters" | "waits" | "full";

interface Waiting<W> {
  readonly claim: Claim<W>;
  readonly sinceMs: number;
}

export class FairGate<W> extends WheelEntry {
  max: number;
  /** How many may wait, and for how long. */
  pendingMax: number = limits.pendingMax;
  pendingMs: number = limits.pendingMs;
  /** Taken, by all gates that count here. */
  readonly places: Tally;
  readonly #groups = new Map<string, ClaimGroup<W>>();
  readonly #callers: Tally[] = [];
  /** Of clients that come by several loops. */
  #clients: NameTallies | null = null;
  /** Groups on whose behalf somebody waits, in the order of their turns. */
  readonly #line: ClaimGroup<W>[] = [];
  /** Everybody who waits, in the order in which they came. */
  readonly #waiting = new Map<W, Waiting<W>>();
  #turnsDue = false;

  constructor(readonly options: FairGateOptions<W>) {
    super();
    this.max = options.max;
    this.places = options.shard.numbers.tally(options.name);
  }

  get taken(): number {
    return this.places.total;
  }

  /** `everywhere`: what tells the client apart in other loops, where it may come by those too. */
  claimOf(caller: string, everywhere: string | null): Claim<W> {
    const group = this.#groups.get(caller) ?? this.#newGroup(caller);
    if (everywhere === null || !this.places.isShared) return new Claim(group);
    const { shard, name } = this.options;
    this.#clients ??= new NameTallies(shard.numbers.tallies(`${name} clients`, limits.gateClientTallies));
    return new Claim(group, this.#clients.of(everywhere));
  }

  #newGroup(caller: string): ClaimGroup<W> {
    const { shard, name } = this.options;
    const tally = this.places.isShared ? shard.numbers.tally(`${name} of ${caller}`) : null;
    if (tally !== null) this.#callers.push(tally);
    const group = new ClaimGroup<W>(tally);
    this.#groups.set(caller, group);
    return group;
  }

  /** It counts for itself from now on. */
  release(): void {
    for (const each of [this.places, ...this.#callers, ...(this.#clients === null ? [] : [this.#clients])])
      each.release();
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whoever enters gives its place back by `leave`; whoever waits is admitted or overdue later, unless it is forgotten. */
  ask(claim: Claim<W>, waiter: W, nowMs: number): GateAnswer {
    if (this.#enter(claim)) return "enters";
    return this.#wait(claim, waiter, nowMs) ? "waits" : "full";
  }

  leave(claim: Claim<W>): void {
    this.places.add(-1);
    claim.hold(-1);
    claim.group.hold(-1);
    if (this.#waiting.size > 0) this.#turnsSoon();
  }

  /** There are more places, or fewer: nobody loses one. */
  resize(max: number): void {
    this.max = max;
    if (this.#waiting.size > 0) this.#turnsSoon();
  }

  /** Another line: who waits already waits by the new time. */
  resizeLine(pendingMax: number, pendingMs: number): void {
    this.pendingMax = pendingMax;
    this.pendingMs = pendingMs;
    if (this.#waiting.size > 0) this.#watch();
  }

  /** Waits no longer, if it did. */
  forget(waiter: W): void {
    const waiting = this.#waiting.get(waiter);
    if (waiting === undefined) return;
    this.#waiting.delete(waiter);
    waiting.claim.waiters.delete(waiter);
    waiting.claim.group.waiting--;
  }

  /** The time of the one that waits longest is over; or another gate may have given places back. */
  expired(): void {
    const { shard, overdue, look } = this.options;
    if (this.places.isShared) look?.();
    if (this.places.isShared && this.places.total < this.max) this.#turnsSoon();
    const before = shard.clock.now() - this.pendingMs;
    for (const [waiter, { sinceMs }] of this.#waiting) {
      if (sinceMs > before) break;
      this.forget(waiter);
      overdue(waiter);
    }
    this.#watch();
  }

  #enter(claim: Claim<W>): boolean {
    const { group } = claim;
    const { max, places } = this;
    if (!mayTake(max, places.total, group.held, claim.held)) return false;
    if (places.added(1) > max) {
      // Another gate took the last one at the same time.
      places.add(-1);
      return false;
    }
    claim.hold(1);
    group.hold(1);
    return true;
  }

  #wait(claim: Claim<W>, waiter: W, nowMs: number): boolean {
    const { group, waiters } = claim;
    if (!mayTake(this.pendingMax, this.#waiting.size, group.waiting, waiters.size)) return false;
    if (!claim.inLine) group.line.push(claim);
    if (!group.inLine) this.#line.push(group);
    claim.inLine = group.inLine = true;
    waiters.add(waiter);
    group.waiting++;
    this.#waiting.set(waiter, { claim, sinceMs: nowMs });
    if (this.#waiting.size === 1) this.#watch();
    return true;
  }

  /** Once the current turn is over: what gave a place back may have more to give, and frees what the next one uses. */
  #turnsSoon(): void {
    if (this.#turnsDue) return;
    this.#turnsDue = true;
    this.options.shard.clock.microtask(this.#turns);
  }

  readonly #turns = (): void => {
    const { shard, admit } = this.options;
    this.#turnsDue = false;
    shard.enter();
    for (let waiter = this.#next(); waiter !== null; waiter = this.#next()) {
      const { sinceMs } = this.#waiting.get(waiter) as Waiting<W>;
      this.forget(waiter);
      admit(waiter, sinceMs);
    }
    shard.leave();
  };

  /** Whose turn it is, with its place taken; null when nobody who was looked at may have one. */
  #next(): W | null {
    const line = this.#line;
    for (let looks = Math.min(line.length, limits.gateLooksMax); looks > 0; looks--) {
      const group = line.shift() as ClaimGroup<W>;
      group.inLine = group.waiting > 0;
      if (!group.inLine) continue;
      line.push(group);
      const waiter = this.#nextOf(group);
      if (waiter !== null) return waiter;
    }
    return null;
  }

  #nextOf({ line }: ClaimGroup<W>): W | null {
    for (let looks = Math.min(line.length, limits.gateLooksMax); looks > 0; looks--) {
      const claim = line.shift() as Claim<W>;
      claim.inLine = claim.waiters.size > 0;
      if (!claim.inLine) continue;
      line.push(claim);
      if (this.#enter(claim)) return claim.waiters.values().next().value as W;
    }
    return null;
  }

  #watch(): void {
    const { shard } = this.options;
    const first = this.#waiting.values().next().value;
    if (first === undefined) return shard.wheel.forget(this);
    const leftMs = Math.max(0, first.sinceMs + this.pendingMs - shard.clock.now());
    shard.wheel.arm(this, this.places.isShared ? Math.min(leftMs, limits.sharedPlacesLookMs) : leftMs);
    shard.tick();
  }
}
