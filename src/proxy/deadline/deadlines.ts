/**
 * The deadlines of one exchange: several kinds, of which each may stand or not, on one entry of the shard's timer wheel. Whoever
 * wants another kind adds it to the class and to `kinds`.
 */
import { WheelEntry } from "../../base/timer_wheel.ts";
import { limits } from "../../model/limits.ts";
import type { Shard } from "../../http/shard.ts";

/** In the order in which they are told when several are over at once. */
const kinds = ["request", "idle"] as const;
export type DeadlineKind = (typeof kinds)[number];

/** What has to move. */
export interface Moving {
  /** Body bytes that have passed, both ways. */
  readonly passed: number;
  /** It may stand still as long as it likes. */
  readonly maySilent: boolean;
}

export interface DeadlineOwner {
  /** This one is over, and stands no more. */
  late(kind: DeadlineKind): void;
}

const never = Number.POSITIVE_INFINITY;

export class Deadlines extends WheelEntry {
  /** When the whole exchange must be over. Milliseconds of the shard's clock, as all of them. */
  request = never;
  /** When something must have moved since it was set; it is set anew as long as something does. */
  idle = never;
  /** What had passed when it was set. */
  #passed = 0;
  #closed = false;

  constructor(
    readonly shard: Shard,
    readonly owner: DeadlineOwner,
    readonly moving: Moving,
  ) {
    super();
  }

  /**
   * Sets those of an exchange that began at `startedMs`. It must be over when the first of both limits has passed since then, null for
   * none; returns which, in milliseconds.
   */
  begin(startedMs: number, routeMs: number | null, callerMs: number | null): number | null {
    const timeoutMs = earlier(routeMs, callerMs);
    if (timeoutMs !== null) this.request = startedMs + timeoutMs;
    this.set("idle", limits.answerIdleMs);
    return timeoutMs;
  }

  /** Sets it to so many milliseconds from now, whatever it was. */
  set(kind: DeadlineKind, delayMs: number): void {
    this[kind] = this.shard.clock.now() + Math.max(0, delayMs);
    if (kind === "idle") this.#passed = this.moving.passed;
    this.#arm();
  }

  /** It stands no more. */
  clear(kind: DeadlineKind): void {
    this[kind] = never;
  }

  /** None stands any more, nor ever will. */
  close(): void {
    this.#closed = true;
    this.shard.wheel.forget(this);
  }

  expired(): void {
    const { shard } = this;
    shard.enter();
    for (const kind of kinds) {
      if (this.#closed || this[kind] > shard.clock.now()) continue;
      this[kind] = never;
      if (kind === "idle" && this.#isMoving()) this.set("idle", limits.answerIdleMs);
      else this.owner.late(kind);
    }
    this.#arm();
    shard.leave();
  }

  #isMoving(): boolean {
    const { passed, maySilent } = this.moving;
    return maySilent || passed !== this.#passed;
  }

  #arm(): void {
    const first = Math.min(this.request, this.idle);
    if (this.#closed || first === never) return;
    const { shard } = this;
    shard.wheel.arm(this, Math.max(0, first - shard.clock.now()));
    shard.tick();
  }
}

/** The one that ends first; null for no limit. */
function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
