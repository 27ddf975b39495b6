/**
 * Traces that a machine keeps though nobody had sampled them, as its event loops tell one another in memory that they share: the answer to
 * a request must say it to the proxy before, whichever loop found it out. The newest replace others; what was replaced is only told later.
 */
import { last32Bits } from "../../base/bytes.ts";

export class KeptTraces {
  /** A place for each trace, by one part of its id, with another part of it; 0: none. */
  constructor(private readonly places: Float64Array) {}

  add(traceId: string): void {
    this.places[this.#placeOf(traceId)] = markOf(traceId);
  }

  has(traceId: string): boolean {
    const mark = this.places[this.#placeOf(traceId)] as number;
    // Nearly always there is none.
    return mark !== 0 && mark === markOf(traceId);
  }

  #placeOf(traceId: string): number {
    return last32Bits(traceId) % this.places.length;
  }
}

/** A whole number that a place holds exactly, and never 0. */
function markOf(traceId: string): number {
  return parseInt(traceId.slice(0, 12), 16) + 1;
}
