/**
 * The deadlines of one exchange: several kinds, of which each may stand or not, on one entry of the shard's timer wheel. Whoever has
 * them extends this, so that an exchange and its deadlines are one object. Another kind is a field, and a line in `expired`,
 * `#put` and `#arm`.
 */
import { WheelEntry } from "../../base/timer_wheel.ts";
import { limits } from "../../model/limits.ts";
import type { Shard } from "../../http/shard.ts";

export type DeadlineKind = "request" | "try" | "idle";

const never = Number.POSITIVE_INFINITY;

export abstract class Deadlines extends WheelEntry {
  /** When the whole exchange must be over. Milliseconds of the shard's clock, as all of them. */
  #requestMs = never;
  /** When the attempt under way must be over. */
  #tryMs = never;
  /** When something must have moved since it was set; it is set anew as long as something does. */
  #idleMs = never;
  /** What had passed when it was set. */
  #passed = 0;
  #silentMs = never;
  #closed = false;

  constructor(private readonly shard: Shard) {
    super();
  }

  /** This one is over, and stands no more. */
  protected abstract late(kind: DeadlineKind): void;
  /** Body bytes that have passed, both ways. */
  protected abstract readonly passed: number;
  /** It may stand still as long as it likes. */
  protected abstract readonly maySilent: boolean;

  /**
   * Sets those of an exchange that began at `startedMs`. It must be over when the first of both limits has passed since then, null for
   * none; returns which, in milliseconds.
   * `silentMs`: how long nothing may move; Infinity for as long as it likes.
   */
  protected setDeadlines(
    startedMs: number,
    routeMs: number | null,
    callerMs: number | null,
    silentMs: number = limits.answerIdleMs,
  ): number | null {
    const timeoutMs = earlier(routeMs, callerMs);
    if (timeoutMs !== null) this.#requestMs = startedMs + timeoutMs;
    this.#silentMs = silentMs;
    if (silentMs !== never) {
      this.#idleMs = this.shard.clock.now() + silentMs;
      this.#passed = this.passed;
    }
    this.#arm();
    return timeoutMs;
  }

  /** Sets it to so many milliseconds from now, whatever it was. */
  protected setDeadline(kind: DeadlineKind, delayMs: number): void {
    this.#put(kind, this.shard.clock.now() + Math.max(0, delayMs));
    if (kind === "idle") this.#passed = this.passed;
    this.#arm();
  }

  /** It stands no more. */
  protected clearDeadline(kind: DeadlineKind): void {
    this.#put(kind, never);
  }

  /** None stands any more, nor ever will. */
  protected closeDeadlines(): void {
    this.#closed = true;
    this.shard.wheel.forget(this);
  }

  /** Those that are over at once are told in this order. */
  expired(): void {
    const { shard } = this;
    shard.enter();
    this.#tell("request", this.#requestMs);
    this.#tell("try", this.#tryMs);
    this.#tell("idle", this.#idleMs);
    this.#arm();
    shard.leave();
  }

  #tell(kind: DeadlineKind, atMs: number): void {
    if (this.#closed || atMs > this.shard.clock.now()) return;
    this.#put(kind, never);
    if (kind === "idle" && this.#isMoving()) this.setDeadline("idle", this.#silentMs);
    else this.late(kind);
  }

  #isMoving(): boolean {
    const { passed, maySilent } = this;
    return maySilent || passed !== this.#passed;
  }

  #put(kind: DeadlineKind, atMs: number): void {
    if (kind === "request") this.#requestMs = atMs;
    else if (kind === "try") this.#tryMs = atMs;
    else this.#idleMs = atMs;
  }

  #arm(): void {
    const firstMs = Math.min(this.#requestMs, this.#tryMs, this.#idleMs);
    if (this.#closed || firstMs === never) return;
    const { shard } = this;
    shard.arm(this, Math.max(0, firstMs - shard.clock.now()));
  }
}

/** The one that ends first; null for no limit. */
function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
