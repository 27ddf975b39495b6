/**
 * Bytes that came on a connection and cannot be used yet: the head of a request of which not all is there, what follows a body
 * that is paused, the next requests. They count among what waits.
 */
import { joined } from "../base/bytes.ts";
import { Hoard, type Buffered, type Hoarder } from "./buffered.ts";

export class Carry {
  #bytes: Uint8Array | null = null;
  #hoard: Hoard | null = null;

  constructor(
    private readonly buffered: Buffered,
    private readonly owner: Hoarder,
  ) {}

  get empty(): boolean {
    return this.#bytes === null;
  }

  /** Keeps `source[at, end)`; `owned`: nobody else writes to it. */
  keep(source: Uint8Array, at: number, owned: boolean): void {
    this.#bytes = owned ? source.subarray(at) : source.slice(at);
    this.buffered.weigh((this.#hoard ??= new Hoard(this.owner)), this.#bytes.buffer.byteLength);
  }

  /** What was kept, which is kept no longer; null: nothing. */
  take(): Uint8Array | null {
    const bytes = this.#bytes;
    this.drop();
    return bytes;
  }

  /** What was kept, and `more` behind it. */
  takeWith(more: Uint8Array): Uint8Array {
    const bytes = this.take();
    return bytes === null ? more.slice() : joined(bytes, more);
  }

  drop(): void {
    this.#bytes = null;
    if (this.#hoard !== null) this.buffered.weigh(this.#hoard, 0);
  }
}
