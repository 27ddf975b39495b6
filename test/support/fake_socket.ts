/** A socket without a network: keeps what is written, takes as much as a test lets it, and says how it was ended. */
import type { Socket, SocketHandler } from "../../runtime/contract.ts";
import { concat, framesIn, type Frame } from "./h2_frames.ts";

export class FakeSocket implements Socket {
  handler: SocketHandler = { data() {}, drain() {}, end() {}, close() {} };
  readonly remoteAddress = "127.0.0.1";
  readonly remotePort = 1;
  readonly localPort = 2;
  readonly tls = null;
  /** What it was last told to keep of what comes. */
  inputBytes = Number.POSITIVE_INFINITY;
  written: Uint8Array = new Uint8Array(0);
  /** System calls. */
  writes = 0;
  /** Bytes that the kernel still takes. */
  room = Number.POSITIVE_INFINITY;
  paused = false;
  /** `shutdown`, `destroyed`, `reset` in their order. */
  readonly ends: string[] = [];
  #taken = 0;

  get frames(): Frame[] {
    return framesIn(this.written);
  }

  /** What was written since it was last taken. */
  take(): Uint8Array {
    const bytes = this.written.subarray(this.#taken);
    this.#taken = this.written.length;
    return bytes;
  }

  limitInput(bytes: number): void {
    this.inputBytes = bytes;
  }

  write(bytes: Uint8Array, start = 0, end = bytes.length): number {
    if (this.ends.length > 0) return -1;
    const taken = Math.min(end - start, this.room);
    this.room -= taken;
    this.writes++;
    this.written = concat(this.written, bytes.slice(start, start + taken));
    return taken;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  shutdown(): void {
    this.ends.push("shutdown");
  }

  destroy(): void {
    this.ends.push("destroyed");
  }

  reset(): void {
    this.ends.push("reset");
  }
}
