/**
 * What one proxy knows of one endpoint's load: peak-EWMA of its latency and requests under way. Outlives snapshots as
 * long as the endpoint does.
 */
import type { Endpoint } from "../../model/snapshot.ts";

const tauMs = 10_000;
const seedMs = 30;
/** Latency that a failure counts as, milliseconds. */
const failurePenaltyMs = 1_000;

export class EndpointState {
  endpoint: Endpoint;
  pending = 0;
  #ewmaMs = seedMs;
  #stampMs: number;

  constructor(endpoint: Endpoint, nowMs: number) {
    this.endpoint = endpoint;
    this.#stampMs = nowMs;
  }

  /** Decays while idle, without a write. */
  load(nowMs: number): number {
    return this.#ewmaMs * Math.exp((this.#stampMs - nowMs) / tauMs) * (this.pending + 1);
  }

  started(): void {
    this.pending++;
  }

  /** The head of the answer came after `latencyMs`. */
  answered(latencyMs: number, nowMs: number): void {
    const weight = Math.exp((this.#stampMs - nowMs) / tauMs);
    this.#stampMs = nowMs;
    // A peak counts at once, recovery takes its time.
    this.#ewmaMs = latencyMs > this.#ewmaMs ? latencyMs : this.#ewmaMs * weight + latencyMs * (1 - weight);
  }

  failed(nowMs: number): void {
    this.answered(failurePenaltyMs, nowMs);
  }

  ended(): void {
    this.pending--;
  }
}
