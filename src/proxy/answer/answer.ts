/**
 * The answer of one outbound exchange, on its way to whoever called: from an app, from a policy, or from heddle itself. All of it
 * passes here, so that what looks at answers, or makes them wait, has one place. It notes in the record what it turns out to be.
 */
import type { ResponseHead, ServerExchange } from "../../http/exchange.ts";
import type { DirectAnswer } from "../../model/document.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { GivenAnswer } from "../../policy/answer_verdict.ts";
import { noEdits, type FieldEdits, type Fields } from "../../wire/fields.ts";
import { outcomes } from "../failure/outcomes.ts";
import { answerOfPolicy, answerOfRoute, breakOff, rescue } from "../failure/rescue.ts";
import { failureFields } from "../fields/heddle_fields.ts";
import { keepField } from "../fields/trace_fields.ts";
import { allowedMethods, interimEdits } from "../fields/hops.ts";
import type { CallRecord } from "../record/call_record.ts";
import { EventFilter, type EventFilterOptions } from "./event_filter.ts";
import { HeldAnswer } from "./held_answer.ts";
import { noteGrpcStatus, noteStream } from "./notes.ts";
import type { StreamKind } from "../../model/stream_kind.ts";
import type { OpenStreams } from "./open_streams.ts";

const keptFields: readonly string[] = [keepField, ...failureFields];

/** Sees all of it as it comes, before anything changes it. */
export interface AnswerWatch {
  data(bytes: Uint8Array, start: number, end: number): void;
  /** What came last was passed on. */
  passed(): void;
  end(): void;
  /** What the caller gets before it is broken off; null: nothing. */
  lastWords(outcome: Outcome): Uint8Array | null;
}

/** Who sees bytes go on. */
export interface Watched {
  passes(of: "response", bytes: Uint8Array, start: number, end: number): void;
}

export class Answer {
  /** null: nobody wants to. Before its first byte. */
  watch: AnswerWatch | null = null;
  /** Valid until the stream that it came on ends. */
  #head: ResponseHead | null = null;
  /** While policies look at its head. */
  #held: HeldAnswer | null = null;
  /** Where its events pass policies. */
  #filter: EventFilter | null = null;
  /** What it turned out to be, while it is open. */
  #streamKind: StreamKind | null = null;
  /** Policies that see its bytes go on; null: none do. */
  watched: Watched | null = null;
  /** Of the service that was called. */
  #streams: OpenStreams | null = null;

  constructor(
    readonly exchange: ServerExchange,
    readonly record: CallRecord,
    /** What heddle adds to it. */
    public edits: FieldEdits,
    /** The caller speaks gRPC. */
    readonly grpc: boolean,
  ) {}

  /** It came: there is no further attempt. */
  get begun(): boolean {
    return this.#head !== null || this.#held !== null;
  }

  /** Its head waits here: the caller can still be told something else. */
  get waits(): boolean {
    return this.#held !== null;
  }

  /** All of it came, but not all has gone to the caller. */
  get pending(): boolean {
    return this.waits || this.#filter?.over === false;
  }

