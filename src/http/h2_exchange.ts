/** One request on an HTTP/2 server connection, and its answer. */
import { latin1Bytes } from "../base/bytes.ts";
import type { Outcome } from "../model/outcome.ts";
import type { FieldEdits, Fields } from "../wire/fields.ts";
import { writingOf } from "../wire/h1/write_head.ts";
import { errorCodes } from "../wire/h2/frames.ts";
import type { HeadBlock } from "../wire/h2/head_block.ts";
import { grpcCodes, grpcMessage, grpcStatusOf, isGrpc } from "../wire/grpc.ts";
import { noFields, type HeadFields } from "../wire/head_fields.ts";
import { BodyPace, slowBodyText, type BodyLimit } from "./body_pace.ts";
import type { ClientWatch, ConnectionInfo, RequestHead, RequestSink, ServerExchange } from "./exchange.ts";
import { declinedField } from "../wire/h2/settings.ts";
import { listBytes, listBytesAtMost, listedBytes, takesHeads } from "../wire/h2/head_list.ts";
import type { HpackEncoder } from "../wire/h2/hpack_encoder.ts";
import { Http2Stream, is, type StreamWire } from "./h2_stream.ts";

/** What an exchange needs of its connection. */
export interface ExchangeWire extends StreamWire {
  readonly connection: ConnectionInfo;
  readonly heads: HpackEncoder;
  /** Sends the block of the encoder as a head. */
  writeHead(exchange: Http2Exchange, endStream: boolean): void;
  /** The handler of a stream that is over does not know it yet: its place is taken. */
  leftUnaware(): void;
  /** Its body comes: the handler has to see it now. */
  start(exchange: Http2Exchange): void;
  /** The client opened a window for an answer, which may be what the handler waits for. */
  widened(exchange: Http2Exchange): void;
  nowAware(): void;
  /** A limit of this exchange tripped. */
  tripped(limit: string): void;
  /** Nobody reads its head any more. */
  release(fields: HeadFields, headBytes: number, windowless: boolean): void;
}

const statusBytes = listedBytes(":status", "200");
const dateBytes = listedBytes("date", "Thu, 01 Jan 1970 00:00:00 GMT");

export class Http2Exchange extends Http2Stream implements ServerExchange, RequestHead {
  readonly method: string;
  readonly target: string;
  readonly path: string;
  readonly authority: string;
  fields: HeadFields;
  readonly contentLength: number;
  readonly upgrade: string | null;
  readonly beganMs: number;
  readonly #headBytes: number;
  #sink: RequestSink | null = null;
  #watch: ClientWatch | null = null;
  /** Why it ended before its answer was complete. */
  #left: Outcome | null = null;
  /** Made when somebody first looks how its body comes. */
  #pace: BodyPace | null = null;

  constructor(server: ExchangeWire, id: number, head: HeadBlock, endStream: boolean) {
    super(server, id);
    this.method = head.method;
    this.target = head.target;
    this.path = head.path;
    this.authority = head.authority;
    this.fields = head.fields;
    this.upgrade = head.upgrade;
    if (head.expectContinue) this.flags |= is.expectContinue;
    this.#headBytes = head.used;
    this.beganMs = this.receivedMs;
    // What follows the request for a tunnel is not its body.
    this.contentLength = endStream || head.upgrade !== null ? 0 : head.contentLength;
    if (head.upgrade === null) this.expectedBytes = endStream ? 0 : head.contentLength;
    if (endStream) this.receiveEnd(null);
  }

  get server(): ExchangeWire {
    return this.wire as ExchangeWire;
  }

  get version(): string {
    return "HTTP/2";
  }

  get nominated(): null {
    return null;
  }

  get expectContinue(): boolean {
    return (this.flags & is.expectContinue) !== 0;
  }

  /** The final head was written. */
  get started(): boolean {
    return (this.flags & is.started) !== 0;
  }

  get request(): RequestHead {
    return this;
  }

  get connection(): ConnectionInfo {
    return this.server.connection;
  }

  get finished(): boolean {
    return (this.flags & is.finished) !== 0;
  }

  /** The handler has not seen it yet. */
  get waits(): boolean {
    return (this.flags & is.waiting) !== 0;
  }

  set waits(waits: boolean) {
    this.put(is.waiting, waits);
  }

  /** When it began, its client left no room for an answer. */
  beginWithoutWindow(): void {
    this.flags |= is.windowless;
  }

  /** It was over before the handler saw it, and nobody will. */
  neverStarted(): void {
    this.#learn();
  }

  // ------------------------------------------------------------------------------------------------ body in

  /** Its client leaves room for some of an answer now. */
  override widen(increment: number): boolean {
    if (!super.widen(increment)) return false;
    if (this.waits) this.server.widened(this);
    return true;
  }

