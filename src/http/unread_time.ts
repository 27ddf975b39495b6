/**
 * How long a connection was not read because this side let it wait. What its peer sent stands unread meanwhile, so that time counts
 * for no limit on the peer: those are kept in time in which the connection was read.
 */
import { limits } from "../model/limits.ts";

export class UnreadTime {
  #sinceMs = -1;
  #totalMs = 0;
  #lookedMs = 0;
  #runMs = 0;

  pause(nowMs: number): void {
    if (this.#sinceMs < 0) this.#sinceMs = nowMs;
  }

  resume(nowMs: number): void {
    if (this.#sinceMs >= 0) this.#totalMs += nowMs - this.#sinceMs;
    this.#sinceMs = -1;
  }

  /** Whether it waits. */
  get waits(): boolean {
    return this.#sinceMs >= 0;
  }

  /** This process stood still for so long, and read nothing. */
  stoodStill(ms: number): void {
    this.#totalMs += ms;
  }

  /** The time that counts: of a clock that stands still while nothing is read. */
  readMs(nowMs: number): number {
    return nowMs - this.#unreadMs(nowMs);
  }

  /**
   * To be called about once a second: how much of the last while, in which it had to wait again and again, it was not read. Not more
   * than `writeStallMs`: for as long its peer may also take nothing.
   */
  look(nowMs: number): number {
    const unreadMs = this.#unreadMs(nowMs);
    const newMs = unreadMs - this.#lookedMs;
    this.#lookedMs = unreadMs;
    this.#runMs = newMs === 0 ? 0 : Math.min(limits.writeStallMs, this.#runMs + newMs);
    return this.#runMs;
  }

  #unreadMs(nowMs: number): number {
    return this.#totalMs + (this.#sinceMs < 0 ? 0 : nowMs - this.#sinceMs);
  }
}
