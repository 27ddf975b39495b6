/**
 * How many connections one machine has to a service, over all pools of its instances. A pool that finds no room waits until a
 * connection of any of them has closed; those that nothing uses are given up for it. Pools of other event loops count, too.
 */
import type { Shard } from "../../http/shard.ts";
import { SharedRoom } from "./shared_room.ts";

/** A pool, as the room sees it. */
export interface RoomHolder {
  /** There may be room again, after it was `full`. */
  roomAgain(): void;
  /** Ends a connection of its own that nothing uses. False: it has none. */
  giveUpIdle(): boolean;
}

export class ConnectionRoom {
  readonly #places: SharedRoom;
  readonly #waiting = new Set<RoomHolder>();
  /** Those with connections; at most as many as there are connections. */
  readonly #holders = new Set<RoomHolder>();
  #turnsDue = false;

  constructor(
    readonly shard: Shard,
    name: string,
    public max = Infinity,
  ) {
    this.#places = new SharedRoom(shard, name);
  }

  /** Connections that stand or are being made. */
  get open(): number {
    return this.#places.open;
  }

  /** Somebody waits for a connection to end. */
  get wanted(): boolean {
    return this.#waiting.size > 0 || this.wantedElsewhere;
  }

  /** In another event loop. */
  get wantedElsewhere(): boolean {
    return this.#places.isWantedElsewhere;
  }

  /** For so long that one in use has to give way. */
  get overdueElsewhere(): boolean {
    return this.#places.isOverdueElsewhere;
  }

  get full(): boolean {
    return this.#places.isFull(this.max);
  }

  /** A connection is being made, to be told by `leave` when it ended. False: there is no room for it. */
  take(holder: RoomHolder): boolean {
    if (!this.#places.take(this.max)) return false;
    this.#holders.add(holder);
    return true;
  }

  /** There is none: the holder hears when there may be, and whoever has a connection that nothing uses gives it up. */
  wait(holder: RoomHolder): void {
    this.#waiting.add(holder);
    this.#places.wait();
    for (const other of this.#holders) {
      if (other === holder || !other.giveUpIdle()) continue;
      // The next one to give way is another one.
      this.#holders.delete(other);
      if (this.open > 0) this.#holders.add(other);
      break;
    }
  }

  leave(): void {
    this.#places.leave();
    this.#turnsSoon();
  }

  /** It has no connections any more. */
  empty(holder: RoomHolder): void {
    this.#holders.delete(holder);
  }

  /** It waits no longer. */
  forget(holder: RoomHolder): void {
    this.#waiting.delete(holder);
    this.#heed();
  }

  /** It counts for itself from now on. */
  release(): void {
    this.#places.release();
  }

  #heed(): void {
    if (this.#waiting.size === 0) this.#places.content();
    else this.#places.wait();
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
    this.shard.clock.microtask(this.#turns);
  }

  readonly #turns = (): void => {
    this.#turnsDue = false;
    for (const holder of [...this.#waiting]) {
      if (this.full) return;
      this.#waiting.delete(holder);
      holder.roomAgain();
    }
    this.#heed();
  };
}
