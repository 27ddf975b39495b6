/** Tells somebody else how things stand here, so that the last word it hears is the newest one. */
import { OneAtATime } from "../base/one_at_a_time.ts";

/**
 * One word at a time: of two on their way at once the older may arrive last, and it would stand until there is news again.
 * What changes while one is under way is told after it.
 */
export class LatestReport {
  /** The last word did not arrive. */
  #missed = false;
  readonly #telling: OneAtATime;

  /** `tell` says how things stand when it is called; it rejects when that did not arrive. */
  constructor(tell: () => Promise<unknown>) {
    this.#telling = new OneAtATime(async () => {
      this.#missed = await tell().then(
        () => false,
        () => true,
      );
    });
  }

  /** Something changed. */
  tell(): void {
    this.#telling.ask();
  }

  /** To be called now and then: tells what did not arrive. */
  repeat(): void {
    if (this.#missed) this.tell();
  }
}
