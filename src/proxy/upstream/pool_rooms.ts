/** What bounds the connections of one pool: those to its endpoint, and those of all pools that lead to its service. */
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import { fieldOf, type PlacesLimit } from "../share/share_outcome.ts";
import type { RoomHolder } from "./connection_room.ts";
import type { PoolOptions } from "./pool_terms.ts";
import { SharedRoom } from "./shared_room.ts";

/** A pool, as the room for connections to its endpoint sees it. */
export interface EndpointHolder extends RoomHolder {
  /** One of its connections takes nothing new, though it is in use; one at a time. */
  giveUpBusy(): void;
}

export class PoolRooms {
  readonly #own: SharedRoom;
  /** Pools of other event loops have the same rooms. */
  readonly #areShared: boolean;
  /** What there is nothing left of, for somebody who waits. */
  #full: PlacesLimit | null = null;

  constructor(
    readonly options: Pick<PoolOptions, "shard" | "name" | "peer" | "protocol" | "room">,
    readonly pool: EndpointHolder,
    /** To its endpoint. */
    public max: number,
  ) {
    this.#own = new SharedRoom(options.shard, `connections ${options.name}`);
    this.#areShared = options.shard.numbers.loops > 1;
  }

  /** Room for one more connection is taken; else the limit of which there is nothing left. */
  take(): PlacesLimit | null {
    const { protocol, room } = this.options;
    if (!this.#own.take(this.max)) return protocol.limit;
    if (room.take(this.pool)) return null;
    this.#own.leave();
    return "limits.connections";
  }

  /** The pool hears when there may be room again. */
  wait(full: PlacesLimit): void {
    this.#full = full;
    if (full === "limits.connections") this.options.room.wait(this.pool);
    else this.#own.wait();
  }

  /** Nobody waits in it any more. */
  content(): void {
    this.#full = null;
    this.#own.content();
    this.options.room.forget(this.pool);
  }

  /** What it had begun came to nothing. `last`: it has nothing else. */
  unused(last: boolean): void {
    this.#own.leave();
    this.closed(last);
  }

  /** One of its connections takes no more requests. */
  retired(): void {
    this.#own.leave();
  }

  closed(last: boolean): void {
    const { room } = this.options;
    room.leave();
    if (last) room.empty(this.pool);
  }

  /** Somebody else waits for what nothing uses. */
  get areWanted(): boolean {
    return this.options.room.wanted || this.#own.isWantedElsewhere;
  }

  get #areWantedElsewhere(): boolean {
    return this.#own.isWantedElsewhere || this.options.room.wantedElsewhere;
  }

  /** What many share may never be without a request: then loops have it one after the other. */
  get #areOverdueElsewhere(): boolean {
    const { protocol, room } = this.options;
    const isShared = protocol.limit === "sharedConnectionsMax";
    return isShared && (this.#own.isOverdueElsewhere || room.overdueElsewhere);
  }

  get #areFull(): boolean {
    return this.#own.isFull(this.max) || this.options.room.full;
  }

  /** Whoever waits hears what others leave; what only ceases to be used, and what happens in other loops, is seen by who looks. */
  look(): void {
    if (this.#areWantedElsewhere && !this.pool.giveUpIdle() && this.#areOverdueElsewhere)
      this.pool.giveUpBusy();
    if (this.#full === "limits.connections") this.options.room.wait(this.pool);
    if (this.#full !== null && !this.#areFull) this.pool.roomAgain();
  }

  /** When the pool has to look, at the latest. */
  lookMs(isOpen: boolean): number {
    if (this.#full === "limits.connections" || (this.#full !== null && this.#areShared))
      return limits.sharedPlacesLookMs;
    return this.#areShared && isOpen ? limits.sharedIdleLookMs : Infinity;
  }

  /** Of a request that got no connection in its time. */
  overflow(pendingMs: number): Outcome {
    const { peer, room, protocol } = this.options;
    const waited = `no connection was free for ${pendingMs} ms (pendingMs) to ${peer}`;
    const all = `this machine may have ${room.max} to the service, which are in use (limits.connections of its Traffic document: raise it there)`;
    const own = `the ${this.max} that there may be are in use, by streams as long as those last (${fieldOf(protocol.limit)} of its Traffic document: raise it there)`;
    const used = this.#own.isFull(this.max) ? `${waited}: ${own}` : waited;
    const detail = room.full ? `${waited}: ${all}` : used;
    return { flag: "UO", side: "mesh", repeat: "yes", status: 503, detail };
  }

  release(): void {
    this.#own.release();
  }
}
