/** How many retries a destination may cost: a share of its recent requests plus a floor, over a sliding window. */
import { limits } from "../../model/limits.ts";

const buckets = 10;
const bucketMs = limits.retryBudgetWindowMs / buckets;

export class RetryBudget {
  readonly #requests = new Float64Array(buckets);
  readonly #retries = new Float64Array(buckets);
  #bucket = 0;

  request(nowMs: number): void {
    this.#turn(nowMs);
    this.#requests[this.#bucket % buckets] = (this.#requests[this.#bucket % buckets] as number) + 1;
  }

  /** Takes one retry if there is one left. */
  take(nowMs: number): boolean {
    this.#turn(nowMs);
    if (this.#left() < 1) return false;
    this.#retries[this.#bucket % buckets] = (this.#retries[this.#bucket % buckets] as number) + 1;
    return true;
  }

  /** Whole retries that it would grant now. */
  left(nowMs: number): number {
    this.#turn(nowMs);
    return Math.max(0, Math.floor(this.#left()));
  }

  #left(): number {
    const requests = this.#requests.reduce((sum, count) => sum + count, 0);
    const retries = this.#retries.reduce((sum, count) => sum + count, 0);
    const floor = (limits.retryBudgetFloorPerSecond * limits.retryBudgetWindowMs) / 1000;
    return floor + limits.retryBudgetRatio * requests - retries;
  }

  #turn(nowMs: number): void {
    const now = Math.floor(nowMs / bucketMs);
    if (now === this.#bucket) return;
    const passed = Math.min(buckets, now - this.#bucket);
    for (let step = 1; step <= passed; step++) {
      this.#requests[(now - passed + step) % buckets] = 0;
      this.#retries[(now - passed + step) % buckets] = 0;
    }
    this.#bucket = now;
  }
}
