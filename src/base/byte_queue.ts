/**
 * Bytes that wait, copied into blocks so that many small pieces cost what one large one does. The first block is read in
 * place: `bytes[start, end)`, then `drop`.
 */
import { copyBytes, letGo } from "./bytes.ts";

/** A block of its own for what is larger; less while little waits, so that a short body costs what it is. */
const blockBytes = 4096;

interface Block {
  readonly bytes: Uint8Array;
  start: number;
  end: number;
}

export class ByteQueue {
  readonly #blocks: Block[] = [];
  /** Bytes that wait. */
  length = 0;
  /** What they cost: the blocks that hold them. */
  capacity = 0;

  push(source: Uint8Array, start: number, end: number): void {
    let at = start;
    const last = this.#blocks.at(-1);
    if (last !== undefined) {
      const take = Math.min(end - at, last.bytes.length - last.end);
      copyBytes(last.bytes, last.end, source, at, at + take);
      last.end += take;
      at += take;
    }
    if (at < end) {
      const bytes = new Uint8Array(Math.max(Math.min(blockBytes, this.length), end - at));
      copyBytes(bytes, 0, source, at, end);
      this.#blocks.push({ bytes, start: 0, end: end - at });
      this.capacity += bytes.length;
    }
    this.length += end - start;
  }

  /** The first block. Only while `length` is not 0. */
  get first(): Readonly<Block> {
    return this.#blocks[0] as Block;
  }

  /** All of it in order, which goes on waiting. */
  forEach(read: (bytes: Uint8Array, start: number, end: number) => void): void {
    for (const { bytes, start, end } of this.#blocks) read(bytes, start, end);
  }

  /** Takes bytes off the first block; not more than it has. */
  drop(count: number): void {
    const first = this.#blocks[0] as Block;
    first.start += count;
    this.length -= count;
    if (first.start !== first.end) return;
    this.#blocks.shift();
    this.capacity -= first.bytes.length;
  }

  /** Nobody takes what waits: its memory goes back at once. */
  discard(): void {
    for (const { bytes } of this.#blocks) letGo(bytes);
    this.#blocks.length = this.length = this.capacity = 0;
  }
}
