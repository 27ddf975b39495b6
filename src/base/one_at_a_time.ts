/** Work that is done one at a time: what is asked for while it is under way is done once more, afterwards. */
export class OneAtATime {
  #busy = false;
  #again = false;

  /** `work` must not fail. */
  constructor(readonly work: () => Promise<void>) {}

  ask(): void {
    if (this.#busy) this.#again = true;
    else void this.#run();
  }

  async #run(): Promise<void> {
    this.#busy = true;
    do {
      this.#again = false;
      await this.work();
    } while (this.#again);
    this.#busy = false;
  }
}
