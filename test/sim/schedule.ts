/** Simulated time: what happens next is looked up, not waited for. What is due at the same time happens in the order it was asked for. */

/** Something happens to it; `what` says which of the things that it asked for. */
export interface Actor {
  happen(what: number): void;
}

export class Schedule {
  nowMs = 0;
  #asked = 0;
  readonly #times: number[] = [];
  readonly #orders: number[] = [];
  readonly #actors: Actor[] = [];
  readonly #whats: number[] = [];

  after(delayMs: number, actor: Actor, what = 0): void {
    this.at(this.nowMs + delayMs, actor, what);
  }

  at(atMs: number, actor: Actor, what = 0): void {
    let hole = this.#times.length;
    const order = this.#asked++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if ((this.#times[parent] as number) <= atMs) break;
      this.#move(parent, hole);
      hole = parent;
    }
    this.#put(hole, atMs, order, actor, what);
  }

  /** Lets everything happen up to then. */
  runUntil(untilMs: number): void {
    while (this.#times.length > 0 && (this.#times[0] as number) <= untilMs) {
      this.nowMs = this.#times[0] as number;
      const actor = this.#actors[0] as Actor;
      const what = this.#whats[0] as number;
      this.#removeFirst();
      actor.happen(what);
    }
    this.nowMs = untilMs;
  }

  #removeFirst(): void {
    const last = this.#times.length - 1;
    const [atMs, order] = [this.#times[last] as number, this.#orders[last] as number];
    const [actor, what] = [this.#actors[last] as Actor, this.#whats[last] as number];
    this.#times.length = this.#orders.length = this.#actors.length = this.#whats.length = last;
    if (last === 0) return;
    let hole = 0;
    for (let child = 1; child < last; child = 2 * hole + 1) {
      if (
        child + 1 < last &&
        this.#isBefore(child + 1, this.#times[child] as number, this.#orders[child] as number)
      )
        child++;
      if (!this.#isBefore(child, atMs, order)) break;
      this.#move(child, hole);
      hole = child;
    }
    this.#put(hole, atMs, order, actor, what);
  }

  #isBefore(at: number, timeMs: number, order: number): boolean {
    const own = this.#times[at] as number;
    return own < timeMs || (own === timeMs && (this.#orders[at] as number) < order);
  }

  #move(from: number, to: number): void {
    this.#put(
      to,
      this.#times[from] as number,
      this.#orders[from] as number,
      this.#actors[from] as Actor,
      this.#whats[from] as number,
    );
  }

  #put(at: number, timeMs: number, order: number, actor: Actor, what: number): void {
    this.#times[at] = timeMs;
    this.#orders[at] = order;
    this.#actors[at] = actor;
    this.#whats[at] = what;
  }
}
