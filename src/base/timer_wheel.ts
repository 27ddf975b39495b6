/**
 * A wheel of coarse timers for many entries: arming, moving and disarming a deadline is a few assignments and
 * never allocates. A deadline fires at the first tick after it has passed.
 */

/** What has a deadline; the owner extends it or holds one. */
export abstract class WheelEntry {
  /** Milliseconds of the wheel's clock; 0 while disarmed. */
  deadlineMs = 0;
  /** In which it stands; null when in none. */
  wheel: TimerWheel | null = null;
  /** Tick of the slot it stands in. */
  slotTick = 0;
  next: WheelEntry | null = null;
  previous: WheelEntry | null = null;

  abstract expired(): void;
}

const slotCount = 1024;

export class TimerWheel {
  readonly #slots: (WheelEntry | null)[] = new Array<WheelEntry | null>(slotCount).fill(null);
  #tick: number;
  #entries = 0;

  constructor(
    readonly tickMs: number,
    readonly nowMs: () => number,
  ) {
    this.#tick = this.#tickOf(nowMs());
  }

  /** True while some deadline may still come: the owner must keep calling `advance`. */
  get busy(): boolean {
    return this.#entries > 0;
  }

  /** Sets the deadline to `delayMs` from now, whatever it was and on whichever wheel. */
  arm(entry: WheelEntry, delayMs: number): void {
    // 0 means none.
    const deadlineMs = this.nowMs() + delayMs || Number.MIN_VALUE;
    entry.deadlineMs = deadlineMs;
    const tick = this.#slotTickFor(deadlineMs);
    // Later than its slot: the slot's turn will move it on. That makes pushing a deadline back free.
    const { wheel } = entry;
    if (wheel === this && entry.slotTick <= tick) return;
    if (wheel !== null) wheel.#unlink(entry);
    this.#link(entry, tick);
  }

  disarm(entry: WheelEntry): void {
    entry.deadlineMs = 0;
  }

  /** Takes the entry out at once: for owners that end. */
  forget(entry: WheelEntry): void {
    entry.deadlineMs = 0;
    if (entry.wheel !== null) entry.wheel.#unlink(entry);
  }

  /** Fires what has passed. Call about every `tickMs`. */
  advance(): void {
    const now = this.nowMs();
    const until = this.#tickOf(now);
    if (until - this.#tick > slotCount) this.#tick = until - slotCount;
    while (this.#tick < until) {
      this.#tick++;
      this.#turn(now);
    }
  }

  /** Nothing is put back into the slot of the current tick, so it empties whatever the owners do meanwhile. */
  #turn(now: number): void {
    for (;;) {
      const entry = this.#slots[this.#tick % slotCount] as WheelEntry | null;
      if (entry === null) return;
      this.#unlink(entry);
      if (entry.deadlineMs > now) this.#link(entry, this.#slotTickFor(entry.deadlineMs));
      else if (entry.deadlineMs > 0) {
        entry.deadlineMs = 0;
        entry.expired();
      }
    }
  }

  #tickOf(ms: number): number {
    return Math.floor(ms / this.tickMs);
  }

  #slotTickFor(deadlineMs: number): number {
    return Math.min(Math.max(this.#tickOf(deadlineMs) + 1, this.#tick + 1), this.#tick + slotCount - 1);
  }

  #link(entry: WheelEntry, tick: number): void {
    const slot = tick % slotCount;
    const head = this.#slots[slot] as WheelEntry | null;
    entry.wheel = this;
    entry.slotTick = tick;
    entry.previous = null;
    entry.next = head;
    if (head !== null) head.previous = entry;
    this.#slots[slot] = entry;
    this.#entries++;
  }

  #unlink(entry: WheelEntry): void {
    if (entry.previous !== null) entry.previous.next = entry.next;
    else this.#slots[entry.slotTick % slotCount] = entry.next;
    if (entry.next !== null) entry.next.previous = entry.previous;
    entry.next = null;
    entry.previous = null;
    entry.wheel = null;
    this.#entries--;
  }
}
