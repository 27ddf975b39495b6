/**
 * What is under way, the oldest first, for whoever looks: gauges, and whatever shows calls while they last. A list that runs
 * through the records themselves, so that beginning and ending cost a few assignments.
 */
import type { ExchangeRecord } from "./record.ts";

export class UnderWay {
  #oldest: ExchangeRecord | null = null;
  #newest: ExchangeRecord | null = null;

  add(record: ExchangeRecord): void {
    record.older = this.#newest;
    if (this.#newest === null) this.#oldest = record;
    else this.#newest.newer = record;
    this.#newest = record;
  }

  /** Whether it was in it. */
  remove(record: ExchangeRecord): boolean {
    const { older, newer } = record;
    if (older === null && this.#oldest !== record) return false;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    record.older = null;
    record.newer = null;
    return true;
  }

  *[Symbol.iterator](): Generator<ExchangeRecord> {
    for (let record = this.#oldest; record !== null; record = record.newer) yield record;
  }
}
