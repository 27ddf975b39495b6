/** One request on an HTTP/2 server connection, and its answer. */
import type { Outcome } from "../model/outcome.ts";
import type { FieldEdits, Fields } from "../wire/fields.ts";
import { errorCodes } from "../wire/h2/frames.ts";
import type { HeadBlock } from "../wire/h2/head_block.ts";
import { isGrpc } from "../wire/grpc.ts";
import { noFields, type HeadFields } from "../wire/head_fields.ts";
import { BodyPace, slowBodyText, type BodyLimit } from "./body_pace.ts";
import type { ConnectionInfo, RequestHead, RequestSink, ServerExchange } from "./exchange.ts";
import { declinedField } from "../wire/h2/settings.ts";
import type { HpackEncoder } from "../wire/h2/hpack_encoder.ts";
import { Http2Stream, type StreamWire } from "./h2_stream.ts";

/** What an exchange needs of its connection. */
export interface ExchangeWire extends StreamWire {
  readonly connection: ConnectionInfo;
  readonly heads: HpackEncoder;
  /** Sends the block of the encoder as a head. */
  writeHead(exchange: Http2Exchange): void;
  /** The handler of a stream that is over does not know it yet: its place is taken. */
  leftUnaware(): void;
  nowAware(): void;
  /** Nobody reads its head any more. */
  release(fields: HeadFields, headBytes: number): void;
}

export class Http2Exchange extends Http2Stream implements ServerExchange, RequestHead {
  readonly method: string;
  readonly target: string;
  readonly path: string;
  readonly authority: string;
  fields: HeadFields;
  readonly contentLength: number;
  readonly upgrade: string | null;
  readonly expectContinue: boolean;
  readonly version = "HTTP/2";
  readonly nominated = null;
  readonly beganMs: number;
  /** The final head was written. */
  started = false;
  readonly #headBytes: number;
  #sink: RequestSink | null = null;
  #finished = false;
  /** Why it ended before its answer was complete. */
  #left: Outcome | null = null;
  #unaware = false;
  #bodyless = false;
  #tunnel = false;
  #released = false;
  /** The sink has heard the end of the request. */
  #told = false;
  /** Made when somebody first looks how its body comes. */
  #pace: BodyPace | null = null;
  /** Its body may come as slowly as it likes. */
  #patient = false;
  /** The client was told to go on with its body. */
  #asked = false;

  constructor(
    readonly server: ExchangeWire,
    id: number,
    head: HeadBlock,
    endStream: boolean,
  ) {
    super(server, id);
    this.method = head.method;
    this.target = head.target;
    this.path = head.path;
    this.authority = head.authority;
    this.fields = head.fields;
    this.upgrade = head.upgrade;
    this.expectContinue = head.expectContinue;
    this.#headBytes = head.used;
    this.beganMs = this.receivedMs;
    // What follows the request for a tunnel is not its body.
    this.contentLength = endStream || head.upgrade !== null ? 0 : head.contentLength;
    if (head.upgrade === null) this.expectedBytes = endStream ? 0 : head.contentLength;
    if (endStream) this.receiveEnd(null);
  }

  get request(): RequestHead {
    return this;
  }

  get connection(): ConnectionInfo {
    return this.server.connection;
  }

