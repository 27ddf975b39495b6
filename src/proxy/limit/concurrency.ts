/**
 * How many requests the instances of one service on this machine serve at a time: a fixed number, or one that follows how long
 * they take (`gradient2.ts`). The next ones wait in a bounded line, by priority. Streams are not counted: they last.
 */
import { WheelEntry } from "../../base/timer_wheel.ts";
import type { SharedRow } from "../../base/shared_row.ts";
import type { Tally } from "../../base/tally.ts";
import type { Shard } from "../../http/shard.ts";
import { limits } from "../../model/limits.ts";
import type { PriorityLevel } from "../../model/priority.ts";
import type { WholeGroup } from "../../model/traffic.ts";
import { BoundedQueue } from "./bounded_queue.ts";
import { Gradient2, gradientNumbers } from "./gradient2.ts";

/** Waits for its turn. At most one of the two is called; whoever is gone by then answers `false` to the first. */
export interface Applicant {
  /** It is in. False: nobody wants it any more. */
  letIn(): boolean;
  /** It waited too long, or what matters more took its place. */
  turnedAway(): void;
}

export type ConcurrencySettings = WholeGroup<"concurrency">;

export class Concurrency extends WheelEntry {
  /** Those under way. */
  readonly places: Tally;
  readonly #law: Gradient2 | null;
  readonly #line: BoundedQueue<Applicant>;
  #turnsDue = false;

  constructor(
    readonly settings: ConcurrencySettings,
    readonly shard: Shard,
    /** Under which it counts in all event loops. */
    name: string,
  ) {
    super();
    const { numbers } = shard;
    this.places = numbers.tally(name);
    const { adaptive, min, max, pending } = settings;
    const found = (): SharedRow => numbers.row(`${name} found`, gradientNumbers);
    this.#law = adaptive ? new Gradient2(Math.min(min, max), max, limits.concurrencyStart, found()) : null;
    this.#line = new BoundedQueue({ max: pending, dropped: (applicant) => applicant.turnedAway() });
  }

  /** What it counts with. */
  *shared(): Generator<SharedRow | Tally> {
    yield this.places;
    if (this.#law !== null) yield this.#law.row;
  }

  get underWay(): number {
    return this.places.total;
  }

  /** How many may be under way now. */
  get limit(): number {
    return this.#law?.limit ?? this.settings.max;
  }

  get waiting(): number {
    return this.#line.length;
  }

  /** Whoever enters, at once or later, leaves once. `full`: there is no place in the line either. */
  ask(applicant: Applicant, level: PriorityLevel, nowMs: number): "enters" | "waits" | "full" {
    if (this.#line.length === 0 && this.#enter()) return "enters";
    if (!this.#line.offer(applicant, level, nowMs + this.settings.pendingWaitMs, nowMs)) return "full";
    if (this.underWay < this.limit) this.#turnsSoon();
    this.#watch();
    return "waits";
  }

  leave(): void {
    this.places.add(-1);
    if (this.#line.length > 0) this.#turnsSoon();
  }

  /** A request took so long until the head of its answer; `underWay`: those under way when it began, itself included. */
  sample(tookMs: number, underWay: number): void {
    this.#law?.sample(tookMs, underWay, this.shard.clock.now());
  }

  #enter(): boolean {
    const { places, limit } = this;
    if (places.total >= limit) return false;
    if (places.added(1) - 1 < limit) return true;
    // Another loop took the last one at the same time.
    places.add(-1);
    return false;
  }

  /** Some may have waited for too long; and another loop may have given places back. */
  expired(): void {
    this.#line.expire(this.shard.clock.now());
    if (this.places.isShared && this.#line.length > 0) this.#turnsSoon();
    this.#watch();
  }

  #watch(): void {
    if (this.#line.length === 0 || this.deadlineMs !== 0) return;
    this.shard.arm(this, Math.min(limits.timerTickMs, this.settings.pendingWaitMs));
  }

  /** Once the current turn is over: what ended may have more to say. */
  #turnsSoon(): void {
    if (this.#turnsDue) return;
    this.#turnsDue = true;
    this.shard.clock.microtask(this.#turns);
  }

  readonly #turns = (): void => {
    this.#turnsDue = false;
    this.shard.enter();
    while (this.#line.length > 0 && this.#enter()) {
      const applicant = this.#line.take(this.shard.clock.now());
      if (applicant === null || !applicant.letIn()) this.places.add(-1);
    }
    this.shard.leave();
  };
}
