/**
 * Output of one connection: gathers what one turn writes into one buffer and one system call; keeps what the kernel did
 * not take; says when enough is queued. Large pieces bypass the copy when nothing waits before them.
 */
import type { Socket } from "../../runtime/contract.ts";
import { ByteQueue } from "../base/byte_queue.ts";
import { copyBytes, letGo } from "../base/bytes.ts";
import { limits } from "../model/limits.ts";
import type { ByteSink } from "../wire/h1/write_head.ts";
import { Hoard, type Hoarder } from "./buffered.ts";
import type { Flushable, Shard } from "./shard.ts";

export class Output implements ByteSink, Flushable {
  #buffer: Uint8Array | null = null;
  #start = 0;
  #end = 0;
  /** Copies that wait behind the buffer while the kernel takes nothing. */
  #queue: ByteQueue | null = null;
  #dirty = false;
  /** The kernel's buffer is full: `drained` is owed. */
  blocked = false;
  /** What waits while the kernel takes nothing, once it did. */
  #hoard: Hoard | null = null;
  /** FIN follows once everything is out. */
  #finishing = false;
  #ended = false;
  /** Bytes written here in all, taken by the kernel or not. */
  written = 0;
  /** Of the byte at index 0 of the buffer, counted as `written` counts. */
  #base = 0;

  constructor(
    readonly socket: Socket,
    readonly shard: Shard,
    /** Ends when what waits here is too much for all. */
    readonly owner: Hoarder,
    /** Many exchanges write to it: it waits for all of a turn. */
    readonly shared = false,
  ) {}

  /** Bytes that were written here and not taken by the kernel yet. */
  get pendingBytes(): number {
    return this.#end - this.#start + (this.#queue?.length ?? 0);
  }

  /** False when the writer should wait for `drained`. */
  get hasRoom(): boolean {
    return !this.blocked || this.pendingBytes < limits.bufferHighBytes;
  }

