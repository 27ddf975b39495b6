/**
 * A rate that all proxies of a mesh share, dealt out in slices: what proxy and controller say to each other about it.
 *
 * The bound on the error. While every proxy reaches the controller, slices never come to more than the rate. A proxy that has not
 * reached it for longer than its slice was promised goes on with its slice or with an even share, whichever is less: the rate
 * divided by the proxies that were known when it was heard last (those heard within an hour). So with `a` of `n` proxies away
 * at most `rate * (1 + a / n)` passes in a second, and when all are away, the rate. A proxy that has no slice yet counts
 * as away: with an even share where the rate is new, else with what it had before it started, or the part that is kept for new ones.
 * To that comes what buckets hold: at most what comes in a second, and one request per proxy.
 */

/** What documents say of it, and who shares it. */
export interface SharedRate {
  readonly perSecond: number;
  /** With instances of the service. */
  readonly machines: number;
}

/** A proxy asks, every `rateSliceAskMs`. */
export interface SliceAsk {
  /** Requests a second that it had since it asked last, those that were refused among them. */
  readonly wantedPerSecond: number;
  /** `sequence` of the slice that it goes by, 0 for none yet; and what it grants now. */
  readonly sequence: number;
  readonly heldPerSecond: number;
}

export interface RateSlice {
  /** Rises with each slice that a proxy is given. */
  readonly sequence: number;
  readonly perSecond: number;
  /** What it may go on with when the time is over and it has no other. */
  readonly evenPerSecond: number;
  /** How long it is promised, counted from when the proxy asked. */
  readonly forMs: number;
}
