/**
 * What one proxy knows of the load of one endpoint: peak-EWMA of its latency (Finagle) times the requests under way.
 * Outlives snapshots as long as the endpoint does.
 *
 * What is known of a slow endpoint is soon forgotten, so that it is asked again a few seconds later: by one request. Until that is
 * answered the old latency counts, which keeps others away; the answer says whether it has recovered.
 */
import { EngineLoad } from "./engine_load.ts";

/** After so long 1/e is left of an old latency: of a minute nothing that counts after 5 s. */
const tauMs = 500;
/** The same while an answer is awaited. */
const askedTauMs = 10_000;
const seedMs = 30;
/** Latency that a failure counts as, so that fast errors do not look like a fast endpoint. */
const failurePenaltyMs = 1_000;
/** The same of one that asks for less: it has to have time. */
const busyPenaltyMs = 5_000;
/** Load of an endpoint of which nothing is left but that it is busy. */
const penalty = Number.MAX_SAFE_INTEGER / 65_536;

/** A sum over several endpoints. */
export interface PendingSum {
  pending: number;
}

const noTotals: readonly PendingSum[] = [];

/** Numbers stand in the object itself: among many endpoints each further place in memory costs more than the arithmetic. */
export class EndpointLoad {
  pending = 0;
  /** A request was sent there, and no answer came since. */
  #asked = false;
  /** Latency in milliseconds, and when it was noted. */
  #ewmaMs = seedMs;
  #notedMs: number;
  #engine: EngineLoad | null = null;
  /** Sums that this one is a part of. */
  totals = noTotals;

  constructor(nowMs: number) {
    this.#notedMs = nowMs;
  }

  /** Of a language model; made when it is first asked for. */
  get engine(): EngineLoad {
    return (this.#engine ??= new EngineLoad());
  }

  /** Decays while idle, without a write. */
  at(nowMs: number): number {
    const ewmaMs = this.#decayed(nowMs);
    return ewmaMs === 0 && this.pending > 0 ? penalty + this.pending : ewmaMs * (this.pending + 1);
  }

  started(): void {
    this.pending++;
    this.#asked = true;
    const { totals } = this;
    for (let at = 0; at < totals.length; at++) (totals[at] as PendingSum).pending++;
  }

  /** The head of the answer came after `latencyMs`. A peak counts at once, recovery takes its time. */
  answered(latencyMs: number, nowMs: number): void {
    const before = this.#ewmaMs;
    const decay = Math.exp((this.#notedMs - nowMs) / tauMs);
    this.#ewmaMs = latencyMs > before ? latencyMs : before * decay + latencyMs * (1 - decay);
    this.#notedMs = nowMs;
    this.#asked = false;
  }

  failed(nowMs: number): void {
    this.answered(failurePenaltyMs, nowMs);
  }

  /** It answered that it is busy (429, RESOURCE_EXHAUSTED). */
  busy(nowMs: number): void {
    this.answered(busyPenaltyMs, nowMs);
  }

  ended(): void {
    this.pending--;
    if (this.pending === 0) this.#asked = false;
    const { totals } = this;
    for (let at = 0; at < totals.length; at++) (totals[at] as PendingSum).pending--;
  }

  #decayed(nowMs: number): number {
    return this.#ewmaMs * Math.exp((this.#notedMs - nowMs) / (this.#asked ? askedTauMs : tauMs));
  }
}
