/**
 * What an HTTP/2 connection watches while time passes: whether its peer reads, answers, and is there at all, and how long nobody
 * used it. While something is under way it looks once a second; idle, once when its time is over. Limits on the peer count the time
 * in which it was read.
 */
import type { WheelEntry } from "../base/timer_wheel.ts";
import { limits } from "../model/limits.ts";
import type { Shard } from "./shard.ts";
import { UnreadTime } from "./unread_time.ts";

/** What a look at a silent peer leads to: nothing yet, a PING, or that it is given up. */
export type Alive = "maybe" | "ask" | "no";

export class ConnectionWatch {
  readonly #unread = new UnreadTime();
  readonly #openedMs: number;
  #lastHeardMs: number;
  #pingSentMs = 0;
  #drainPingMs = -1;
  #blockedSinceMs = -1;
  #idleSinceMs: number;
  /** The next look is due within a second. */
  #close = false;
  /** When the next look is due. */
  #lookMs = 0;

  constructor(
    readonly shard: Shard,
    /** `expired` of it is the look. */
    readonly entry: WheelEntry,
  ) {
    this.#openedMs = this.#lastHeardMs = this.#idleSinceMs = shard.clock.now();
  }

  /** Now, by the clock that stands still while nothing is read. */
  get readMs(): number {
    return this.#unread.readMs(this.shard.clock.now());
  }

  /** How long it has been open, in milliseconds in which it was read. */
  get openMs(): number {
    return this.readMs - this.#openedMs;
  }

  // ------------------------------------------------------------------------------------------------ what happens

  heard(): void {
    this.#lastHeardMs = this.readMs;
  }

  /** The kernel took what waited. */
  tookOutput(): void {
    this.#blockedSinceMs = -1;
  }

  /** The last of what was under way is over. */
  becameIdle(): void {
    this.#idleSinceMs = this.shard.clock.now();
  }

  pausedReading(): void {
    this.#unread.pause(this.shard.clock.now());
  }

  resumedReading(): void {
    this.#unread.resume(this.shard.clock.now());
  }

  /** A PING left whose answer says that GOAWAY was read. */
  drainAsked(): void {
    this.#drainPingMs = this.readMs;
  }

  /** It was answered, or will not be. False: nothing was asked. */
  drainAnswered(): boolean {
    const asked = this.#drainPingMs >= 0;
    this.#drainPingMs = -1;
    return asked;
  }

  // --------------------------------------------------------------------------------------------------- the looks

  /** Something is under way: looks from now on. */
  begin(): void {
    if (!this.#close) this.#lookSoon();
  }

  /** A look begins. How much of the last while was not read, in milliseconds: so much is no fault of the peer. */
  look(): number {
    this.#close = false;
    const nowMs = this.shard.clock.now();
    if (nowMs - this.#lookMs > limits.timerStallMs) this.#unread.stoodStill(nowMs - this.#lookMs);
    return this.#unread.look(nowMs);
  }

  /** Whether the peer takes nothing at all, for too long. `blocked`: something waits for it. */
  isUnresponsive(blocked: boolean, excusedMs: number): boolean {
    if (!blocked) {
      this.#blockedSinceMs = -1;
      return false;
    }
    const nowMs = this.shard.clock.now();
    if (this.#blockedSinceMs < 0) this.#blockedSinceMs = nowMs;
    return nowMs - excusedMs - this.#blockedSinceMs > limits.writeStallMs;
  }

  get drainOverdue(): boolean {
    return this.#drainPingMs >= 0 && this.readMs - this.#drainPingMs > limits.h2PingAnswerMs;
  }

  /** Whether a peer that owes an answer is there. `ask` is told once: a PING has to leave. */
  alive(): Alive {
    const { readMs } = this;
    if (readMs - this.#lastHeardMs < limits.h2PingMs) return "maybe";
    if (this.#pingSentMs > this.#lastHeardMs)
      return readMs - this.#pingSentMs > limits.h2PingAnswerMs ? "no" : "maybe";
    this.#pingSentMs = readMs;
    return "ask";
  }

  /** A look is over: sets out for the next one. `active`: something is under way. True: it was unused for `idleMs`. */
  goOn(active: boolean, idleMs: number): boolean {
    const unusedMs = this.shard.clock.now() - this.#idleSinceMs;
    const busy = active || this.#drainPingMs >= 0 || this.#unread.waits;
    if (busy || unusedMs < limits.h2WatchMs) this.#lookSoon();
    else if (unusedMs >= idleMs) return true;
    else this.#lookIn(idleMs - unusedMs);
    return false;
  }

  #lookSoon(): void {
    this.#close = true;
    this.#lookIn(limits.h2WatchMs);
  }

  #lookIn(delayMs: number): void {
    const { shard, entry } = this;
    this.#lookMs = shard.clock.now() + delayMs;
    shard.wheel.arm(entry, delayMs);
    shard.tick();
  }
}
