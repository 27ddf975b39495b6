/**
 * Two ends of an opaque connection joined: bytes both ways as they come, with backpressure, half-close kept. A chunk is
 * handed on as the view that arrived; only what the other end does not take at once is copied.
 */
import { WheelEntry } from "../../base/timer_wheel.ts";
import { untaken } from "../../http/buffered.ts";
import type { Shard } from "../../http/shard.ts";
import type { Outcome } from "../../model/outcome.ts";

/** Hears once that both ends are gone; how the first of them broke, null for an orderly end. */
export type PipeEnded = (pipe: Pipe, broken: Outcome | null) => void;

/** What a pipe belongs to. */
export interface PipeOwner {
  /** Counts what waits in its ends, and gathers what they send. */
  readonly shard: Shard;
  readonly ended: PipeEnded;
  /** A limit of the limits table ended it. */
  readonly onLimit: (limit: string) => void;
}

export class Pipe {
  #broken: Outcome | null = null;

  /** Takes both over: bytes flow from now on. */
  constructor(
    readonly downstream: PipeEnd,
    readonly upstream: PipeEnd,
    readonly owner: PipeOwner,
  ) {
    downstream.join(this, upstream);
    upstream.join(this, downstream);
    downstream.begin();
    upstream.begin();
  }

  /** Both ends are gone. */
  get over(): boolean {
    return this.downstream.closed && this.upstream.closed;
  }

  /** That have passed, both ways. */
  get bytes(): number {
    return this.downstream.bytes + this.upstream.bytes;
  }

  destroy(why: Outcome): void {
    this.#broken ??= why;
    this.downstream.reset();
    this.upstream.reset();
  }

  /** What waits at one end takes too much of what all share. */
  giveWay(end: PipeEnd, limit: string): void {
    this.owner.onLimit(limit);
    this.destroy(end === this.downstream ? untaken : untakenUpstream);
  }

  closed(end: PipeEnd, broken: Outcome | null): void {
    this.#broken ??= broken;
    const left = end === this.downstream ? this.upstream : this.downstream;
    if (left.closed) return this.owner.ended(this, this.#broken);
    if (broken !== null) left.reset();
    else left.finish();
  }
}

/** One end: a socket, a stream to another proxy, or an exchange from one. */
export abstract class PipeEnd {
  /** Bytes that came from this end. */
  bytes = 0;
  closed = false;
  pipe: Pipe | null = null;
  /**
   * Of an end towards a service: bytes passed, towards it (up) or from it. Returns for how many milliseconds no more should be
   * read there. null: no rate.
   */
  spend: ((direction: "up" | "down", bytes: number) => number) | null = null;
  protected other: PipeEnd | null = null;
  /** The other end has no room for what comes from here. */
  #full = false;
  /** Armed while a rate of bytes is spent. */
  #held: Held | null = null;

  join(pipe: Pipe, other: PipeEnd): void {
    this.pipe = pipe;
    this.other = other;
  }

  /** From now on bytes may be delivered. */
  abstract begin(): void;
  /** Sends `bytes[start, end)`. False: enough, wait until `hasRoom` was called. They are taken either way. */
  abstract take(bytes: Uint8Array, start: number, end: number): boolean;
  /** No more will be sent: told once everything is out. */
  abstract finish(): void;
  /** Ends both directions so that the peer notices that something is missing. */
  abstract reset(): void;
  abstract pause(): void;
  abstract resume(): void;

  protected received(bytes: Uint8Array, start: number, end: number): void {
    this.bytes += end - start;
    if (this.other?.take(bytes, start, end) === false) {
      this.#full = true;
      this.pause();
    }
    const { pipe } = this;
    const spend = pipe === null ? null : pipe.upstream.spend;
    if (spend !== null) this.#spend(spend(this === pipe?.downstream ? "up" : "down", end - start));
  }

  #spend(waitMs: number): void {
    if (waitMs <= 0 || this.closed) return;
    const { shard } = (this.pipe as Pipe).owner;
    this.#held ??= new Held(() => this.#resume());
    shard.wheel.arm(this.#held, waitMs);
    shard.tick();
    this.pause();
  }

  /** It may be read again, as far as what was in the way of it goes. */
  #resume(): void {
    if (!this.closed && !this.#full && (this.#held?.deadlineMs ?? 0) === 0) this.resume();
  }

  /** Nothing more comes from here. */
  protected receivedAll(): void {
    this.other?.finish();
  }

  protected hasRoom(): void {
    const { other } = this;
    if (other === null) return;
    other.#full = false;
    other.#resume();
  }

  protected gone(broken: Outcome | null): void {
    if (this.closed) return;
    this.closed = true;
    if (this.#held !== null) this.pipe?.owner.shard.wheel.forget(this.#held);
    this.pipe?.closed(this, broken);
  }
}

class Held extends WheelEntry {
  constructor(readonly expired: () => void) {
    super();
  }
}

const untakenUpstream: Outcome = {
  flag: "UO",
  side: "upstream",
  repeat: "no",
  status: 503,
  detail: "the service took too little of what was sent while much waited for others too",
};
