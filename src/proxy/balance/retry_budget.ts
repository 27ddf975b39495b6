/**
 * How many retries a destination may cost: a share of its recent requests plus a floor, over a sliding window. Nor is more of it
 * spent in one second than a second earns: what a quiet time left over must not double the load of a service in the moment in which
 * it begins to fail.
 */
import { SharedRow } from "../../base/shared_row.ts";
import { wholeGroup, type TrafficTraits } from "../../model/traffic.ts";

const buckets = 10;

/** Places of its numbers: the bucket and the second under way, what came in that second, then requests and retries by bucket. */
const [bucket, second, requestsNow, retriesNow, requests] = [0, 1, 2, 3, 4] as const;
const retries = requests + buckets;

/** Numbers of one. */
export const budgetNumbers = retries + buckets;

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
  readonly #bucketMs: number;

  constructor(
    readonly settings: RetryBudgetSettings = retryBudgetSettings(),
    readonly row = SharedRow.own(budgetNumbers),
  ) {
    this.#bucketMs = settings.windowMs / buckets;
  }

  request(nowMs: number): void {
    this.row.enter();
    this.#count(requests, requestsNow, nowMs);
    this.row.leave();
  }

  /** Takes one retry if there is one left. */
  take(nowMs: number): boolean {
    const { row } = this;
    row.enter();
    this.#turn(nowMs);
    const has = this.#left() >= 1;
    if (has) this.#count(retries, retriesNow, nowMs);
    row.leave();
    return has;
  }

  /** Whole retries that it would grant now. */
  left(nowMs: number): number {
    const { row } = this;
    row.enter();
    this.#turn(nowMs);
    const left = this.#left();
    row.leave();
    return Math.max(0, Math.floor(left));
  }

  #count(first: number, now: number, nowMs: number): void {
    this.#turn(nowMs);
    const numbers = this.row.numbers;
    (numbers[now] as number)++;
    (numbers[first + ((numbers[bucket] as number) % buckets)] as number)++;
  }

  #left(): number {
    const { ratio, minPerSecond, windowMs } = this.settings;
    const numbers = this.row.numbers;
    const requestsSum = this.#sum(requests);
    const seconds = windowMs / 1_000;
    const window = minPerSecond * seconds + ratio * requestsSum - this.#sum(retries);
    const earned = minPerSecond + ratio * Math.max(numbers[requestsNow] as number, requestsSum / seconds);
    // Who earns less than one a second has one all the same, once the window has it.
    return Math.min(window, Math.max(1, earned) - (numbers[retriesNow] as number));
  }

  #sum(first: number): number {
    let sum = 0;
    for (let at = first; at < first + buckets; at++) sum += this.row.numbers[at] as number;
    return sum;
  }

  #turn(nowMs: number): void {
    const numbers = this.row.numbers;
    const nowSecond = Math.floor(nowMs / 1_000);
    if (nowSecond > (numbers[second] as number)) {
      numbers[second] = nowSecond;
      numbers[requestsNow] = numbers[retriesNow] = 0;
    }
    const now = Math.floor(nowMs / this.#bucketMs);
    const passed = Math.min(buckets, now - (numbers[bucket] as number));
    if (passed <= 0) return;
    for (let step = 0; step < passed; step++) {
      numbers[requests + ((now - step) % buckets)] = 0;
      numbers[retries + ((now - step) % buckets)] = 0;
    }
    numbers[bucket] = now;
  }
}
