/**
 * A stretch of memory that the event loops of one machine have in common, and what lies where in it: rows and tallies by name. A table
 * of entries finds a name by its hash (64 bits: names are not kept); the first loop that asks for a name makes its entry, and it is
 * free for another name once no loop uses it any more. Loops take their turns at the table by a lock; what they do with
 * numbers that they have is their own business (`base/shared_row.ts`).
 */
import { hashText } from "../base/hash.ts";
import type { SharedNumbers } from "../base/shared_numbers.ts";
import { SharedRow } from "../base/shared_row.ts";
import { Tally } from "../base/tally.ts";
import { limits } from "../model/limits.ts";

/**
 * Words of an entry: the hash in two, where its numbers begin and how many fit (0: it was never used), which loops use it (bits), its
 * row's lock, and whether its numbers are one for each loop, once or more often.
 */
const [hashAt, otherHashAt, firstAt, roomAt, usersAt, rowLockAt, isTallyAt, entryWords] = [
  0, 1, 2, 3, 4, 5, 6, 8,
] as const;
/** Words before the entries: the lock of the table, how many numbers are given out. */
const [tableLockAt, givenAt, headWords] = [0, 1, 16] as const;
/** Numbers begin where a line of the processor's cache does: loops that use neighbours do not slow one another. */
const numbersPerLine = 8;

export interface RegionSize {
  /** Names at a time. */
  readonly entries: number;
  /** Numbers of all. */
  readonly numbers: number;
}

export interface RegionUser {
  /** Event loops that have the memory, 31 at most. */
  readonly loops: number;
  /** Which of them this one is, from 0. */
  readonly own: number;
}

/** Bytes of memory, all zero in the beginning, that a region of this size takes. */
export function regionBytes({ entries, numbers }: RegionSize): number {
  return (headWords + entries * entryWords) * 4 + numbers * 8;
}

export class SharedRegion implements SharedNumbers {
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  /** How often this loop uses each name. */
  readonly #uses = new Map<string, number>();
  /** Names that found no room: their numbers are this loop's alone. */
  refused = 0;

  constructor(
    memory: ArrayBuffer | Uint8Array<ArrayBuffer>,
    readonly size: RegionSize,
    readonly user: RegionUser,
  ) {
    const words = headWords + size.entries * entryWords;
    const { buffer, byteOffset } = memory instanceof ArrayBuffer ? new Uint8Array(memory) : memory;
    this.#words = new Int32Array(buffer, byteOffset, words);
    this.#numbers = new Float64Array(buffer, byteOffset + words * 4, size.numbers);
  }

  get loops(): number {
    return this.user.loops;
  }

  row(name: string, count: number): SharedRow {
    const entry = this.#take(name, count, false);
    if (entry === null) return SharedRow.own(count);
    const lock = this.#words.subarray(entry + rowLockAt, entry + rowLockAt + 1);
    const release = (): void => this.#release(name);
    return new SharedRow(this.#numbersOf(entry, count), lock, limits.sharedRowSpinsMax, release);
  }

  tally(name: string): Tally {
    return this.tallies(name, 1)[0] as Tally;
  }

  tallies(name: string, count: number): readonly Tally[] {
    const { loops, own } = this.user;
    const entry = this.#take(name, count * loops, true);
    if (entry === null) return Array.from({ length: count }, () => Tally.own());
    const numbers = this.#numbersOf(entry, count * loops);
    let left = count;
    const released = (): void => void (--left === 0 && this.#release(name));
    return Array.from({ length: count }, (_, at) => {
      return new Tally(numbers.subarray(at * loops, (at + 1) * loops), own, released);
    });
  }

  #release(name: string): void {
    const left = (this.#uses.get(name) ?? 0) - 1;
    if (left > 0) return void this.#uses.set(name, left);
    this.#uses.delete(name);
    this.#enter();
    const entry = this.#look(name).found;
    if (entry !== null) this.#leaveEntry(entry, this.user.own);
    this.#leave();
  }

  /** That loop ended: it uses nothing any more, and what it held is held no more. */
  forget(loop: number): void {
    this.#enter();
    for (let entry = headWords; entry < this.#words.length; entry += entryWords) {
      this.#leaveEntry(entry, loop);
      if (this.#word(entry + isTallyAt) !== 1) continue;
      const numbers = this.#numbersOf(entry, this.#word(entry + roomAt));
      for (let at = loop; at < numbers.length; at += this.user.loops) numbers[at] = 0;
    }
    this.#leave();
  }

  /** The entry of that name, from now on used by this loop. null: there is no room. */
  #take(name: string, count: number, isTally: boolean): number | null {
    this.#enter();
    const { found, free } = this.#look(name, count);
    const entry = found ?? (free === null ? null : this.#make(free, name, count, isTally));
    if (entry === null) this.refused++;
    else this.#words[entry + usersAt] = this.#word(entry + usersAt) | (1 << this.user.own);
    this.#leave();
    if (entry !== null) this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
    return entry;
  }

  /** The entry of a name that some loop uses; and the first that a name with so many numbers could have. */
  #look(name: string, count = 0): { found: number | null; free: number | null } {
    const { entries } = this.size;
    const [hash, other] = hashesOf(name);
    let free: number | null = null;
    for (let step = 0; step < entries; step++) {
      const entry = headWords + (((hash >>> 0) + step) % entries) * entryWords;
      const room = this.#word(entry + roomAt);
      if (room === 0) return { found: null, free: free ?? entry };
      const used = this.#word(entry + usersAt) !== 0;
      if (used && this.#word(entry + hashAt) === hash && this.#word(entry + otherHashAt) === other)
        return { found: entry, free };
      if (!used && room >= count) free ??= entry;
    }
    return { found: null, free };
  }

  #make(entry: number, name: string, count: number, isTally: boolean): number | null {
    const words = this.#words;
    if (this.#word(entry + roomAt) === 0) {
      const first = this.#word(givenAt);
      const room = Math.ceil(count / numbersPerLine) * numbersPerLine;
      if (first + room > this.size.numbers) return null;
      words[givenAt] = first + room;
      words[entry + firstAt] = first;
      words[entry + roomAt] = room;
    }
    this.#numbersOf(entry, this.#word(entry + roomAt)).fill(0);
    [words[entry + hashAt], words[entry + otherHashAt]] = hashesOf(name);
    words[entry + rowLockAt] = 0;
    words[entry + isTallyAt] = isTally ? 1 : 0;
    return entry;
  }

  #leaveEntry(entry: number, loop: number): void {
    this.#words[entry + usersAt] = this.#word(entry + usersAt) & ~(1 << loop);
  }

  #numbersOf(entry: number, count: number): Float64Array {
    const first = this.#word(entry + firstAt);
    return this.#numbers.subarray(first, first + count);
  }

  #word(at: number): number {
    return this.#words[at] as number;
  }

  /** A loop may have ended inside: then nobody waits for it for ever. */
  #enter(): void {
    for (let spins = 0; spins < limits.sharedTableSpinsMax; spins++)
      if (Atomics.compareExchange(this.#words, tableLockAt, 0, 1) === 0) return;
  }

  #leave(): void {
    Atomics.store(this.#words, tableLockAt, 0);
  }
}

function hashesOf(name: string): [number, number] {
  return [hashText(name) | 0, hashText(name, 1) | 0];
}
