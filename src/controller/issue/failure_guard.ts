/** Slows down whoever guesses: after some failures from one source within a minute, all it asks is refused unseen. */
import { Refusal } from "../../api/problem.ts";
import { sourceOf } from "../../base/source_of.ts";
import { limits } from "../../model/limits.ts";

const windowMs = 60_000;

export class FailureGuard {
  /** Times of the failures of the last minute, by source; the source that failed longest ago comes first. */
  readonly #failures = new Map<string, readonly number[]>();

  constructor(readonly wallMs: () => number) {}

  /** Runs what an address asks for, unless it failed too often. A refusal with 403 counts as a failure. */
  async watch<T>(address: string, work: () => Promise<T>): Promise<T> {
    this.#check(sourceOf(address));
    return await this.count(address, work);
  }

  /**
   * Runs what an address asks for, however often others of it failed; beyond those it is told no reasons. For what proves itself by a
   * key: nobody guesses that, and whoever shares an address with one who fails for ever is not locked out with it.
   */
  async count<T>(address: string, work: () => Promise<T>): Promise<T> {
    const source = sourceOf(address);
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 403) throw error;
      // Others of the same source may have failed meanwhile: then not even the reason is told.
      this.#check(source);
      this.#failed(source);
      throw error;
    }
  }

  #check(source: string): void {
    if (this.#recent(source).length >= limits.joinFailuresPerMinuteMax)
      throw new Refusal(429, "There were too many failed attempts from this address; try again in a minute");
  }

  #failed(source: string): void {
    const failures = [...this.#recent(source), this.wallMs()];
    this.#failures.delete(source);
    this.#failures.set(source, failures);
    if (this.#failures.size > limits.joinSourcesMax)
      for (const oldest of this.#failures.keys()) return void this.#failures.delete(oldest);
  }

  #recent(source: string): readonly number[] {
    const sinceMs = this.wallMs() - windowMs;
    return (this.#failures.get(source) ?? []).filter((at) => at > sinceMs && at <= this.wallMs());
  }
}