  override receive(source: Uint8Array, start: number, end: number, flowBytes: number): void {
    if (this.waits) this.server.start(this);
    super.receive(source, start, end, flowBytes);
  }

  liftTimeouts(): void {
    this.flags |= is.untimed;
  }

  leavesByClosing(): void {}

  keepUpgrade(): void {}

  accept(sink: RequestSink): void {
    if (this.#left !== null) {
      this.#learn();
      return sink.aborted(this.#left);
    }
    this.#sink = sink;
    if (this.upgrade !== null && this.started && !this.isTunnel) sink.end(null);
    else this.release();
  }

  watch(watch: ClientWatch | null): void {
    this.#watch = watch;
    if (watch !== null) this.#learn();
  }

  protected get taken(): boolean {
    return this.#sink !== null && (this.upgrade === null || this.isTunnel);
  }

  protected onData(bytes: Uint8Array, start: number, end: number): void {
    this.#sink?.data(bytes, start, end);
  }

  protected onEnd(trailers: Fields | null): void {
    this.flags |= is.received;
    this.#sink?.end(trailers);
  }

  protected onWritable(): void {
    this.#sink?.writable();
  }

  // ------------------------------------------------------------------------------------------------- answer

  inform(status: number, fields: Fields | null, edits: FieldEdits): void {
    if (this.started || this.finished || status === 101) return;
    if (status === 100) this.flags |= is.asked;
    const { heads } = this.server;
    heads.begin();
    heads.status(status);
    heads.fields(fields, writingOf(edits, null, false, 0), false);
    this.server.writeHead(this, false);
  }

  refusesHead(fields: Fields | null, edits: FieldEdits, contentLength: number): Outcome | null {
    const most = this.server.peer.headListBytesMax;
    if (most === Infinity) return null;
    const ownBytes =
      statusBytes + (contentLength < 0 ? 0 : listedBytes("content-length", String(contentLength)));
    if (ownBytes + dateBytes + listBytesAtMost(fields, edits) <= most) return null;
    const writing = writingOf(edits, null, false, 0);
    const dated = fields?.has("date") === true;
    const size = ownBytes + (dated ? 0 : dateBytes) + listBytes(fields, writing, false);
    if (size <= most) return null;
    const detail = `the head of the answer has ${size} bytes, and the client ${takesHeads(most)}`;
    const grpc = grpcCodes.resourceExhausted;
    return { flag: "UPE", side: "upstream", repeat: "no", status: 502, grpc, detail };
  }

  respond(
    status: number,
    fields: Fields | null,
    edits: FieldEdits,
    contentLength: number,
    whole = false,
  ): void {
    if (this.started || this.finished) return this.#learn();
    const good = status >= 200 && status < 300;
    const asked = this.upgrade !== null;
    const extended = asked && this.upgrade !== "connect";
    this.put(is.tunnel, asked && (extended ? status === 101 : good));
    const declined = extended && good;
    if (declined && !this.server.profile.marksDeclined) {
      this.answerPlainly(502, "it asked for another protocol and was answered without it");
      return this.#dropHold();
    }
    this.flags |= is.started;
    const bodyless = this.method === "HEAD" || status === 204 || status === 304;
    this.put(is.bodyless, bodyless);
    const keepLength = !this.isTunnel && bodyless && status !== 204;
    const { heads } = this.server;
    heads.begin();
    heads.status(this.isTunnel && extended ? 200 : status);
    const dated = heads.fields(fields, writingOf(edits, null, keepLength, 0), false);
    if (!dated) heads.text("date", this.server.shard.date());
    if (declined) heads.text(declinedField, "1");
    if (!this.isTunnel && !bodyless && contentLength >= 0) heads.contentLength(contentLength);
    const headOnly = whole && !this.isTunnel;
    this.put(is.headOnly, headOnly);
    this.server.writeHead(this, headOnly);
    if (this.isTunnel) this.release();
    else if (asked) this.#dropHold();
  }

  /** No tunnel after all: the request was its head alone. */
  #dropHold(): void {
    this.discard();
    this.#sink?.end(null);
  }

  /**
   * A whole answer in one line of heddle's own. What the handler writes after it goes nowhere. `grpc`: its caller wants a status of
   * gRPC; default: as its fields say.
   */
  answerPlainly(status: number, reason: string, grpc = isGrpc(this.fields)): void {
    const text = `heddle refused this request: ${reason}`;
    const { heads } = this.server;
    this.flags |= is.started;
    heads.begin();
    if (grpc) {
      heads.status(200);
      heads.text("content-type", "application/grpc");
      heads.text("grpc-status", String(grpcStatusOf(status)));
      heads.text("grpc-message", grpcMessage(text));
      heads.text("date", this.server.shard.date());
      this.flags |= is.headOnly | is.finished;
      this.server.writeHead(this, true);
      return this.sendEnd(null);
    }
    const body = latin1Bytes(`${text}.\n`);
    heads.status(status);
    heads.text("content-type", "text/plain");
    heads.text("date", this.server.shard.date());
    heads.contentLength(body.length);
    this.server.writeHead(this, false);
    if (this.method !== "HEAD") this.send(body, 0, body.length);
    this.flags |= is.finished;
    this.sendEnd(null);
  }

