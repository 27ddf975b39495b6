/**
 * What a call to a language model waits for, beside the deadlines of all calls: the first content of a streamed answer, then each next
 * one; and the heartbeats that keep a silent stream from being taken for a dead one. One entry of the timer wheel, which content that
 * comes costs an assignment.
 */
import { WheelEntry } from "../../base/timer_wheel.ts";
import type { Shard } from "../../http/shard.ts";
import type { WholeInference } from "../../model/inference.ts";

export type PromptWait = "first" | "next";

export interface PromptTimersOwner {
  /** It waited in vain for so long. True: for another attempt it waits anew. */
  silent(wait: PromptWait, ms: number): boolean;
  /** Nothing has gone to the client for a while. */
  beat(): void;
}

type Times = Pick<WholeInference, "firstContentMs" | "nextContentMs" | "heartbeatMs">;

export class PromptTimers extends WheelEntry {
  #wait: PromptWait = "first";
  #sinceMs: number;
  /** When something went to the client last; Infinity: nothing may be written there yet. */
  #wroteMs = Infinity;
  #closed = false;

  constructor(
    readonly shard: Shard,
    readonly times: Times,
    readonly owner: PromptTimersOwner,
  ) {
    super();
    this.#sinceMs = shard.clock.now();
    this.#arm(this.#sinceMs);
  }

  /** From now on the client may get heartbeats. */
  streams(nowMs: number): void {
    this.#wroteMs = nowMs;
    this.#arm(nowMs);
  }

  wrote(nowMs: number): void {
    this.#wroteMs = nowMs;
  }

  moved(nowMs: number): void {
    this.#sinceMs = nowMs;
    if (this.#wait === "next") return;
    this.#wait = "next";
    this.#arm(nowMs);
  }

  close(): void {
    this.#closed = true;
    this.shard.wheel.forget(this);
  }

  expired(): void {
    const { shard, owner } = this;
    shard.enter();
    const nowMs = shard.clock.now();
    if (nowMs >= this.#endMs) {
      if (owner.silent(this.#wait, this.#limitMs)) this.#sinceMs = nowMs;
    } else if (nowMs >= this.#beatMs) {
      owner.beat();
      this.#wroteMs = nowMs;
    }
    this.#arm(nowMs);
    shard.leave();
  }

  get #limitMs(): number {
    return this.#wait === "first" ? this.times.firstContentMs : this.times.nextContentMs;
  }

  /** 0 in a document: no limit. */
  get #endMs(): number {
    return this.#limitMs === 0 ? Infinity : this.#sinceMs + this.#limitMs;
  }

  get #beatMs(): number {
    return this.times.heartbeatMs === 0 ? Infinity : this.#wroteMs + this.times.heartbeatMs;
  }

  #arm(nowMs: number): void {
    const dueMs = Math.min(this.#endMs, this.#beatMs);
    if (!this.#closed && dueMs !== Infinity) this.shard.arm(this, Math.max(1, dueMs - nowMs));
  }
}
