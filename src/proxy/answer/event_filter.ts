/**
 * The events of one answer on their way past policies: whole events go to them, all that came in one read together, and what they
 * leave goes on in order. What they did not change goes on byte for byte. Whoever sends is paused while much waits.
 */
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { EventsVerdict } from "../../policy/answer_verdict.ts";
import { EventSplitter, writeEvent, type StreamEvent, type StreamPiece } from "../../wire/event_stream.ts";
import type { Fields } from "../../wire/fields.ts";

export interface EventFilterOptions {
  /** Asks the policies; calls `done` once. */
  readonly ask: (events: readonly StreamEvent[], done: (verdict: EventsVerdict) => void) => void;
  /** There is one that nobody can read: what becomes of the stream then; null: it goes on. */
  readonly unread: () => Outcome | null;
  /** False: enough for now. */
  readonly write: (bytes: Uint8Array) => boolean;
  /** Whether more is wanted of whoever sends. */
  readonly flow: (wanted: boolean) => void;
  /** All of it went on. */
  readonly finished: (trailers: Fields | null) => void;
  /** A policy that fails closed failed: the stream has ended with an event that says so. */
  readonly failed: (outcome: Outcome) => void;
}

const encoder = new TextEncoder();

export class EventFilter {
  /** Everything was handed on, and nothing more will come. */
  over = false;
  readonly #splitter = new EventSplitter();
  #waiting: StreamPiece[] = [];
  #waitingBytes = 0;
  #asking = false;
  #paused = false;
  #end: { readonly trailers: Fields | null } | null = null;

  constructor(private readonly options: EventFilterOptions) {}

  /** False: enough for now. */
  data(bytes: Uint8Array, start: number, end: number): boolean {
    for (const piece of this.#splitter.push(bytes, start, end)) this.#add(piece);
    this.#go();
    this.#paused ||= this.#waitingBytes > limits.policyEventBytesMax;
    return !this.#paused;
  }

  end(trailers: Fields | null): void {
    const rest = this.#splitter.rest();
    if (rest !== null) this.#add(rest);
    this.#end = { trailers: trailers?.copy() ?? null };
    this.#go();
  }

  /** Nothing goes on any more. */
  close(): void {
    this.over = true;
    this.#waiting = [];
  }

  #add(piece: StreamPiece): void {
    this.#waiting.push(piece);
    this.#waitingBytes += piece.bytes.length;
  }

  #go(): void {
    while (!this.over && !this.#asking && this.#waiting.length > 0) {
      const batch = this.#take();
      const refusal = batch.some(({ tooLong }) => tooLong) ? this.options.unread() : null;
      if (refusal !== null) return this.#fail(refusal);
      const events = batch.flatMap(({ event }) => (event === null ? [] : [event]));
      if (events.length === 0) this.#pass(batch, []);
      else this.#ask(batch, events);
    }
    if (this.over || this.#asking || this.#waiting.length > 0) return;
    if (this.#end !== null) {
      this.over = true;
      this.options.finished(this.#end.trailers);
    }
  }

  /** As many as one question takes. */
  #take(): StreamPiece[] {
    let bytes = 0;
    let count = 0;
    for (const piece of this.#waiting) {
      bytes += piece.bytes.length;
      if (count > 0 && (count >= limits.policyEventsMax || bytes > limits.policyEventBytesMax)) break;
      count++;
    }
    const batch = this.#waiting.splice(0, count);
    this.#waitingBytes -= batch.reduce((sum, piece) => sum + piece.bytes.length, 0);
    return batch;
  }

  #ask(batch: readonly StreamPiece[], events: readonly StreamEvent[]): void {
    this.#asking = true;
    this.options.ask(events, (verdict) => {
      this.#asking = false;
      if (this.over) return;
      if (verdict.do === "error") return this.#fail(verdict.outcome);
      this.#pass(batch, verdict.events);
      this.#go();
    });
  }

  /** `changes`: of each event, in order: 0 for as it came, null for nothing. */
  #pass(batch: readonly StreamPiece[], changes: readonly (StreamEvent | 0 | null)[]): void {
    const { write, flow } = this.options;
    let at = 0;
    let room = true;
    for (const { bytes, event } of batch) {
      const change = event === null ? 0 : (changes[at++] ?? null);
      if (change !== null) room = write(change === 0 ? bytes : writeEvent(change));
    }
    const wanted = this.#waitingBytes <= limits.policyEventBytesMax;
    if (wanted) this.#paused = false;
    // Where there is no room, whoever takes it says when there is.
    if (this.#end === null && (wanted || !room)) flow(wanted && room);
  }

  #fail(outcome: Outcome): void {
    this.close();
    this.options.write(encoder.encode(`event: error\ndata: ${outcome.detail}\n\n`));
    this.options.failed(outcome);
  }
}
