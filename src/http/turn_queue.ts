/**
 * Connections that sent more requests than one turn takes from them. However many they are, a turn begins only so many of the
 * requests that wait here: who sends a thousand at once waits for itself, and who sends one beside it hardly notices.
 */
export interface WaitingConnection {
  /** Its turn came; it may wait again. Returns how many requests it began. */
  goOn(): number;
}

export class TurnQueue {
  #waiting: WaitingConnection[] = [];
  /** How many of them had their turn: they are cut off when they are the half, so that a turn costs the same however many wait. */
  #had = 0;
  /** Requests that began outside of a turn since the last one. */
  #begun = 0;
  #due = false;

  /**
   * `later` calls back when the next turn is due. A turn begins at most `requestsMax`, the others wait for the turn after it;
   * `eachMax`: so many does one connection begin at most.
   */
  constructor(
    private readonly later: (call: () => void) => void,
    private readonly requestsMax: number,
    private readonly eachMax: number,
  ) {}

  /** Calls it back in a later turn, after those that wait already. */
  wait(connection: WaitingConnection): void {
    this.#waiting.push(connection);
    this.#turnLater();
  }

  /**
   * Whether a connection may begin so many requests at once, as they were read. They count for the turn that follows; half
   * of it is left for those that wait.
   */
  mayBegin(requests: number): boolean {
    const max = this.#waiting.length > this.#had ? this.requestsMax / 2 : this.requestsMax;
    if (this.#begun + requests > max) return false;
    this.#begun += requests;
    this.#turnLater();
    return true;
  }

  #turnLater(): void {
    if (this.#due) return;
    this.#due = true;
    this.later(this.#turn);
  }

  readonly #turn = (): void => {
    const waiting = this.#waiting;
    // Whoever waits again has had its turn.
    const count = waiting.length;
    let at = this.#had;
    let begun = this.#begun;
    this.#begun = 0;
    this.#due = false;
    try {
      while (at < count && begun + this.eachMax <= this.requestsMax)
        begun += (waiting[at++] as WaitingConnection).goOn();
    } finally {
      // The others have their turns also behind one that fails.
      if (2 * at >= waiting.length) {
        this.#waiting = waiting.slice(at);
        at = 0;
      }
      this.#had = at;
      if (this.#waiting.length > at) this.#turnLater();
    }
  };
}