  /** Whoever asks about a stream that is over has learned it. */
  get finished(): boolean {
    if (this.#unaware) this.#learn();
    return this.#finished;
  }

  // ------------------------------------------------------------------------------------------------ body in

  bePatient(): void {
    this.#patient = true;
  }

  accept(sink: RequestSink): void {
    if (this.#left !== null) {
      this.#learn();
      return sink.aborted(this.#left);
    }
    this.#sink = sink;
    if (this.upgrade !== null && this.started && !this.#tunnel) sink.end(null);
    else this.release();
  }

  protected get taken(): boolean {
    return this.#sink !== null && (this.upgrade === null || this.#tunnel);
  }

  protected onData(bytes: Uint8Array, start: number, end: number): void {
    this.#sink?.data(bytes, start, end);
  }

  protected onEnd(trailers: Fields | null): void {
    this.#told = true;
    this.#sink?.end(trailers);
  }

  protected onWritable(): void {
    this.#sink?.writable();
  }

  // ------------------------------------------------------------------------------------------------- answer

  inform(status: number, fields: Fields | null, edits: FieldEdits): void {
    if (this.started || this.#finished || status === 101) return;
    if (status === 100) this.#asked = true;
    const { heads } = this.server;
    heads.begin();
    heads.status(status);
    heads.fields(fields, { edits, nominated: null, keepLength: false, replacedId: 0 }, false);
    this.server.writeHead(this);
  }

  respond(status: number, fields: Fields | null, edits: FieldEdits, contentLength: number): void {
    if (this.started || this.finished) return;
    const good = status >= 200 && status < 300;
    const asked = this.upgrade !== null;
    const extended = asked && this.upgrade !== "connect";
    this.#tunnel = asked && (extended ? status === 101 : good);
    const declined = extended && good;
    if (declined && !this.server.profile.marksDeclined) {
      this.answerPlainly(502, "it asked for another protocol and was answered without it");
      return this.#dropHold();
    }
    this.started = true;
    this.#bodyless = this.method === "HEAD" || status === 204 || status === 304;
    const keepLength = !this.#tunnel && this.#bodyless && status !== 204;
    const { heads } = this.server;
    heads.begin();
    heads.status(this.#tunnel && extended ? 200 : status);
    const dated = heads.fields(fields, { edits, nominated: null, keepLength, replacedId: 0 }, false);
    if (!dated) heads.text("date", this.server.shard.date());
    if (declined) heads.text(declinedField, "1");
    if (!this.#tunnel && !this.#bodyless && contentLength >= 0) heads.contentLength(contentLength);
    this.server.writeHead(this);
    if (this.#tunnel) this.release();
    else if (asked) this.#dropHold();
  }

  /** No tunnel after all: the request was its head alone. */
  #dropHold(): void {
    this.discard();
    this.#sink?.end(null);
  }

  /** A whole answer in one line of heddle's own. What the handler writes after it goes nowhere. */
  answerPlainly(status: number, reason: string): void {
    const text = `heddle refused this request: ${reason}.\n`;
    const body = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    const { heads } = this.server;
    this.started = true;
    heads.begin();
    heads.status(status);
    heads.text("content-type", "text/plain");
    heads.text("date", this.server.shard.date());
    heads.contentLength(body.length);
    this.server.writeHead(this);
    if (this.method !== "HEAD") this.send(body, 0, body.length);
    this.#finished = true;
    this.sendEnd(null);
  }

  write(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
    if (this.#finished || start === end || (this.#bodyless && !this.#tunnel)) return true;
    return this.send(bytes, start, end);
  }

  end(trailers: Fields | null): void {
    if (this.finished) return;
    this.#finished = true;
    this.sendEnd(trailers);
  }

  abort(): void {
    if (this.finished && !this.#halfOpen) return;
    this.#finished = true;
    this.server.resetStream(this, errorCodes.internalError);
    this.onClosed();
  }

  /** An answer ends the exchange, also when the request has not ended: the client need not go on (RFC 9113 section 8.1). */
  protected override settle(): void {
    if (this.closed || !this.sentAll) return;
    if (this.#tunnel) return super.settle();
    if (this.remoteEnded) this.server.forget(this);
    else this.server.resetStream(this, errorCodes.noError);
    this.onClosed();
  }

  // ------------------------------------------------------------------------------------------------- its end

  onClosed(): void {
    if (this.#released) return;
    this.#released = true;
    const { fields } = this;
    this.fields = noFields;
    this.server.release(fields, this.#headBytes);
  }

  onBroken(_code: number, detail: string, _byPeer: boolean): void {
    if (this.#finished && !this.#halfOpen) return this.onClosed();
    this.#finished = true;
    this.#left = { flag: "DC", side: "downstream", repeat: "no", status: 400, detail };
    if (this.#sink === null) {
      this.#unaware = true;
      return this.server.leftUnaware();
    }
    this.#sink.aborted(this.#left);
    this.onClosed();
  }

  /** A tunnel that ended towards the client alone. */
  get #halfOpen(): boolean {
    return this.#tunnel && !this.#told;
  }

  /** Whether bytes pass both ways as they come; such a stream may stand still for long. */
  get isTunnel(): boolean {
    return this.#tunnel;
  }

  /** The handler knows now that it is over. */
  #learn(): void {
    if (!this.#unaware) return;
    this.#unaware = false;
    this.onClosed();
    this.server.nowAware();
  }

  /** The limit that its body breaks by being slow, or null. Streams both ways may be silent. */
  slowness(nowMs: number): BodyLimit | null {
    if (this.remoteEnded || this.started || this.#patient) return null;
    if (this.#pace === null) {
      this.#patient = isGrpc(this.fields);
      this.#pace = new BodyPace();
      this.#pace.begin(this.beganMs);
    }
    const bytes = this.receivedBytes;
    const unasked = this.expectContinue && !this.#asked && bytes === 0;
    return this.#pace.look(nowMs, this.flowing && !unasked && !this.#patient, bytes, this.receivedMs);
  }

  timeOut(limit: BodyLimit): void {
    const sink = this.#sink;
    this.#sink = null;
    const reason = slowBodyText(limit);
    this.answerPlainly(408, reason);
    sink?.aborted({ flag: "DC", side: "downstream", repeat: "no", status: 408, detail: reason });
  }
}
