/**
 * How many requests a connection of a pool takes at a time, as the last one said that said it, in whichever event loop of the machine:
 * a loop that has none yet does not take the endpoint for smaller than others know it to be.
 */
import type { SharedRow } from "../../base/shared_row.ts";
import { limits } from "../../model/limits.ts";
import type { PoolOptions } from "./pool_terms.ts";

export class CarriedStreams {
  /** null: each takes what all of this protocol take. */
  readonly #row: SharedRow | null;
  /** As long as no connection has said it. */
  readonly #early: number;

  constructor({ shard, name, protocol }: Pick<PoolOptions, "shard" | "name" | "protocol">) {
    this.#early = Math.min(protocol.streams, limits.h2StreamsEarlyMax);
    this.#row = protocol.limit === "sharedConnectionsMax" ? shard.numbers.row(`streams ${name}`, 1) : null;
  }

  get each(): number {
    return this.#row?.numbers[0] || this.#early;
  }

  /** One that takes none now will take some later. */
  said(capacity: number): void {
    if (this.#row !== null && capacity !== this.#row.numbers[0]) this.#row.numbers[0] = Math.max(1, capacity);
  }

  /** It is shared no more. */
  release(): void {
    this.#row?.release();
  }
}