  /** Its events pass there before they go on; before `begin`. */
  filterBy(
    options: Pick<EventFilterOptions, "ask" | "unread" | "flow" | "failed">,
    finished: () => void,
  ): void {
    this.#filter = new EventFilter({
      ...options,
      write: (bytes) => this.#write(bytes, 0, bytes.length),
      finished: (trailers) => {
        this.exchange.end(trailers);
        finished();
      },
    });
  }

  /** What comes of it is kept until `release`. */
  hold(...of: ConstructorParameters<typeof HeldAnswer>): HeldAnswer {
    return (this.#held = new HeldAnswer(...of));
  }

  /** What comes now goes on, as soon as its head has. */
  release(): void {
    this.#held = null;
  }

  /** It may be silent as long as it likes; one of gRPC before its head too, because that comes with the first message. */
  get maySilent(): boolean {
    return this.grpc || this.#streamKind !== null || this.#head?.tunnel === true;
  }

  informational(status: number, fields: Fields): void {
    this.exchange.inform(status, fields, interimEdits(fields));
  }

  /** Why the client does not take an answer with this head; null when it does. */
  refusalOf({ fields, contentLength, nominated }: ResponseHead): Outcome | null {
    const edits = nominated === null ? this.edits : this.#without(nominated);
    return this.exchange.refusesHead(fields, edits, contentLength);
  }

  /** `failure`: it is the other proxy's own, and says what failed; or the app's, and nobody asks again. */
  begin(head: ResponseHead, failure: Outcome | null, nowMs: number, streams: OpenStreams | null): void {
    const { record, exchange, grpc } = this;
    this.#head = head;
    this.#streams = streams;
    record.status = head.status;
    record.outcome = failure;
    record.firstByteMs = nowMs;
    if (grpc || head.tunnel || head.contentLength < 0) {
      const { upgrade } = exchange.request;
      this.#streamKind = noteStream(record, head, { upgrade, grpc, streams });
    }
    const inside = this.record.keepLine ? keptFields : failure === null ? noEdits.remove : failureFields;
    const remove = inside.length === 0 ? head.nominated : [...inside, ...(head.nominated ?? [])];
    const edits = remove === null ? this.edits : this.#without(remove);
    const length = this.#filter === null ? head.contentLength : -1;
    exchange.respond(head.status, head.fields, edits, length, head.whole);
  }

  #without(names: readonly string[]): FieldEdits {
    const { remove, set, add } = this.edits;
    return { remove: remove.length === 0 ? names : [...remove, ...names], set, add };
  }

  /** False: enough for now. */
  data(bytes: Uint8Array, start: number, end: number): boolean {
    this.watch?.data(bytes, start, end);
    const room = this.pass(bytes, start, end);
    this.watch?.passed();
    return room;
  }

  /** What was seen already. */
  pass(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#held !== null) {
      this.#held.data(bytes, start, end);
      return true;
    }
    return this.#filter === null ? this.#write(bytes, start, end) : this.#filter.data(bytes, start, end);
  }

  #write(bytes: Uint8Array, start: number, end: number): boolean {
    this.record.bytesOut += end - start;
    this.watched?.passes("response", bytes, start, end);
    return this.exchange.write(bytes, start, end);
  }

  /** Before its head goes out of use. */
  end(trailers: Fields | null): void {
    this.watch?.end();
    const head = this.#head ?? this.#held?.head;
    if (this.grpc) noteGrpcStatus(this.record, trailers, head?.fields.get("grpc-status") ?? "");
    if (this.#held !== null) this.#held.end(trailers);
    else if (this.#filter !== null) this.#filter.end(trailers);
    else this.exchange.end(trailers);
  }

  /** It cannot be completed, and the caller must notice. */
  abort(outcome: Outcome): void {
    if (this.#held !== null) {
      this.#held.broken = outcome;
      return;
    }
    const last = this.watch?.lastWords(outcome) ?? null;
    if (last !== null && this.#isOpen) this.#write(last, 0, last.length);
    breakOff(this.exchange, outcome, this.#endsByStatus);
  }

  /** Something of heddle's own between what comes; not where policies may hold some of that back, or its length was said. */
  insert(bytes: Uint8Array): void {
    if (this.#takesMore) this.#write(bytes, 0, bytes.length);
  }

  /** Ends with `last` of heddle's own, or is broken off where that cannot be. It has begun. */
  stop(last: Uint8Array, outcome: Outcome): void {
    if (!this.#takesMore) return this.abort(outcome);
    this.#write(last, 0, last.length);
    this.exchange.end(null);
  }

  get #takesMore(): boolean {
    return this.#held === null && this.#filter === null && this.#isOpen;
  }

  /** Nobody was told how long it is. */
  get #isOpen(): boolean {
    return this.#filter !== null || (this.#head !== null && this.#head.contentLength < 0);
  }

  /** It can still be ended by trailers. */
  get #endsByStatus(): boolean {
    const head = this.#head;
    return this.grpc && head !== null && head.contentLength < 0 && !head.tunnel;
  }

  // ---------------------------------------------------------------------------------------- those of heddle itself

  refuse(outcome: Outcome): void {
    this.release();
    this.record.status = outcome.status;
    rescue(this.exchange, outcome, this.record.requestId, false);
  }

  /** What a policy answers. Returns what the record says of it: null where nothing was denied. */
  give(verdict: GivenAnswer): Outcome | null {
    this.release();
    const { record } = this;
    const { status, policy } = verdict;
    const denial = status < 400 ? null : outcomes.policyDenied(policy, record.service, status);
    record.status = status;
    answerOfPolicy(this.exchange, verdict, denial, record.requestId);
    return denial;
  }

  /** What its route says instead of an app. Returns what the record says of it: nothing failed. */
  say({ status, headers, body }: DirectAnswer): null {
    this.record.status = status;
    answerOfRoute(this.exchange, { status, headers, body }, this.edits);
    return null;
  }

  /** To OPTIONS that ends here. Returns what the record says of it: nothing failed. */
  giveMethods(): null {
    const { exchange, edits } = this;
    this.record.status = 200;
    const set = [...edits.set, "allow", allowedMethods];
    exchange.respond(200, null, { remove: edits.remove, set, add: noEdits.add }, 0);
    exchange.end(null);
    return null;
  }

  /** The exchange is over. */
  close(): void {
    this.#held?.drop();
    this.#filter?.close();
    if (this.#streamKind !== null) this.#streams?.closed(this.#streamKind);
    this.#streamKind = null;
  }
}
