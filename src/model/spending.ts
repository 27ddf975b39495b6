/**
 * What was spent within a window that slides: amounts by steps of a hundredth of the window. What was spent in a step leaves
 * with the end of it, so the sum is never less than what was spent within the window.
 */

/** Steps of a window. A hundredth of its time is what a sum may hold too much. */
const steps = 100;
/** Amounts that `recent` has at most. */
export const budgetStepsMax = steps + 2;

export class Spending {
  /** Numbers of steps and amounts, oldest first. */
  #entries: { step: number; tokens: number }[] = [];
  #sum = 0;

  constructor(readonly windowMs: number) {}

  get stepMs(): number {
    return this.windowMs / steps;
  }

  add(tokens: number, atMs: number): void {
    if (tokens === 0) return;
    const step = Math.floor(atMs / this.stepMs);
    const after = this.#entries.findLastIndex((entry) => entry.step <= step);
    const found = this.#entries[after];
    if (found?.step === step) found.tokens += tokens;
    else this.#entries.splice(after + 1, 0, { step, tokens });
    this.#sum += tokens;
  }

  /** As of the last look at the sum. */
  get any(): boolean {
    return this.#entries.length > 0;
  }

  /** Within the window that ends now. */
  sum(nowMs: number): number {
    const oldest = Math.floor((nowMs - this.windowMs) / this.stepMs);
    let gone = 0;
    while (this.#entries[gone] !== undefined && this.#entries[gone]!.step < oldest) {
      this.#sum -= this.#entries[gone]!.tokens;
      gone++;
    }
    if (gone > 0) this.#entries.splice(0, gone);
    if (this.#entries.length === 0) this.#sum = 0;
    return this.#sum;
  }

  /** When at least so many of them will have left the window; Infinity: there are not as many. */
  freeAfterMs(tokens: number, nowMs: number): number {
    let left = tokens;
    for (const entry of this.#entries) {
      left -= entry.tokens;
      if (left <= 0) return Math.max(0, (entry.step + 1) * this.stepMs + this.windowMs - nowMs);
    }
    return Infinity;
  }

  /** Ages of what was spent, in ms, and amounts, youngest first. */
  recent(nowMs: number): (readonly [ageMs: number, tokens: number])[] {
    this.sum(nowMs);
    return this.#entries
      .map(({ step, tokens }) => [Math.max(0, nowMs - step * this.stepMs), tokens] as const)
      .reverse();
  }
}
