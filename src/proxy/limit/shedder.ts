/**
 * Sheds load by priority while the process cannot keep up: each step of overload refuses one more priority, from the bottom,
 * and each step of calm lets one in again. Only what a document calls less important is shed: a machine that is merely slow refuses
 * nobody whose mesh says nothing of priorities.
 */
import { limits } from "../../model/limits.ts";
import { priorities, priorityLevel, type PriorityLevel } from "../../model/priority.ts";

/** Always served, and whatever is above it. */
const floor = priorityLevel("default");

export class Shedder {
  /** The lowest priority that is served. */
  lowest: PriorityLevel = 3;
  #overloaded = false;
  #sinceMs: number;

  constructor(
    nowMs: number,
    readonly delayMaxMs: number = limits.shedDelayMs,
    readonly stepMs: number = limits.shedStepMs,
  ) {
    this.#sinceMs = nowMs;
  }

  /** Whether it refuses anything now. */
  get sheds(): boolean {
    return this.lowest < priorities.length - 1;
  }

  admits(level: PriorityLevel): boolean {
    return level <= this.lowest;
  }

  /** How late the event loop was (its 99th percentile of the last while). To be told at least every `stepMs`. */
  delayed(delayMs: number, nowMs: number): void {
    const overloaded = delayMs > this.delayMaxMs;
    if (overloaded !== this.#overloaded) {
      this.#overloaded = overloaded;
      this.#sinceMs = nowMs;
    }
    if (nowMs - this.#sinceMs < this.stepMs) return;
    this.#sinceMs = nowMs;
    const next = this.lowest + (overloaded ? -1 : 1);
    this.lowest = Math.min(priorities.length - 1, Math.max(floor, next)) as PriorityLevel;
  }
}

/** For the log, when it changes. */
export function sheddingText({ sheds, lowest, delayMaxMs }: Shedder): string {
  if (!sheds) return "the event loop keeps up again: all requests are served";
  const served = priorities.slice(0, lowest + 1).join(", ");
  return `the event loop is over ${delayMaxMs} ms late (shedDelayMs): of all requests only those of priority ${served} are served`;
}
