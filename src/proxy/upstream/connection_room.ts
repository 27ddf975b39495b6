/**
 * How many connections one machine has to a service, over all pools of its instances. A pool that finds no room waits until a
 * connection of any of them has closed; those that nothing uses are given up for it.
 */

/** A pool, as the room sees it. */
export interface RoomHolder {
  /** There may be room again, after it was `full`. */
  roomAgain(): void;
  /** Ends a connection of its own that nothing uses. False: it has none. */
  giveUpIdle(): boolean;
}

export class ConnectionRoom {
  /** Connections that stand or are being made. */
  open = 0;
  readonly #waiting = new Set<RoomHolder>();
  /** Those with connections; at most as many as there are connections. */
  readonly #holders = new Set<RoomHolder>();
  #turnsDue = false;

  constructor(
    readonly microtask: (call: () => void) => void,
    public max = Infinity,
  ) {}

  /** Somebody waits for a connection to end. */
  get wanted(): boolean {
    return this.#waiting.size > 0;
  }

  get full(): boolean {
    return this.open >= this.max;
  }

  /** A connection is being made, to be told by `leave` when it ended. */
  take(holder: RoomHolder): void {
    this.open++;
    this.#holders.add(holder);
  }

  /** There is none: the holder hears when there may be, and whoever has a connection that nothing uses gives it up. */
  wait(holder: RoomHolder): void {
    this.#waiting.add(holder);
    for (const other of this.#holders) {
      if (other === holder || !other.giveUpIdle()) continue;
      // The next one to give way is another one.
      this.#holders.delete(other);
      if (this.open > 0) this.#holders.add(other);
      break;
    }
  }

  leave(): void {
    this.open--;
    this.#turnsSoon();
  }

  /** It has no connections any more. */
  empty(holder: RoomHolder): void {
    this.#holders.delete(holder);
  }

  /** It waits no longer. */
  forget(holder: RoomHolder): void {
    this.#waiting.delete(holder);
  }

  /** Nothing that stands ends: there are fewer in time. */
  resize(max: number): void {
    this.max = max;
    this.#turnsSoon();
  }

  /** Once the current turn is over: what ended may have more to say. */
  #turnsSoon(): void {
    if (this.#turnsDue || this.#waiting.size === 0) return;
    this.#turnsDue = true;
    this.microtask(this.#turns);
  }

  readonly #turns = (): void => {
    this.#turnsDue = false;
    for (const holder of [...this.#waiting]) {
      if (this.full) return;
      this.#waiting.delete(holder);
      holder.roomAgain();
    }
  };
}
