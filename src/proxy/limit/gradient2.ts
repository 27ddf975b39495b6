/**
 * Adaptive concurrency by the Gradient2 law of Netflix's concurrency-limits: the limit follows the ratio of what requests
 * took over a long time to what the last one took. Sound only where all traffic to a process is seen: on its inbound side.
 *
 *     gradient = clamp(1.5 * long / short, 0.5, 1)
 *     limit    = 0.8 * limit + 0.2 * (limit * gradient + 4)
 *
 * One thing is different: there the long average follows a server that is full within some hundred samples, seconds for a busy
 * one, and the limit runs away to its maximum. Here it rises in time, not in samples: to twice as much in two minutes.
 */
import { limits } from "../../model/limits.ts";

const tolerance = 1.5;
const smoothing = 0.2;
/** Requests that may stand in line without the limit shrinking. */
const queueAllowed = 4;
const longSamples = 600;
/** The first samples count alike: an average that has just begun has nothing to lean on. */
const warmUpSamples = 10;

export class Gradient2 {
  #limit: number;
  #longMs = 0;
  #samples = 0;
  #sampledMs = 0;

  constructor(
    readonly min: number = limits.concurrencyMin,
    readonly max: number = limits.concurrencyMax,
    start: number = limits.concurrencyStart,
  ) {
    this.#limit = Math.min(max, Math.max(min, start));
  }

  /** How many requests may be under way. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** What requests take over a long time, in milliseconds; 0 before the first. */
  get longMs(): number {
    return this.#longMs;
  }

  /** A request took `shortMs` until the head of its answer, and so many were under way when it began, itself included. */
  sample(shortMs: number, underWay: number, nowMs: number): void {
    if (shortMs <= 0) return;
    this.#addLong(shortMs, nowMs);
    // After an overload the long average is too high for long: it would let the next one pass.
    if (this.#longMs / shortMs > 2) this.#longMs *= 0.95;
    // Who does not use what there is says nothing about how much there could be.
    if (underWay < this.#limit / 2) return;
    const gradient = Math.min(1, Math.max(0.5, (tolerance * this.#longMs) / shortMs));
    const next = this.#limit * (1 - smoothing) + smoothing * (this.#limit * gradient + queueAllowed);
    this.#limit = Math.min(this.max, Math.max(this.min, next));
  }

  #addLong(shortMs: number, nowMs: number): void {
    const passedMs = nowMs - this.#sampledMs;
    this.#sampledMs = nowMs;
    this.#samples++;
    if (this.#samples <= warmUpSamples) {
      this.#longMs += (shortMs - this.#longMs) / this.#samples;
      return;
    }
    const change = ((shortMs - this.#longMs) * 2) / (longSamples + 1);
    const riseMax = (this.#longMs * Math.LN2 * passedMs) / limits.concurrencyLongDoubleMs;
    this.#longMs += Math.min(change, riseMax);
  }
}
