/** The stream of a call whose bytes are paced: what sends is read later while a rate is spent, and what was read goes on at once. */
import { WheelEntry } from "../../base/timer_wheel.ts";
import type { ClientStream } from "../../http/exchange.ts";
import type { Shard } from "../../http/shard.ts";
import type { Direction } from "./byte_rates.ts";

export interface PacedStreamOptions {
  readonly stream: ClientStream;
  readonly shard: Shard;
  /** So many bytes passed. Returns for how many milliseconds no more should be read. */
  readonly spend: (direction: Direction, bytes: number) => number;
  /** There is room for the request again, after `write` said that there is none. */
  readonly writable: () => void;
}

export class PacedStream extends WheelEntry implements ClientStream {
  /** Until then; 0: not held. */
  #upMs = 0;
  #downMs = 0;
  /** The stream itself has no room for more of the request. */
  #full = false;
  /** Whoever takes the answer has no room. */
  #paused = false;

  constructor(readonly options: PacedStreamOptions) {
    super();
  }

  write(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
    const { stream, spend } = this.options;
    this.#full = !stream.write(bytes, start, end);
    const waitMs = spend("up", end - start);
    if (waitMs > 0) this.#upMs = this.#holdFor(waitMs);
    return !this.#full && this.#upMs === 0;
  }

  /** The stream has room again. */
  roomAgain(): void {
    this.#full = false;
    if (this.#upMs === 0) this.options.writable();
  }

  /** So much of the answer came, and was handed on. */
  received(bytes: number): void {
    const waitMs = this.options.spend("down", bytes);
    if (waitMs <= 0) return;
    this.#downMs = this.#holdFor(waitMs);
    this.options.stream.pause();
  }

  pause(): void {
    this.#paused = true;
    this.options.stream.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#downMs === 0) this.options.stream.resume();
  }

  end(trailers: Parameters<ClientStream["end"]>[0]): void {
    this.options.stream.end(trailers);
  }

  cancel(): void {
    this.options.stream.cancel();
  }

  /** The call is over. */
  close(): void {
    this.options.shard.wheel.forget(this);
  }

  expired(): void {
    const { shard, stream, writable } = this.options;
    const nowMs = shard.clock.now();
    if (this.#upMs !== 0 && this.#upMs <= nowMs) {
      this.#upMs = 0;
      if (!this.#full) writable();
    }
    if (this.#downMs !== 0 && this.#downMs <= nowMs) {
      this.#downMs = 0;
      if (!this.#paused) stream.resume();
    }
    this.#arm(nowMs);
  }

  #holdFor(waitMs: number): number {
    const nowMs = this.options.shard.clock.now();
    const untilMs = nowMs + waitMs;
    if (this.deadlineMs === 0 || this.deadlineMs > untilMs) this.#armFor(waitMs);
    return untilMs;
  }

  #arm(nowMs: number): void {
    const next = Math.min(this.#upMs || Infinity, this.#downMs || Infinity);
    if (next < Infinity && (this.deadlineMs === 0 || this.deadlineMs > next)) this.#armFor(next - nowMs);
  }

  #armFor(waitMs: number): void {
    this.options.shard.arm(this, waitMs);
  }
}