  bytes(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length === 0 || this.#ended) return;
    if (this.#queue !== null) return this.#enqueue(source, start, end);
    const buffer = (this.#buffer ??= this.#begin());
    if (length <= buffer.length - this.#end) {
      copyBytes(buffer, this.#end, source, start, end);
      this.#end += length;
      this.written += length;
      this.#mark();
      return;
    }
    this.#overflow(source, start, end);
  }

  text(text: string): void {
    const length = text.length;
    if (this.#ended) return;
    const buffer = (this.#buffer ??= this.#begin());
    if (this.#queue !== null || length > buffer.length - this.#end) {
      const copy = new Uint8Array(length);
      for (let at = 0; at < length; at++) copy[at] = text.charCodeAt(at);
      return this.bytes(copy, 0, length);
    }
    let to = this.#end;
    for (let at = 0; at < length; at++) buffer[to++] = text.charCodeAt(at);
    this.#end = to;
    this.written += length;
    this.#mark();
  }

  line(name: string, value: string): void {
    if (this.#ended) return;
    const length = name.length + value.length + 4;
    const buffer = (this.#buffer ??= this.#begin());
    if (this.#queue !== null || length > buffer.length - this.#end) return this.text(`${name}: ${value}\r\n`);
    let to = this.#end;
    for (let at = 0; at < name.length; at++) buffer[to++] = name.charCodeAt(at);
    buffer[to++] = 58;
    buffer[to++] = 32;
    for (let at = 0; at < value.length; at++) buffer[to++] = value.charCodeAt(at);
    buffer[to++] = 13;
    buffer[to++] = 10;
    this.#end = to;
    this.written += length;
    this.#mark();
  }

  /** A whole number in decimal or hexadecimal digits. */
  number(value: number, radix: 10 | 16): void {
    if (this.#ended) return;
    if (value < 0 || value > 0xffff_ffff) return this.text(value.toString(radix));
    let scale = 1;
    while (value / scale >= radix) scale *= radix;
    const buffer = (this.#buffer ??= this.#begin());
    if (this.#queue !== null || 12 > buffer.length - this.#end) return this.text(value.toString(radix));
    const before = this.#end;
    let rest = value;
    for (; scale >= 1; scale /= radix) {
      const digit = Math.floor(rest / scale);
      rest -= digit * scale;
      buffer[this.#end++] = digit < 10 ? 48 + digit : 87 + digit;
    }
    this.written += this.#end - before;
    this.#mark();
  }

  /** Sets bits of a byte that was written, while it has not left. `at` counts as `written` does. False: it has left. */
  amend(at: number, bits: number): boolean {
    const index = at - this.#base;
    const buffer = this.#buffer;
    if (buffer === null || index < this.#start || index >= this.#end) return false;
    buffer[index] = (buffer[index] as number) | bits;
    return true;
  }

  /** Hands what was gathered to the kernel. Called by the shard at the end of the turn. */
  flush(): void {
    this.#dirty = false;
    if (this.blocked || this.#ended) return;
    const buffer = this.#buffer;
    if (buffer !== null && this.#end > this.#start) {
      const taken = this.socket.write(buffer, this.#start, this.#end);
      if (taken < 0) return this.discard();
      this.#start += taken;
      if (taken > 0 && this.#hoard !== null) this.shard.buffered.moved(this.#hoard);
      if (this.#start < this.#end) {
        this.blocked = true;
        return this.#weigh();
      }
    }
    this.#flushQueue();
    if (this.blocked || this.#hoard !== null) this.#weigh();
  }

  #weigh(): void {
    const bytes = this.blocked ? (this.#buffer?.length ?? 0) + (this.#queue?.capacity ?? 0) : 0;
    this.shard.buffered.weigh((this.#hoard ??= new Hoard(this.owner, this.shared)), bytes);
  }

  /** The kernel has room again. Returns true when the writer may go on. */
  drained(): boolean {
    this.blocked = false;
    this.flush();
    return !this.blocked || this.pendingBytes <= limits.bufferLowBytes;
  }

  /** FIN once everything written is out. */
  finish(): void {
    if (this.#ended || this.#finishing) return;
    this.#finishing = true;
    this.#mark();
  }

  /** Forgets what is queued; nothing is written any more. */
  discard(): void {
    this.#ended = true;
    this.#release();
    this.#queue?.discard();
    this.#queue = null;
    this.blocked = false;
    if (this.#hoard !== null) this.#weigh();
  }

  #mark(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    if (this.shared) this.shard.markShared(this);
    else this.shard.markDirty(this);
  }

  /** More than fits: what is gathered goes now, a large piece straight after it. */
  #overflow(source: Uint8Array, start: number, end: number): void {
    if (!this.blocked) {
      this.flush();
      if (this.#ended) return;
    }
    let at = start;
    if (!this.blocked && end - start >= limits.bufferLowBytes) {
      const taken = this.socket.write(source, start, end);
      if (taken < 0) return this.discard();
      at += taken;
      this.written += taken;
      if (at < end) this.blocked = true;
    }
    if (at === end) return;
    if (this.blocked) this.#enqueue(source, at, end);
    else this.bytes(source, at, end);
  }

  #enqueue(source: Uint8Array, start: number, end: number): void {
    (this.#queue ??= new ByteQueue()).push(source, start, end);
    this.written += end - start;
    if (this.blocked) this.#weigh();
    else this.#mark();
  }

  #flushQueue(): void {
    this.#release();
    while (this.#queue !== null) {
      const { bytes, start, end } = this.#queue.first;
      const taken = this.socket.write(bytes, start, end);
      if (taken < 0) return this.discard();
      this.#queue.drop(taken);
      if (taken > 0 && this.#hoard !== null) this.shard.buffered.moved(this.#hoard);
      if (taken < end - start) {
        this.blocked = true;
        return;
      }
      letGo(bytes);
      if (this.#queue.length === 0) this.#queue = null;
    }
    if (this.#finishing && !this.#ended) {
      this.#ended = true;
      this.socket.shutdown();
    }
  }

  #begin(): Uint8Array {
    this.#base = this.written;
    return this.shard.takeBuffer();
  }

  #release(): void {
    if (this.#buffer !== null) this.shard.giveBuffer(this.#buffer);
    this.#buffer = null;
    this.#start = 0;
    this.#end = 0;
  }
}
