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
import { SharedRow } from "../../base/shared_row.ts";
import { limits } from "../../model/limits.ts";

const tolerance = 1.5;
const smoothing = 0.2;
/** Requests that may stand in line without the limit shrinking. */
const queueAllowed = 4;
const longSamples = 600;
/** The first samples count alike: an average that has just begun has nothing to lean on. */
const warmUpSamples = 10;

/** Places of its numbers. A limit of 0 is none yet. */
const [limitAt, longAt, samplesAt, sampledAt] = [0, 1, 2, 3] as const;
export const gradientNumbers = 4;

export class Gradient2 {
  constructor(
    readonly min: number = limits.concurrencyMin,
    readonly max: number = limits.concurrencyMax,
    start: number = limits.concurrencyStart,
    readonly row = SharedRow.own(gradientNumbers),
  ) {
    const { numbers } = row;
    row.enter();
    if (numbers[limitAt] === 0) numbers[limitAt] = Math.min(max, Math.max(min, start));
    row.leave();
  }

  /** How many requests may be under way. */
  get limit(): number {
    return Math.floor(this.row.numbers[limitAt] as number);
  }

  /** What requests take over a long time, in milliseconds; 0 before the first. */
  get longMs(): number {
    return this.row.numbers[longAt] as number;
  }

  /** A request took `shortMs` until the head of its answer, and so many were under way when it began, itself included. */
  sample(shortMs: number, underWay: number, nowMs: number): void {
    if (shortMs <= 0) return;
    this.row.enter();
    this.#follow(shortMs, underWay, nowMs);
    this.row.leave();
  }

  #follow(shortMs: number, underWay: number, nowMs: number): void {
    const numbers = this.row.numbers;
    let longMs = this.#longWith(shortMs, nowMs);
    // After an overload the long average is too high for long: it would let the next one pass.
    if (longMs / shortMs > 2) longMs *= 0.95;
    numbers[longAt] = longMs;
    const limit = numbers[limitAt] as number;
    // Who does not use what there is says nothing about how much there could be.
    if (underWay < limit / 2) return;
    const gradient = Math.min(1, Math.max(0.5, (tolerance * longMs) / shortMs));
    const next = limit * (1 - smoothing) + smoothing * (limit * gradient + queueAllowed);
    numbers[limitAt] = Math.min(this.max, Math.max(this.min, next));
  }

  #longWith(shortMs: number, nowMs: number): number {
    const numbers = this.row.numbers;
    const passedMs = nowMs - (numbers[sampledAt] as number);
    numbers[sampledAt] = nowMs;
    const samples = ++(numbers[samplesAt] as number);
    const longMs = numbers[longAt] as number;
    if (samples <= warmUpSamples) return longMs + (shortMs - longMs) / samples;
    const change = ((shortMs - longMs) * 2) / (longSamples + 1);
    // Loops' clocks may differ by the time of a turn.
    const riseMax = (longMs * Math.LN2 * Math.max(0, passedMs)) / limits.concurrencyLongDoubleMs;
    return longMs + Math.min(change, riseMax);
  }
}
