/** One request on an HTTP/1 server connection, and its answer. */
import type { Outcome } from "../model/outcome.ts";
import type { FieldEdits, Fields } from "../wire/fields.ts";
import { HeadFields, idOf } from "../wire/head_fields.ts";
import type { RequestParser } from "../wire/h1/request_head.ts";
import { statusLine, writeFields, writeTrailers, writingOf } from "../wire/h1/write_head.ts";
import type { ClientWatch, ConnectionInfo, RequestHead, RequestSink, ServerExchange } from "./exchange.ts";
import type { Output } from "./output.ts";
import type { Shard } from "./shard.ts";
import { acceptField, acceptOf, firstPassing, firstProtocol, keyField } from "./upgrade.ts";

/** What an exchange needs of its connection. */
export interface Http1Wire {
  readonly shard: Shard;
  readonly connection: ConnectionInfo;
  readonly output: Output;
  /** No request follows the one under way. */
  readonly retiring: boolean;
  /** Body bytes may be delivered (again). */
  continueBody(): void;
  becomeTunnel(): void;
  /** So many body bytes came, or some of the answer was written. */
  progressed(bodyBytes: number): void;
  /** The answer of a tunnel has ended. */
  tunnelAnswered(): void;
  /** The answer is whole. */
  answered(exchange: Http1Exchange, persistent: boolean): void;
  /** The answer cannot be completed. */
  cut(): void;
}

const dateId = idOf("date");

/** One request on the connection, and its answer. */
export class Http1Exchange implements ServerExchange, RequestHead {
  readonly method: string;
  readonly target: string;
  readonly path: string;
  readonly authority: string;
  readonly fields: Fields;
  readonly contentLength: number;
  upgrade: string | null;
  readonly expectContinue: boolean;
  readonly version: string;
  readonly nominated: readonly string[] | null;
  sink: RequestSink | null = null;
  #watch: ClientWatch | null = null;
  finished = false;
  /** The final head was written. */
  started = false;
  /** A tunnel was asked for: what follows the head waits for the answer. */
  holding = false;
  /** A client that closed its side has left. */
  endIsLeaving = false;
  #paused = false;
  /** Its body may come as slowly as it likes. */
  #untimed = false;
  /** The client sends its body only when told to, and was not. */
  #unasked: boolean;
  #bodyDone: boolean;
  #trailers: Fields | null = null;
  /** Set when the client left before its answer was complete. */
  #left: Outcome | null = null;
  #chunked = false;
  #bodyless = false;
  #tunnel = false;
  #persistent: boolean;
  readonly #minor: number;

  constructor(
    readonly server: Http1Wire,
    parser: RequestParser,
  ) {
    this.method = parser.method;
    this.target = parser.target;
    this.path = parser.path;
    this.authority = parser.authority;
    this.fields = parser.fields;
    this.contentLength = parser.contentLength;
    this.upgrade = parser.upgrade;
    this.expectContinue = parser.expectContinue;
    this.version = parser.minor === 1 ? "HTTP/1.1" : "HTTP/1.0";
    this.nominated = parser.framing.nominated;
    this.#minor = parser.minor;
    this.#persistent = parser.persistent;
    this.#unasked = parser.expectContinue;
    this.#bodyDone = parser.contentLength === 0;
  }

  get request(): RequestHead {
    return this;
  }

  get connection(): ConnectionInfo {
    return this.server.connection;
  }

  /** Whether body bytes may be delivered. */
  get flowing(): boolean {
    return this.sink !== null && !this.#paused && !this.holding;
  }

  /** Whether it is the client that is waited for. */
  get awaitsBody(): boolean {
    return this.flowing && !this.#untimed && !this.#unasked;
  }

  liftTimeouts(): void {
    this.#untimed = true;
  }

  leavesByClosing(): void {
    this.endIsLeaving = true;
  }

  keepUpgrade(named: readonly string[] | null): void {
    const { upgrade } = this;
    if (upgrade === null || upgrade === "connect") return;
    this.upgrade = named === null ? null : firstPassing(upgrade, this.method, named);
    if (this.upgrade === null) this.holding = false;
  }

