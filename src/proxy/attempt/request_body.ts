/**
 * The body of a request on its way to whatever takes it, with backpressure. What has passed is kept as long as it is short,
 * so that another attempt can begin from the start.
 */
import { ByteQueue } from "../../base/byte_queue.ts";
import type { Buffered } from "../../http/buffered.ts";
import type { ClientStream, RequestSink, ServerExchange } from "../../http/exchange.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import { noEdits, type Fields } from "../../wire/fields.ts";

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

/** Sees the beginning before anybody is chosen who gets it. */
export interface BodyReader {
  /** False: it has seen enough. */
  reads(bytes: Uint8Array, start: number, end: number): boolean;
  /** It has seen enough, or all there is, or as much as is held for it. Called once, maybe from inside of `gather`. */
  ready(): void;
}

/** Bytes that go on in place of a part of it, of which all is held when it first goes on. */
export interface BodyEdit {
  readonly start: number;
  readonly end: number;
  readonly bytes: Uint8Array;
}

export class RequestBody implements RequestSink {
  /** Of the attempts that begin from now on; null: it goes on as it came. */
  edit: BodyEdit | null = null;
  /** Bytes that came so far. */
  bytes = 0;
  #tap: BodyTap | null = null;
  #reader: BodyReader | null = null;
  /** Of it, what is kept for another attempt at most. */
  #keptMax: number = limits.replayBodyBytesMax;
  #stream: ClientStream | null = null;
  #kept: ByteQueue | null = null;
  #accepted = false;
  /** All of it is held until somebody has decided. */
  #waits = false;
  #ended = false;
  #over = false;
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

  /** It gets all of it, too; before any of it went anywhere. */
  addTap(tap: BodyTap): void {
    const other = this.#tap;
    this.#tap = other === null ? tap : new BothTaps(other, tap);
    if (this.#kept === null) return;
    this.#kept.forEach((bytes, start, end) => tap.data(bytes, start, end));
    if (this.#ended) tap.end(this.#trailers);
  }

  /** The exchange is over: nobody waits for what of it may still come, and nothing of that is kept. */
  close(): void {
    this.#over = true;
    this.#reader = null;
    this.#tap?.close();
    this.settle();
  }

  /** Begins to take it, for `reader` to see, and holds it until `attach`; before that. */
  gather(reader: BodyReader, most: number): void {
    this.#reader = reader;
    this.#keptMax = most;
    this.#accept();
  }

  /**
   * Takes all of it before it goes anywhere: `then` hears of it once, or why not; also where its beginning was gathered. From there on
   * it waits, and that the client left is to be found in `exchange.finished`.
   */
  hold(most: number, then: (whole: Uint8Array | "too long" | "left out") => void): void {
    this.#keptMax = Math.max(this.#keptMax, most + 1);
    const reader: BodyReader = {
      reads: () => this.bytes <= most,
      ready: () => {
        this.#waits = true;
        then(this.bytes > most ? "too long" : this.#ended ? this.#whole() : "left out");
      },
    };
    if (this.#ended || this.bytes > most) return reader.ready();
    this.#reader = reader;
    if (this.#accepted) this.exchange.resume();
    else this.#accept();
  }

  #accept(): void {
    this.#accepted = true;
    // There is no app yet that would say so.
    if (this.exchange.request.expectContinue) this.exchange.inform(100, null, noEdits);
    this.exchange.accept(this);
  }

  #whole(): Uint8Array {
    const whole = new Uint8Array(this.bytes);
    let at = 0;
    this.#kept?.forEach((bytes, start, end) => {
      whole.set(bytes.subarray(start, end), at);
      at += end - start;
    });
    return whole;
  }

  /** Goes on in the place of all that was held. */
  replace(bytes: Uint8Array): void {
    if (this.#kept !== null) this.buffered.count(-this.#kept.capacity);
    this.#kept = null;
    this.#hold(bytes, 0, bytes.length);
    this.bytes = bytes.length;
  }

  /** From now on the body goes to `stream`, from its beginning. */
  attach(stream: ClientStream): void {
    this.#stream = stream;
    this.#waits = false;
    if (!this.#accepted) {
      this.#accepted = true;
      this.exchange.accept(this);
      return;
    }
    if (this.#kept !== null) replay(this.#kept, stream, this.edit);
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
    this.keeps = this.#waits = false;
    if (this.#kept === null) return;
    this.buffered.count(-this.#kept.capacity);
    this.#kept = null;
  }

  /** The taker has room again. */
  resume(): void {
    this.exchange.resume();
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#stream === null) this.#hold(bytes, start, end);
    else if (this.keeps) this.#keep(bytes, start, end);
    this.bytes += end - start;
    if (this.#reader !== null) return this.#show(this.#reader, bytes, start, end);
    this.#tap?.data(bytes, start, end);
    if (this.#stream !== null && !this.#stream.write(bytes, start, end)) this.exchange.pause();
  }

  end(trailers: Fields | null): void {
    this.#ended = true;
    this.#trailers = trailers;
    if (this.#reader !== null) return this.#shown(this.#reader);
    this.#stream?.end(trailers);
    this.#tap?.end(trailers);
  }

  aborted(outcome: Outcome): void {
    if (this.#waits) return;
    this.#stream = this.#reader = null;
    this.owner.aborted(outcome);
  }

  writable(): void {
    this.#stream?.resume();
  }

  #show(reader: BodyReader, bytes: Uint8Array, start: number, end: number): void {
    const more = reader.reads(bytes, start, end) && this.bytes < this.#keptMax && !this.buffered.tight;
    if (more) return;
    this.exchange.pause();
    this.#shown(reader);
  }

  #shown(reader: BodyReader): void {
    this.#reader = null;
    reader.ready();
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    const length = (this.#kept?.length ?? 0) + end - start;
    if (length > this.#keptMax || this.buffered.tight) this.settle();
    else this.#hold(bytes, start, end);
  }

  #hold(bytes: Uint8Array, start: number, end: number): void {
    if (this.#over) return;
    const kept = (this.#kept ??= new ByteQueue());
    const before = kept.capacity;
    kept.push(bytes, start, end);
    this.buffered.count(kept.capacity - before);
  }
}

class BothTaps implements BodyTap {
  constructor(
    readonly one: BodyTap,
    readonly other: BodyTap,
  ) {}

  data(bytes: Uint8Array, start: number, end: number): void {
    this.one.data(bytes, start, end);
    this.other.data(bytes, start, end);
  }

  end(trailers: Fields | null): void {
    this.one.end(trailers);
    this.other.end(trailers);
  }

  close(): void {
    this.one.close();
    this.other.close();
  }
}

/** Apart from `attach`, which every request passes: a function with a closure in it allocates at each call, whether it is made or not. */
function replay(kept: ByteQueue, stream: ClientStream, edit: BodyEdit | null): void {
  if (edit === null) return kept.forEach((bytes, start, end) => void stream.write(bytes, start, end));
  let at = 0;
  kept.forEach((bytes, start, end) => {
    const [before, after] = [edit.start - at, edit.end - at].map((place) => start + place) as [
      number,
      number,
    ];
    at += end - start;
    if (before > start) stream.write(bytes, start, Math.min(end, before));
    if (before >= start && before < end) stream.write(edit.bytes, 0, edit.bytes.length);
    if (after < end) stream.write(bytes, Math.max(start, after), end);
  });
}
