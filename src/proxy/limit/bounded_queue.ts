/**
 * A line of requests that wait for room, bounded in length: by priority first, then in the order in which they came; but once
 * the oldest has waited for long, the newest goes first, because those that waited long are given up by their callers soon.
 * What matters more takes the place of what matters less when the line is full. What is past its deadline is never given out.
 */
import { limits } from "../../model/limits.ts";
import { priorities, type PriorityLevel } from "../../model/priority.ts";

export interface BoundedQueueOptions<T> {
  readonly max: number;
  /** It is out of the line and will not be given out: its deadline passed, or something that matters more took its place. */
  readonly dropped: (item: T, why: "deadline" | "displaced") => void;
}

export class BoundedQueue<T> {
  length = 0;
  readonly #lanes: readonly Lane<T>[];

  constructor(readonly options: BoundedQueueOptions<T>) {
    this.#lanes = priorities.map(() => new Lane<T>());
  }

  /** False when there is no room: the line is full of what matters as much or more. `deadlineMs`: Infinity for none. */
  offer(item: T, level: PriorityLevel, deadlineMs: number, nowMs: number): boolean {
    if (this.length >= this.options.max && !this.#makeRoom(level, nowMs)) return false;
    this.#lane(level).push(item, deadlineMs, nowMs);
    this.length++;
    return true;
  }

  /** Whose turn it is, or null. */
  take(nowMs: number): T | null {
    for (const lane of this.#lanes) {
      while (lane.length > 0) {
        const newest = nowMs - lane.oldestMs > limits.queueFreshMs;
        const deadlineMs = newest ? lane.newestDeadlineMs : lane.oldestDeadlineMs;
        const item = newest ? lane.pop() : lane.shift();
        this.length--;
        if (deadlineMs > nowMs) return item;
        this.options.dropped(item, "deadline");
      }
    }
    return null;
  }

  /** Drops what is past its deadline, those at the front of each priority: to be called now and then while nothing is taken. */
  expire(nowMs: number): void {
    for (const lane of this.#lanes)
      while (lane.length > 0 && lane.oldestDeadlineMs <= nowMs) this.#drop(lane.shift(), "deadline");
  }

  #makeRoom(level: PriorityLevel, nowMs: number): boolean {
    this.expire(nowMs);
    if (this.length < this.options.max) return true;
    for (let lower = priorities.length - 1; lower > level; lower--) {
      const lane = this.#lane(lower);
      if (lane.length === 0) continue;
      this.#drop(lane.pop(), "displaced");
      return true;
    }
    return false;
  }

  #drop(item: T, why: "deadline" | "displaced"): void {
    this.length--;
    this.options.dropped(item, why);
  }

  #lane(level: number): Lane<T> {
    return this.#lanes[level] as Lane<T>;
  }
}

/** A ring that grows by doubling and never shrinks: taking and adding at either end allocates nothing. */
class Lane<T> {
  length = 0;
  #first = 0;
  #items: (T | null)[] = new Array<T | null>(8).fill(null);
  #deadlines = new Float64Array(8);
  #since = new Float64Array(8);

  get oldestMs(): number {
    return this.#since[this.#first] as number;
  }

  get oldestDeadlineMs(): number {
    return this.#deadlines[this.#first] as number;
  }

  get newestDeadlineMs(): number {
    return this.#deadlines[this.#at(this.length - 1)] as number;
  }

  push(item: T, deadlineMs: number, nowMs: number): void {
    if (this.length === this.#items.length) this.#grow();
    const at = this.#at(this.length++);
    this.#items[at] = item;
    this.#deadlines[at] = deadlineMs;
    this.#since[at] = nowMs;
  }

  shift(): T {
    const at = this.#first;
    this.#first = this.#at(1);
    return this.#out(at);
  }

  pop(): T {
    return this.#out(this.#at(this.length - 1));
  }

  #out(at: number): T {
    const item = this.#items[at] as T;
    this.#items[at] = null;
    this.length--;
    return item;
  }

  #at(offset: number): number {
    return (this.#first + offset) & (this.#items.length - 1);
  }

  #grow(): void {
    const size = this.#items.length;
    const order = Array.from({ length: size }, (_, offset) => this.#at(offset));
    const grown = <N>(pick: (at: number) => N): N[] => order.map(pick);
    const items = grown((at) => this.#items[at] as T | null);
    const deadlines = grown((at) => this.#deadlines[at] as number);
    const since = grown((at) => this.#since[at] as number);
    this.#items = [...items, ...new Array<T | null>(size).fill(null)];
    this.#deadlines = new Float64Array(size * 2);
    this.#deadlines.set(deadlines);
    this.#since = new Float64Array(size * 2);
    this.#since.set(since);
    this.#first = 0;
  }
}
