/**
 * The body of a request on its way to whatever takes it, with backpressure. What has passed is kept as long as it is short,
 * so that another attempt can begin from the start.
 */
import { ByteQueue } from "../../base/byte_queue.ts";
import type { Buffered } from "../../http/buffered.ts";
import type { ClientStream, RequestSink, ServerExchange } from "../../http/exchange.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { Fields } from "../../wire/fields.ts";

/** Hears that the client left. */
export interface BodyOwner {
  aborted(outcome: Outcome): void;
}

/** Gets all of it that passes, beside whoever takes it. */
export interface BodyTap {
  data(bytes: Uint8Array, start: number, end: number): void;
  end(trailers: Fields | null): void;
  /** It is over, whether all of it came or not. */
  close(): void;
}

export class RequestBody implements RequestSink {
  /** Bytes that came so far. */
  bytes = 0;
  /** Before any of it came. */
  tap: BodyTap | null = null;
  #stream: ClientStream | null = null;
  #kept: ByteQueue | null = null;
  #accepted = false;
  #ended = false;
  #trailers: Fields | null = null;

  constructor(
    readonly exchange: ServerExchange,
    readonly owner: BodyOwner,
    readonly buffered: Buffered,
    /** Whether there may be another attempt. */
    private keeps: boolean,
  ) {}

  /** Whether a further attempt would get all that this one got. */
  get replayable(): boolean {
    return (this.#kept?.length ?? 0) === this.bytes;
  }

  /** From now on the body goes to `stream`, from its beginning. */
  attach(stream: ClientStream): void {
    this.#stream = stream;
    if (!this.#accepted) {
      this.#accepted = true;
      this.exchange.accept(this);
      return;
    }
    if (this.#kept !== null) replay(this.#kept, stream);
    if (this.#ended) stream.end(this.#trailers);
    else this.exchange.resume();
  }

  /** All of it has come. */
  get isOver(): boolean {
    return this.#ended;
  }

  /** It went to `stream` already, which goes on. */
  adopt(stream: ClientStream): void {
    this.#stream = stream;
  }

  /** The attempt failed: what comes waits for the next one. */
  detach(): void {
    this.#stream = null;
    if (this.#accepted && !this.#ended) this.exchange.pause();
  }

  /** There will be no further attempt. */
  settle(): void {
    this.keeps = false;
    if (this.#kept === null) return;
    this.buffered.count(-this.#kept.capacity);
    this.#kept = null;
  }

  /** The taker has room again. */
  resume(): void {
    this.exchange.resume();
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.keeps) this.#keep(bytes, start, end);
    this.bytes += end - start;
    this.tap?.data(bytes, start, end);
    if (this.#stream !== null && !this.#stream.write(bytes, start, end)) this.exchange.pause();
  }

  end(trailers: Fields | null): void {
    this.#ended = true;
    this.#trailers = trailers;
    this.#stream?.end(trailers);
    this.tap?.end(trailers);
  }

  aborted(outcome: Outcome): void {
    this.#stream = null;
    this.owner.aborted(outcome);
  }

  writable(): void {
    this.#stream?.resume();
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    const kept = (this.#kept ??= new ByteQueue());
    if (kept.length + end - start > limits.replayBodyBytesMax || this.buffered.tight) return this.settle();
    const before = kept.capacity;
    kept.push(bytes, start, end);
    this.buffered.count(kept.capacity - before);
  }
}

/** Apart from `attach`, which every request passes: a function with a closure in it allocates at each call, whether it is made or not. */
function replay(kept: ByteQueue, stream: ClientStream): void {
  kept.forEach((bytes, start, end) => stream.write(bytes, start, end));
}
