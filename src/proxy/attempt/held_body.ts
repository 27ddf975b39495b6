/** The body of a request that waits until all of it is there, or more than somebody wants to see of it; then it goes on as if it came. */
import { ByteQueue } from "../../base/byte_queue.ts";
import type { Buffered } from "../../http/buffered.ts";
import type { Fields } from "../../wire/fields.ts";

export class HeldBody {
  /** All of it has come. */
  over = false;
  trailers: Fields | null = null;
  /** It was said that it is all there, or too long: it may still be read. */
  told = false;
  /** Nobody waits for it any more: what still comes is not kept. */
  #closed = false;
  #queue = new ByteQueue();

  constructor(
    private readonly buffered: Buffered,
    readonly most: number,
    /** Hears of it once: all of it, or why not. */
    private readonly then: (whole: Uint8Array | "too long") => void,
  ) {}

  get bytes(): number {
    return this.#queue.length;
  }

  /** False: enough of it. */
  data(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#closed) return false;
    const before = this.#queue.capacity;
    this.#queue.push(bytes, start, end);
    this.buffered.count(this.#queue.capacity - before);
    if (this.bytes <= this.most) return !this.told;
    this.#tell("too long");
    return false;
  }

  end(trailers: Fields | null): void {
    this.over = true;
    this.trailers = trailers?.copy() ?? null;
    if (!this.told && !this.#closed) this.#tell(this.#whole());
  }

  #whole(): Uint8Array {
    const all = new Uint8Array(this.bytes);
    let at = 0;
    this.#queue.forEach((bytes, start, end) => {
      all.set(bytes.subarray(start, end), at);
      at += end - start;
    });
    return all;
  }

  /** Goes on in the place of all of it. */
  replace(bytes: Uint8Array): void {
    this.drop();
    this.#queue.push(bytes, 0, bytes.length);
    this.buffered.count(this.#queue.capacity);
  }

  /** Hands on what came, in order; it is kept here no more. */
  pass(take: (bytes: Uint8Array, start: number, end: number) => void): void {
    this.#queue.forEach(take);
    this.drop();
  }

  close(): void {
    this.#closed = true;
    this.drop();
  }

  drop(): void {
    this.buffered.count(-this.#queue.capacity);
    this.#queue = new ByteQueue();
  }

  #tell(whole: Uint8Array | "too long"): void {
    if (this.told) return;
    this.told = true;
    this.then(whole);
  }
}
