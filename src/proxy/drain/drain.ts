/**
 * The end of a data plane. As long as something of it goes on, it goes on taking what is new, because its successor may have to wait
 * for it: only when all that was open is over do its listeners close, and if what came last lasts, they open again. Whoever can be
 * told to go elsewhere is told; opaque connections cannot, so those on which nothing passes are cut.
 */
import type { Timer } from "../../../runtime/contract.ts";
import type { Shard } from "../../http/shard.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { Listeners } from "../listen/listeners.ts";
import type { OpenConnection, OpenConnections } from "./open_connections.ts";

export interface DrainOptions {
  readonly open: OpenConnections;
  readonly listeners: Pick<Listeners, "close" | "reopen">;
  readonly shard: Shard;
}

export class Drain {
  /** Of opaque connections: what had passed, and since when nothing more. */
  readonly #seen = new Map<OpenConnection, { readonly bytes: number; readonly sinceMs: number }>();
  #looking: Timer | null = null;

  constructor(readonly options: DrainOptions) {}

  /** Until nothing is open any more, or the time is over. The listeners are closed then. */
  async run(deadlineMs: number): Promise<void> {
    const { open, listeners, shard } = this.options;
    const untilMs = shard.clock.now() + deadlineMs;
    this.#look();
    for (;;) {
      await this.#gone(untilMs);
      listeners.close();
      const closedMs = shard.clock.now();
      if (closedMs >= untilMs) break;
      await this.#pause(Math.min(limits.drainArriveMs, untilMs - closedMs));
      await this.#gone(Math.min(closedMs + limits.drainLateMs, untilMs));
      if (open.size === 0 || shard.clock.now() >= untilMs) break;
      listeners.reopen();
    }
    this.#looking?.cancel();
  }

  /** All that is open now is over, or it is so late. */
  #gone(untilMs: number): Promise<void> {
    const { open, shard } = this.options;
    const leftMs = untilMs - shard.clock.now();
    if (leftMs <= 0) return Promise.resolve();
    return new Promise((done) => {
      const timer = shard.clock.after(leftMs, done);
      open.whenGone(() => {
        timer.cancel();
        done();
      });
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((done) => void this.options.shard.clock.after(ms, done));
  }

  /** Now and then: what came meanwhile is told to go elsewhere too. */
  #look(): void {
    const { open, shard } = this.options;
    shard.enter();
    open.retire();
    for (const connection of open.opaque()) this.#endIdle(connection, shard.clock.now());
    shard.leave();
    this.#looking = shard.clock.after(limits.drainLookMs, () => this.#look());
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
