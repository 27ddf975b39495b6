/**
 * Connections that sent more requests than one turn takes from them. However many they are, a turn begins only so many of the
 * requests that wait here: who sends a thousand at once waits for itself, and who sends one beside it hardly notices.
 */
export interface WaitingConnection {
  /** Its turn came; it may wait again. Returns how many requests it began. */
  goOn(): number;
}

export class TurnQueue {
  readonly #waiting: WaitingConnection[] = [];

  /** `later` calls back when the next turn is due. `requestsMax`: once so many began, the others wait for the turn after it. */
  constructor(
    private readonly later: (call: () => void) => void,
    private readonly requestsMax: number,
  ) {}

  /** Calls it back in a later turn, after those that wait already. */
  wait(connection: WaitingConnection): void {
    if (this.#waiting.push(connection) === 1) this.later(this.#turn);
  }

  readonly #turn = (): void => {
    const waiting = this.#waiting;
    // Whoever waits again has had its turn.
    const count = waiting.length;
    let at = 0;
    let begun = 0;
    try {
      while (at < count && begun < this.requestsMax) begun += (waiting[at++] as WaitingConnection).goOn();
    } finally {
      // The others have their turns also behind one that fails.
      waiting.splice(0, at);
      if (waiting.length > 0) this.later(this.#turn);
    }
  };
}
