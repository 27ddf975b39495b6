/**
 * How many retries a destination may cost: a share of its recent requests plus a floor, over a sliding window. Nor is more of it
 * spent in one second than a second earns: what a quiet time left over must not double the load of a service in the moment in which
 * it begins to fail.
 */
import { wholeGroup, type TrafficTraits } from "../../model/traffic.ts";

const buckets = 10;

export interface RetryBudgetSettings {
  /** Retries for each request. */
  readonly ratio: number;
  readonly minPerSecond: number;
  readonly windowMs: number;
}

/** With what a document says, and the defaults for the rest. */
export function retryBudgetSettings(traffic: TrafficTraits = {}): RetryBudgetSettings {
  const { percent, min, intervalMs } = wholeGroup("retryBudget", traffic);
  return { ratio: percent / 100, minPerSecond: min, windowMs: intervalMs };
}

export class RetryBudget {
  readonly #requests = new Float64Array(buckets);
  readonly #retries = new Float64Array(buckets);
  readonly #bucketMs: number;
  #bucket = 0;
  /** The second under way, and what came in it. */
  #second = 0;
  #requestsNow = 0;
  #retriesNow = 0;

  constructor(readonly settings: RetryBudgetSettings = retryBudgetSettings()) {
    this.#bucketMs = settings.windowMs / buckets;
  }

  request(nowMs: number): void {
    this.#turn(nowMs);
    this.#requestsNow++;
    this.#requests[this.#bucket % buckets] = (this.#requests[this.#bucket % buckets] as number) + 1;
  }

  /** Takes one retry if there is one left. */
  take(nowMs: number): boolean {
    this.#turn(nowMs);
    if (this.#left() < 1) return false;
    this.#retriesNow++;
    this.#retries[this.#bucket % buckets] = (this.#retries[this.#bucket % buckets] as number) + 1;
    return true;
  }

  /** Whole retries that it would grant now. */
  left(nowMs: number): number {
    this.#turn(nowMs);
    return Math.max(0, Math.floor(this.#left()));
  }

  #left(): number {
    const { ratio, minPerSecond, windowMs } = this.settings;
    const requests = this.#requests.reduce((sum, count) => sum + count, 0);
    const retries = this.#retries.reduce((sum, count) => sum + count, 0);
    const seconds = windowMs / 1_000;
    const window = minPerSecond * seconds + ratio * requests - retries;
    const earned = minPerSecond + ratio * Math.max(this.#requestsNow, requests / seconds);
    // Who earns less than one a second has one all the same, once the window has it.
    return Math.min(window, Math.max(1, earned) - this.#retriesNow);
  }

  #turn(nowMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#requestsNow = this.#retriesNow = 0;
    }
    const now = Math.floor(nowMs / this.#bucketMs);
    if (now === this.#bucket) return;
    const passed = Math.min(buckets, now - this.#bucket);
    for (let step = 1; step <= passed; step++) {
      this.#requests[(now - passed + step) % buckets] = 0;
      this.#retries[(now - passed + step) % buckets] = 0;
    }
    this.#bucket = now;
  }
}
