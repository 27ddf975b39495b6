/**
 * How long the answers of a service took lately, for hedging and for the question whether a retry can still be in time: the last ones,
 * sorted when somebody asks, and at most once in a while.
 */
import { limits } from "../../model/limits.ts";

export class Latencies {
  /** null until there is an answer: most services that a machine knows are called by nobody there. */
  #ring: Float64Array | null = null;
  #count = 0;
  #sorted: Float64Array | null = null;
  #sortedAt = 0;

  /** Milliseconds until the head of an answer. */
  add(ms: number): void {
    this.#ring ??= new Float64Array(limits.hedgeSamples);
    this.#ring[this.#count++ % limits.hedgeSamples] = ms;
  }

  /** Of a hundred answers 95 took no longer; null while too few are known. */
  get p95(): number | null {
    return this.#count < limits.hedgeSamplesMin ? null : this.#quantile(0.95);
  }

  /** Half of the answers took no longer; null while too few are known. */
  get p50(): number | null {
    return this.#count < limits.retryUsualSamplesMin ? null : this.#quantile(0.5);
  }

  #quantile(part: number): number | null {
    if (this.#ring === null) return null;
    if (this.#sorted === null || this.#count - this.#sortedAt >= limits.hedgeSampleEvery) {
      this.#sorted = this.#ring.slice(0, Math.min(this.#count, limits.hedgeSamples)).sort();
      this.#sortedAt = this.#count;
    }
    return this.#sorted[Math.ceil(this.#sorted.length * part) - 1] ?? null;
  }
}
