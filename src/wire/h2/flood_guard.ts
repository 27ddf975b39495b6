/**
 * What a peer may cost that is legal frame by frame (RFC 9113 section 10.5): budgets for frames that make work and carry
 * nothing, and for streams that are opened only to be reset. Each method says the name of the limit that tripped, or null.
 */
import { limits } from "../../model/limits.ts";

export class FloodGuard {
  /** Streams the peer opened, or this side; for the budgets that grow with them. */
  streams = 0;
  #windowUpdatesLeft: number = limits.h2WindowUpdatesBaseMax;
  #prioritiesLeft: number = limits.h2PrioritiesPerStreamMax;
  #control: number = limits.h2ControlBurstMax;
  #controlMs = 0;
  #emptyData = 0;
  #recentStreams = 0;
  #earlyResets = 0;
  #unfinished = 0;
  #unfinishedMs = 0;

  /** A stream was opened. */
  stream(): void {
    this.streams++;
    this.#windowUpdatesLeft += limits.h2WindowUpdatesPerStreamMax;
    this.#prioritiesLeft += limits.h2PrioritiesPerStreamMax;
    if (++this.#recentStreams < limits.h2ResetsWindow) return;
    this.#recentStreams /= 2;
    this.#earlyResets /= 2;
  }

  /** DATA was sent: its receiver may say that it took it, and may measure the way with a PING, as gRPC does. */
  dataSent(bytes: number): void {
    if (this.#control < limits.h2ControlBurstMax) this.#control++;
    this.#windowUpdatesLeft +=
      limits.h2WindowUpdatesPerDataMax * Math.ceil((bytes + 1) / limits.h2FrameBytesMax);
  }

  windowUpdate(): string | null {
    return --this.#windowUpdatesLeft < 0 ? "h2WindowUpdatesPerDataMax" : null;
  }

  /** PRIORITY, and frames that are not known. */
  ignored(): string | null {
    return --this.#prioritiesLeft < 0 ? "h2PrioritiesPerStreamMax" : null;
  }

  /** SETTINGS and PING. */
  control(nowMs: number): string | null {
    const gained = ((nowMs - this.#controlMs) / 1_000) * limits.h2ControlPerSecond;
    this.#control = Math.min(limits.h2ControlBurstMax, this.#control + gained) - 1;
    this.#controlMs = nowMs;
    return this.#control < 0 ? "h2ControlBurstMax" : null;
  }

  /** A whole DATA frame of `bytes`. */
  data(bytes: number, endsStream: boolean): string | null {
    if (bytes > 0 || endsStream) {
      this.#emptyData = 0;
      return null;
    }
    return ++this.#emptyData > limits.h2EmptyDataMax ? "h2EmptyDataMax" : null;
  }

  /** A request was answered whole that its client has not ended, so that its stream was reset. */
  unfinished(nowMs: number): string | null {
    const forgotten = ((nowMs - this.#unfinishedMs) / 1_000) * limits.h2UnfinishedPerSecond;
    this.#unfinished = Math.max(0, this.#unfinished - forgotten) + 1;
    this.#unfinishedMs = nowMs;
    return this.#unfinished > limits.h2UnfinishedMax ? "h2UnfinishedMax" : null;
  }

  /** The peer still said something about a stream that is over: it goes on with its requests, and stops when it hears. */
  acknowledged(): void {
    if (this.#unfinished > 0) this.#unfinished--;
  }

  /** Whether this side may reset a stream that is early: it stays well within what it stands itself. Counts it. */
  mayReset(): boolean {
    const next = 2 * (this.#earlyResets + 1);
    if (next > limits.h2ResetsMax && next > this.#recentStreams * limits.h2ResetsShareMax) return false;
    this.#earlyResets++;
    return true;
  }

  /** Whether the peer resets most of what it opens, and not by chance. */
  get resetsMost(): boolean {
    const many = this.#earlyResets > limits.h2ResetsFreeMax;
    return many && this.#earlyResets > this.#recentStreams * limits.h2ResetsShareMax;
  }

  /** The peer reset a stream, or made this side reset it, soon after it began and before it was answered. */
  earlyReset(): string | null {
    const many = ++this.#earlyResets > limits.h2ResetsMax;
    return many && this.#earlyResets > this.#recentStreams * limits.h2ResetsShareMax ? "h2ResetsMax" : null;
  }
}
