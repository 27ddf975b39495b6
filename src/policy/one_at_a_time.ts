/** Work that waits for the one before it, in order; so many may wait, more are refused. */
export class OneAtATime {
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly waitingMax: number) {}

  /** null: too many wait. */
  run<Result>(work: () => Promise<Result>): Promise<Result> | null {
    if (this.#waiting >= this.waitingMax) return null;
    this.#waiting++;
    const done = this.#last.then(work).finally(() => this.#waiting--);
    this.#last = done.catch(() => {});
    return done;
  }
}
