/**
 * The account of what waits in a shard for peers that do not take it: bodies that nobody reads yet, answers that cannot leave,
 * output of a connection that the kernel does not take. Who waits pauses its own source by itself; all of them together are
 * bounded here, however many they are:
 *
 * - every stream begins with a small window and every connection to an app with small reads; where the reader keeps up they are
 *   lent more, out of a share of the bound and of what others left there: more than that never waits beyond what each begins with;
 * - from half of the bound on (`tight`) nothing grows: streams begin with the smallest window there is, also on connections that
 *   stand, requests are not kept for another attempt, and those of clients that leave no room for an answer are not begun;
 * - just below the bound answers of apps are read one after the other, as there is room for them, and those that stand still and hold most give way: each ends with a reason, and is counted. So do others at
 *   the bound itself, which holds whenever a turn ends.
 *
 * Where a machine has several event loops the bound is one for all of them: what waits in others counts, and of those that have more than
 * an even part of it each lets go of its own.
 *
 * What bytes cost is what was allocated for them. Nothing here costs anything while bytes pass: a hoard exists only for who waits.
 */
import { ownNumbers, type SharedNumbers } from "../base/shared_numbers.ts";
import type { Tally } from "../base/tally.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";

/** An answer had to give way. */
export const untaken: Outcome = {
  flag: "DC",
  side: "downstream",
  repeat: "no",
  status: 503,
  detail: "the client took too little of its answer while much waited for others too",
};

/** Somebody for whom bytes wait. */
export interface Hoarder {
  /** Lets go of all of it and ends, so that its peers notice. `limit` is to be counted, once. */
  giveWay(limit: string): void;
}

/** Somebody who reads from a socket what may have to wait here. */
export interface Reader {
  /** It may read again. */
  readOn(): void;
}

/** What waits for one of them. */
export class Hoard {
  bytes = 0;
  /** When some of it was taken last, or it began. */
  progressMs = 0;

  constructor(
    readonly hoarder: Hoarder,
    /** Of a connection that many share: gives way only when it stands still. */
    readonly shared = false,
  ) {}
}

export interface BufferedOptions {
  readonly nowMs: () => number;
  readonly bytesMax?: number;
  /** Absent: nobody shares the bound. */
  readonly numbers?: SharedNumbers;
  /** `due` is to be asked again soon, though nothing happens here: others may have made room. */
  readonly look?: () => void;
}

export class Buffered {
  /** Of all hoards here, and of what is counted without one. */
  bytes = 0;
  readonly bytesMax: number;
  readonly nowMs: () => number;
  /** The same in all event loops. */
  readonly #everywhere: Tally;
  readonly #lentEverywhere: Tally;
  readonly #isShared: boolean;
  /** Whoever has no more gives way to nobody. */
  readonly #partBytes: number;
  /** Most that there was since its memory was given back. */
  #peak = 0;
  /** Of requests that wait for the name of their model. */
  readonly models: Tally;
  // Asked in every turn.
  readonly #tightBytes: number;
  readonly #fullBytes: number;
  /** When it is worth while again to look who stands still. */
  #lookAtMs = 0;
  readonly #hoards = new Set<Hoard>();
  /** Those that are to read on when there is room, in order. */
  #readers: Reader[] = [];

  constructor(private readonly options: BufferedOptions) {
    const { nowMs, bytesMax = limits.bufferedBytesMax, numbers = ownNumbers } = options;
    this.nowMs = nowMs;
    this.bytesMax = bytesMax;
    this.#tightBytes = bytesMax * limits.bufferedTightShare;
    this.#fullBytes = bytesMax * limits.bufferedFullShare;
    this.#partBytes = (bytesMax * limits.bufferedRelievedShare) / numbers.loops;
    this.#isShared = numbers.loops > 1;
    this.#everywhere = numbers.tally("buffered bytes");
    this.models = numbers.tally("bytes held for a model");
    this.#lentEverywhere = numbers.tally("buffered bytes lent");
  }

