/**
 * Two ends of an opaque connection joined: bytes both ways as they come, with backpressure, half-close kept. A chunk is
 * handed on as the view that arrived; only what the other end does not take at once is copied.
 */
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
  protected other: PipeEnd | null = null;

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
    if (this.other?.take(bytes, start, end) === false) this.pause();
  }

  /** Nothing more comes from here. */
  protected receivedAll(): void {
    this.other?.finish();
  }

  protected hasRoom(): void {
    this.other?.resume();
  }

  protected gone(broken: Outcome | null): void {
    if (this.closed) return;
    this.closed = true;
    this.pipe?.closed(this, broken);
  }
}

const untakenUpstream: Outcome = {
  flag: "UO",
  side: "upstream",
  repeat: "no",
  status: 503,
  detail: "the service took too little of what was sent while much waited for others too",
};
