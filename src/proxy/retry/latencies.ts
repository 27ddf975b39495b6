/** How long the answers of a service took lately, for the delay of hedging: the last ones, sorted anew once in a while. */
import { limits } from "../../model/limits.ts";

export class Latencies {
  readonly #ring = new Float64Array(limits.hedgeSamples);
  #count = 0;
  #p95: number | null = null;

  /** Milliseconds until the head of an answer. */
  add(ms: number): void {
    this.#ring[this.#count++ % limits.hedgeSamples] = ms;
    if (this.#count < limits.hedgeSamplesMin || this.#count % limits.hedgeSampleEvery !== 0) return;
    const known = this.#ring.slice(0, Math.min(this.#count, limits.hedgeSamples)).sort();
    this.#p95 = known[Math.ceil(known.length * 0.95) - 1] as number;
  }

  /** Of a hundred answers 95 took no longer; null while too few are known. */
  get p95(): number | null {
    return this.#p95;
  }
}