  /** Of all event loops. */
  get #all(): number {
    return this.#isShared ? this.#everywhere.total : this.bytes;
  }

  /** Nothing should grow. */
  get tight(): boolean {
    return this.#all > this.#tightBytes;
  }

  get #full(): boolean {
    return this.#all > this.#fullBytes;
  }

  /** Some wait to read. */
  get isAwaited(): boolean {
    return this.#readers.length > 0;
  }

  /** Whether `reader` may read now; if not, it is called once it may. */
  mayRead(reader: Reader): boolean {
    if (!this.#full && this.#readers.length === 0) return true;
    this.#readers.push(reader);
    if (this.#isShared) this.options.look?.();
    return false;
  }

  /**
   * `relieve` has to be called when the turn ends: there is too much, or nearly, and it is time to look who stands still; or there
   * is room again for those that wait to read.
   */
  get due(): boolean {
    if (!this.#full) return this.#readers.length > 0;
    const over = this.#all > this.bytesMax && this.bytes > this.#partBytes;
    return over || this.nowMs() >= this.#lookAtMs;
  }

  /** From now on so many bytes wait in this hoard; 0: none. */
  weigh(hoard: Hoard, bytes: number): void {
    const change = bytes - hoard.bytes;
    if (change === 0) return;
    if (change < 0 || hoard.bytes === 0) this.moved(hoard);
    if (hoard.bytes === 0) this.#hoards.add(hoard);
    hoard.bytes = bytes;
    if (bytes === 0) this.#hoards.delete(hoard);
    this.count(change);
  }

  /** Some of it was taken, though all of its memory is still in use. */
  moved(hoard: Hoard): void {
    hoard.progressMs = this.nowMs();
  }

  /** Of bytes that nobody need give up: more of them, or less. */
  count(change: number): void {
    this.bytes += change;
    if (this.#isShared) this.#everywhere.add(change);
    if (this.bytes > this.#peak) this.#peak = this.bytes;
  }

  /**
   * Those that stand still give way, the largest first, until there is room again; at the bound the others too. Of those about as
   * large, whoever has waited longest goes first.
   */
  relieve(): void {
    if (this.#full) this.#makeRoom();
    if (!this.#full) this.#admit();
  }

  /** As many as would not fill it again. */
  #admit(): void {
    const room = this.#fullBytes - this.#all;
    const admitted = this.#readers.splice(0, Math.ceil(room / limits.inputBytes));
    for (const reader of admitted) reader.readOn();
  }

  #makeRoom(): void {
    const nowMs = this.nowMs();
    this.#lookAtMs = nowMs + limits.bufferedLookMs;
    const still = (hoard: Hoard): boolean => nowMs - hoard.progressMs >= limits.bufferedStillMs;
    const inOrder = [...this.#hoards].sort(
      (one, other) =>
        Number(still(other)) - Number(still(one)) ||
        Math.clz32(one.bytes) - Math.clz32(other.bytes) ||
        one.progressMs - other.progressMs,
    );
    for (const hoard of inOrder) {
      const all = this.#all;
      if (all <= this.bytesMax * limits.bufferedRelievedShare || this.bytes <= this.#partBytes) return;
      if (all <= this.bytesMax && !still(hoard)) return;
      if (hoard.shared && !still(hoard)) continue;
      // Another one that gave way may have taken it along.
      if (hoard.bytes > 0) hoard.hoarder.giveWay("bufferedBytesMax");
    }
  }

  /**
   * More window for a stream that has `bytes`: as much again, up to `bytesMax`, while that is little of what can be lent. Give it
   * back by `giveBack`.
   */
  lend(bytes: number, bytesMax: number): number {
    const more = Math.min(bytes, bytesMax - bytes);
    const left = this.bytesMax * limits.bufferedLentShare - this.#lentEverywhere.total;
    if (more <= 0 || this.tight || more > left * limits.bufferedLentOneShare) return 0;
    this.#lentEverywhere.add(more);
    return more;
  }

  giveBack(lent: number): void {
    this.#lentEverywhere.add(-lent);
  }

  /** Of windows beyond those that streams begin with, here. */
  get lent(): number {
    return this.#lentEverywhere.mine;
  }

  /** Whether much waited and does not any more: what it took can be given back, which is done once. */
  emptied(): boolean {
    if (this.#peak < limits.bufferedCompactBytes || this.bytes > limits.bufferedCompactBytes / 4)
      return false;
    this.#peak = this.bytes;
    return true;
  }
}