  write(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
    if (this.finished || start === end || (this.flags & (is.bodyless | is.tunnel)) === is.bodyless)
      return true;
    return this.send(bytes, start, end);
  }

  end(trailers: Fields | null): void {
    if (this.finished) return this.#learn();
    this.flags |= is.finished;
    this.sendEnd(trailers);
  }

  abort(code: number = errorCodes.internalError): void {
    if (this.finished && !this.#halfOpen) return this.#learn();
    this.flags |= is.finished;
    this.server.resetStream(this, code);
    this.onClosed();
  }

  /** An answer ends the exchange, also when the request has not ended: the client need not go on (RFC 9113 section 8.1). */
  protected override settle(): void {
    if (this.closed || !this.sentAll) return;
    if (this.isTunnel) return super.settle();
    if (this.remoteEnded) this.server.forget(this);
    else this.server.resetStream(this, errorCodes.noError);
    this.onClosed();
  }

  // ------------------------------------------------------------------------------------------------- its end

  /** What waits takes too much of what all share: a body that nobody takes, or an answer that the client does not take. */
  giveWay(limit: string): void {
    this.server.tripped(limit);
    const sink = this.#sink;
    if (!this.started && !this.finished && sink !== null) return this.#turnAway(sink);
    const detail = "the client took too little of its answer while much waited for others too";
    this.server.resetStream(this, errorCodes.enhanceYourCalm);
    this.onBroken(errorCodes.enhanceYourCalm, detail, true);
  }

  #turnAway(sink: RequestSink): void {
    this.#sink = null;
    this.discard();
    const detail = "its body was taken too slowly while much waited for others too";
    this.answerPlainly(503, detail);
    sink.aborted({ flag: "UO", side: "upstream", repeat: "no", status: 503, detail });
  }

  onClosed(): void {
    if ((this.flags & is.released) !== 0) return;
    this.flags |= is.released;
    const { fields } = this;
    this.fields = noFields;
    this.server.release(fields, this.#headBytes, (this.flags & is.windowless) !== 0);
  }

  onBroken(_code: number, detail: string, _byPeer: boolean): void {
    if (this.finished && !this.#halfOpen) return this.onClosed();
    this.flags |= is.finished;
    this.#left = { flag: "DC", side: "downstream", repeat: "no", status: 400, detail };
    const told = this.#sink ?? this.#watch;
    if (told === null) {
      this.flags |= is.unaware;
      return this.server.leftUnaware();
    }
    told.aborted(this.#left);
    this.onClosed();
  }

  /** A tunnel that ended towards the client alone. */
  get #halfOpen(): boolean {
    return this.isTunnel && (this.flags & is.received) === 0;
  }

  /** Whether bytes pass both ways as they come; such a stream may stand still for long. */
  get isTunnel(): boolean {
    return (this.flags & is.tunnel) !== 0;
  }

  /** The handler knows now that it is over: it took the request, or tried to answer it. */
  #learn(): void {
    if ((this.flags & is.unaware) === 0) return;
    this.flags &= ~is.unaware;
    this.onClosed();
    this.server.nowAware();
  }

  /** The limit that its body breaks by being slow, or null. Streams both ways may be silent. `read`: what came of late was read. */
  slowness(nowMs: number, read: boolean): BodyLimit | null {
    if ((this.flags & (is.remoteEnded | is.started | is.untimed)) !== 0) return null;
    if (this.#pace === null) {
      this.put(is.untimed, isGrpc(this.fields));
      this.#pace = new BodyPace();
      this.#pace.begin(this.beganMs);
    }
    const bytes = this.receivedBytes;
    const unasked = this.expectContinue && (this.flags & is.asked) === 0 && bytes === 0;
    return this.#pace.look(
      nowMs,
      read && this.flowing && !unasked && (this.flags & is.untimed) === 0,
      bytes,
      this.receivedMs,
    );
  }

  timeOut(limit: BodyLimit): void {
    const sink = this.#sink;
    this.#sink = null;
    const reason = slowBodyText(limit);
    this.answerPlainly(408, reason);
    sink?.aborted({ flag: "DC", side: "downstream", repeat: "no", status: 408, detail: reason });
  }
}