  accept(sink: RequestSink): void {
    this.sink = sink;
    if (this.#left !== null) return sink.aborted(this.#left);
    if (this.#bodyDone && !this.holding) sink.end(this.#trailers);
    else this.server.continueBody();
  }

  watch(watch: ClientWatch | null): void {
    this.#watch = watch;
  }

  inform(status: number, fields: Fields | null, edits: FieldEdits): void {
    if (this.started || this.finished || this.#minor === 0) return;
    if (status === 100) this.#unasked = false;
    const { output } = this.server;
    output.text(statusLine(status));
    writeFields(output, fields, writingOf(edits, null, false, 0));
    output.text("\r\n");
  }

  respond(status: number, fields: Fields | null, edits: FieldEdits, contentLength: number): void {
    if (this.started || this.finished) return;
    this.started = true;
    const { output } = this.server;
    this.#tunnel =
      this.upgrade !== null &&
      (status === 101 || (this.upgrade === "connect" && status >= 200 && status < 300));
    this.#bodyless = this.method === "HEAD" || status === 204 || status === 304 || status < 200;
    output.text(statusLine(status));
    const keepLength = !this.#tunnel && status !== 204 && this.#bodyless;
    writeFields(output, fields, writingOf(edits, null, keepLength, 0));
    if (!hasDate(fields) || edits.remove.includes("date")) output.text(this.server.shard.dateField());
    if (this.#tunnel && status === 101) this.#writeSwitch(fields);
    else if (this.#tunnel) output.text("\r\n");
    else {
      // Nobody reads the rest of a body that was refused, so no request can follow it: a client has to be told before it sends one.
      if (status >= 400 && !this.#bodyDone) this.#persistent = false;
      this.#writeFraming(contentLength);
    }
    if (this.#tunnel) this.#openTunnel();
    else if (this.holding) this.#dropHold();
  }

  /** An upstream of HTTP/2 says nothing of the key that an HTTP/1 client sent. */
  #writeSwitch(fields: Fields | null): void {
    const { output } = this.server;
    const key = this.upgrade === "websocket" ? this.fields.get(keyField) : null;
    if (key !== null && fields?.has(acceptField) !== true)
      output.text(`${acceptField}: ${acceptOf(key)}\r\n`);
    const chosen = fields?.get("upgrade") ?? firstProtocol(this.upgrade as string);
    output.text(`connection: upgrade\r\nupgrade: ${chosen}\r\n\r\n`);
  }

  #writeFraming(contentLength: number): void {
    const { output } = this.server;
    if (this.server.retiring) this.#persistent = false;
    if (!this.#bodyless) {
      if (contentLength >= 0) {
        output.text("content-length: ");
        output.number(contentLength, 10);
        output.text("\r\n");
      } else if (this.#minor === 1) {
        this.#chunked = true;
        output.text("transfer-encoding: chunked\r\n");
      } else this.#persistent = false;
    }
    if (!this.#persistent) output.text("connection: close\r\n\r\n");
    else output.text(this.#minor === 0 ? "connection: keep-alive\r\n\r\n" : "\r\n");
  }

  #openTunnel(): void {
    this.holding = false;
    this.#bodyDone = false;
    this.server.becomeTunnel();
    this.server.continueBody();
  }

  /** No tunnel after all: what was held is the next request. */
  #dropHold(): void {
    this.holding = false;
    if (this.sink !== null && this.#bodyDone) this.sink.end(null);
  }

  refusesHead(): null {
    return null;
  }

  write(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
    const { output } = this.server;
    if (this.finished || start === end || (this.#bodyless && !this.#tunnel)) return output.hasRoom;
    if (this.#chunked) {
      output.number(end - start, 16);
      output.text("\r\n");
      output.bytes(bytes, start, end);
      output.text("\r\n");
    } else output.bytes(bytes, start, end);
    this.server.progressed(0);
    return output.hasRoom;
  }

  end(trailers: Fields | null): void {
    if (this.finished) return;
    this.finished = true;
    if (this.#tunnel) return this.server.tunnelAnswered();
    const { output } = this.server;
    if (this.#chunked) {
      output.text("0\r\n");
      if (trailers !== null) writeTrailers(output, trailers);
      output.text("\r\n");
    }
    this.server.answered(this, this.#persistent);
  }

  abort(): void {
    if (this.finished && !this.halfOpen) return;
    this.finished = true;
    this.#bodyDone = true;
    this.server.cut();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.server.continueBody();
  }

  bodyData(bytes: Uint8Array, start: number, end: number): void {
    this.#unasked = false;
    this.server.progressed(end - start);
    this.sink?.data(bytes, start, end);
  }

  bodyEnded(trailers: Fields | null): void {
    if (this.#bodyDone) return;
    this.#bodyDone = true;
    this.#trailers = trailers;
    this.sink?.end(trailers);
  }

  /** A tunnel that ended towards the client alone. */
  get halfOpen(): boolean {
    return this.#tunnel && !this.#bodyDone;
  }

  /** The connection is gone, or the request was refused half way. */
  clientLeft(detail: string): void {
    if (this.finished && !this.halfOpen) return;
    this.#bodyDone ||= this.#tunnel;
    this.finished = true;
    this.#left = { flag: "DC", side: "downstream", repeat: "no", status: 400, detail };
    if (this.sink !== null) this.sink.aborted(this.#left);
    else this.#watch?.aborted(this.#left);
  }
}

function hasDate(fields: Fields | null): boolean {
  if (fields === null) return false;
  return fields instanceof HeadFields ? fields.indexOfId(dateId) >= 0 : fields.has("date");
}
