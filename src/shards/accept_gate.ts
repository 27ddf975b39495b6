/**
 * Which of the event loops that listen on the same ports take the next connection: not one that has more than another. Connections
 * wait in the kernel for whoever accepts first, so a loop that is ahead closes its listeners, and opens them again when
 * the others have caught up. The one with the fewest never closes, unless it has stood still: who does not beat does not count, and keeps
 * nobody from accepting.
 */
import type { Clock, Timer } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";

export interface AcceptGateOptions {
  readonly clock: Clock;
  /** Connections of each loop, and its beats: rows of as many numbers as there are loops. */
  readonly counts: Float64Array;
  readonly beats: Float64Array;
  /** Which of them this one is. */
  readonly own: number;
  /** Connections that this loop has now. */
  readonly open: () => number;
  /** Its listeners are to accept from now on, or not. Called inside of `accepted`, too. */
  readonly changed: (accepts: boolean) => void;
}

interface Other {
  readonly loop: number;
  beat: number;
  /** When it beat last, as this loop noticed. */
  heardMs: number;
}

export class AcceptGate {
  accepts = true;
  readonly #others: readonly Other[];
  #timer: Timer | null = null;

  constructor(readonly options: AcceptGateOptions) {
    const { counts, beats, own, clock } = options;
    const heardMs = clock.now();
    this.#others = Array.from(counts.keys())
      .filter((loop) => loop !== own)
      .map((loop) => ({ loop, beat: beats[loop] as number, heardMs }));
    this.#beat();
  }

  /** One more, which `open` may not count yet. */
  accepted(): void {
    const { counts, own } = this.options;
    (counts[own] as number)++;
    if (this.accepts && this.#isAhead()) this.#change(false);
  }

  close(): void {
    this.#timer?.cancel();
    this.options.counts[this.options.own] = 0;
  }

  #beat(): void {
    const { clock, counts, beats, own, open } = this.options;
    counts[own] = open();
    (beats[own] as number)++;
    this.#listen(clock.now());
    if (this.#isAhead() === this.accepts) this.#change(!this.accepts);
    const pauseMs = this.accepts ? limits.shardBeatMs : limits.shardCatchUpMs;
    this.#timer = clock.after(pauseMs, () => this.#beat(), true);
  }

  #listen(nowMs: number): void {
    for (const other of this.#others) {
      const beat = this.options.beats[other.loop] as number;
      if (beat === other.beat) continue;
      other.beat = beat;
      other.heardMs = nowMs;
    }
  }

  #isAhead(): boolean {
    const { counts, own, clock } = this.options;
    const silentMs = clock.now() - limits.shardSilentMs;
    let least = Infinity;
    for (const { loop, heardMs } of this.#others)
      if (heardMs > silentMs) least = Math.min(least, counts[loop] as number);
    return (counts[own] as number) > least + Math.floor(least * limits.shardAheadRatio);
  }

  #change(accepts: boolean): void {
    this.accepts = accepts;
    this.options.changed(accepts);
    if (accepts || this.#timer === null) return;
    this.#timer.cancel();
    this.#timer = this.options.clock.after(limits.shardCatchUpMs, () => this.#beat(), true);
  }
}
