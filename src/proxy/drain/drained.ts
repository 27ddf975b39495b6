/**
 * What a drain tells to end, and waits for. Whoever can be told to go elsewhere is told; opaque connections cannot, so those on which
 * nothing passes are cut.
 */
import type { Shard } from "../../http/shard.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { OpenConnection, OpenConnections } from "./open_connections.ts";

export interface Drained {
  /** Ways in that are open, as far as is known. */
  readonly size: number;
  /** Again and again while the drain lasts: what came meanwhile is told too. `softly`: nobody waits for the ports, so nothing is cut. */
  retire(softly: boolean): void;
  /** Calls once what is open now is gone. Whoever asked before is not told any more. */
  whenGone(call: () => void): void;
}

/** Those of one event loop. */
export class OwnConnections implements Drained {
  /** Of opaque connections: what had passed, and since when nothing more. */
  readonly #seen = new Map<OpenConnection, { readonly bytes: number; readonly sinceMs: number }>();

  constructor(
    readonly open: OpenConnections,
    readonly shard: Shard,
  ) {}

  get size(): number {
    return this.open.size;
  }

  retire(softly: boolean): void {
    const { open, shard } = this;
    shard.enter();
    open.retire(softly);
    if (!softly) for (const connection of open.opaque()) this.#endIdle(connection, shard.clock.now());
    shard.leave();
  }

  whenGone(call: () => void): void {
    this.open.whenGone(call);
  }

  #endIdle(connection: OpenConnection, nowMs: number): void {
    const bytes = connection.bytes ?? 0;
    const seen = this.#seen.get(connection);
    if (seen === undefined || seen.bytes !== bytes) this.#seen.set(connection, { bytes, sinceMs: nowMs });
    else if (nowMs - seen.sinceMs >= limits.drainIdleMs) connection.destroy(idle);
  }
}

const idle: Outcome = {
  flag: "DT",
  side: "mesh",
  repeat: "no",
  status: 503,
  detail: `this proxy ends, and nothing had passed for ${limits.drainIdleMs} ms`,
};
