/**
 * The client side of one HTTP/1 connection: one request at a time, its answer checked as strictly as a request, and after
 * a failure the truth about whether the request may be sent again.
 */
import type { Socket, SocketError, SocketHandler } from "../../runtime/contract.ts";
import { latin1Bytes } from "../base/bytes.ts";
import { WheelEntry } from "../base/timer_wheel.ts";
import { limits } from "../model/limits.ts";
import type { Flag, Outcome, Repeat } from "../model/outcome.ts";
import type { FieldEdits, Fields } from "../wire/fields.ts";
import { idOf } from "../wire/head_fields.ts";
import { ResponseParser } from "../wire/h1/response_head.ts";
import { writeFields, writeTrailers, writingOf } from "../wire/h1/write_head.ts";
import { BodyReader } from "./body_reader.ts";
import { untaken, type Hoarder, type Reader } from "./buffered.ts";
import { Carry } from "./carry.ts";
import type {
  ClientConnection,
  ClientStream,
  OutgoingRequest,
  ResponseHead,
  ResponseSink,
} from "./exchange.ts";
import { InputWidth } from "./input_width.ts";
import { Output } from "./output.ts";
import type { Shard } from "./shard.ts";
import { acceptField, acceptOf, keyField, newWebSocketKey } from "./upgrade.ts";

export interface Http1ClientOptions {
  readonly shard: Shard;
  /** Whom it leads to, for words: `orders.default at 10.0.0.2:7445`. */
  readonly peer: string;
  /** Takes a request again. */
  readonly onIdle: (connection: Http1Client) => void;
  /** Gone, or will take no request any more. Called once. */
  readonly onRetired: (connection: Http1Client) => void;
  /** The socket is gone, with all that was under way. Called once, last. */
  readonly onClosed?: (connection: Http1Client) => void;
  readonly onLimit?: (limit: string) => void;
  /** How long it is kept while nothing uses it; null: `keepAlivePoolMs`. */
  readonly keptMs?: () => number | null;
  /** The peer checks our certificate: a new connection that it closes without a word was refused, not lost. */
  readonly identityAtStake?: boolean;
}

const hostId = idOf("host");

/** A longer beginning is not kept. */
const beginningMax = 512;

/** What a head begins with, as bytes. */
interface Beginning {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly bytes: Uint8Array;
}

/** Speaks HTTP/1 on a dialled socket: set its `handler` there. */
export class Http1Client extends WheelEntry implements ClientConnection, ClientStream, Hoarder, Reader {
  /** What the socket calls. An object of its own: `end` of a stream and of a socket are different things. */
  readonly handler: SocketHandler = {
    data: (chunk) => this.#onData(chunk),
    drain: () => this.#onDrain(),
    end: () => this.#onEnd(),
    close: (error) => this.#onClose(error),
  };
  readonly capacity = 1;
  carried = 0;
  readonly openedMs: number;
  readonly output: Output;
  readonly #parser = new ResponseParser();
  readonly #body = new BodyReader(limits.responseTrailerBytesMax);
  #sink: ResponseSink | null = null;
  #method = "";
  #upgrade: string | null = null;
  readonly #carry: Carry;
  /** null: of a connection to another proxy, which TLS reads. */
  readonly #width: InputWidth | null;
  #beginning: Beginning | null = null;
  /** The key that was sent for a client of HTTP/2, which has none. */
  #key: string | null = null;
  #headDone = false;
  /** 1xx answers of the request under way. */
  #interim = 0;
  #requestDone = true;
  #requestChunked = false;
  /** Trailers went to an app: some read them as the beginning of another request, whose answer the next one would get. */
  #trailersSent = false;
  #anyByte = false;
  #tunnel = false;
  #flowing = true;
  #paused = false;
  /** It is called when it may read on. */
  #waits = false;
  #processing = false;
  #retired = false;
  #closed = false;
  #inputEnded = false;

  constructor(
    readonly socket: Socket,
    readonly options: Http1ClientOptions,
  ) {
    super();
    this.openedMs = options.shard.clock.now();
    this.output = new Output(socket, options.shard, this);
    this.#carry = new Carry(options.shard.buffered, this);
    this.#width = socket.tls === null ? new InputWidth(socket, options.shard.buffered) : null;
  }

  get room(): number {
    return this.#sink === null && !this.#retired && !this.#closed ? 1 : 0;
  }

  start(request: OutgoingRequest, edits: FieldEdits, sink: ResponseSink): ClientStream {
    this.#sink = sink;
    this.#method = request.method;
    this.#upgrade = request.upgrade;
    this.#key = null;
    this.#headDone = false;
    this.#interim = 0;
    this.#anyByte = false;
    this.#flowing = true;
    this.#requestDone = false;
    this.#requestChunked = request.contentLength < 0;
    this.options.shard.wheel.disarm(this);
    this.#writeHead(request, edits);
    this.carried++;
    if (!this.options.shard.buffered.mayRead(this)) this.#waitToRead();
    return this;
  }

  #writeHead(request: OutgoingRequest, edits: FieldEdits): void {
    const { output } = this;
    const { nominated } = request;
    const begin = this.#beginningOf(request);
    output.bytes(begin, 0, begin.length);
    writeFields(output, request.fields, writingOf(edits, nominated, false, hostId));
    if (request.upgrade !== null && request.upgrade !== "connect") {
      output.text(`connection: upgrade\r\nupgrade: ${request.upgrade}\r\n`);
      if (request.upgrade === "websocket" && request.fields?.has(keyField) !== true) this.#writeKey();
    }
    if (this.#requestChunked) output.text("transfer-encoding: chunked\r\n\r\n");
    else if (request.contentLength > 0 || takesBody(request.method)) {
      output.text("content-length: ");
      output.number(request.contentLength, 10);
      output.text("\r\n\r\n");
    } else output.text("\r\n");
  }

  /** Request line and Host: often those of the request before. */
  #beginningOf({ method, target, authority }: OutgoingRequest): Uint8Array {
    const last = this.#beginning;
    if (last !== null && last.target === target && last.method === method && last.authority === authority)
      return last.bytes;
    const asked = method === "CONNECT" ? authority : target;
    const bytes = latin1Bytes(`${method} ${asked} HTTP/1.1\r\nhost: ${authority}\r\n`);
    this.#beginning = bytes.length > beginningMax ? null : { method, target, authority, bytes };
    return bytes;
  }

  #writeKey(): void {
    this.#key = newWebSocketKey();
    this.output.text(`${keyField}: ${this.#key}\r\n`);
  }

  // ---------------------------------------------------------------------------------------------- the stream

  write(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
    const { output } = this;
    if (this.#sink === null || start === end) return output.hasRoom;
    if (this.#requestChunked && !this.#tunnel) {
      output.number(end - start, 16);
      output.text("\r\n");
      output.bytes(bytes, start, end);
      output.text("\r\n");
    } else output.bytes(bytes, start, end);
    return output.hasRoom;
  }

  end(trailers: Fields | null): void {
    if (this.#requestDone || this.#closed) return;
    this.#requestDone = true;
    if (this.#tunnel) return this.output.finish();
    if (!this.#requestChunked) return;
    this.output.text("0\r\n");
    if (trailers !== null) {
      writeTrailers(this.output, trailers);
      // Another proxy takes them.
      if (this.socket.tls === null && trailers.count > 0) this.#trailersSent = true;
    }
    this.output.text("\r\n");
  }

  cancel(): void {
    this.#sink = null;
    this.destroy();
  }

  pause(): void {
    this.#flowing = false;
  }

  resume(): void {
    if (this.#flowing) return;
    this.#flowing = true;
    if (this.#processing || this.#closed) return;
    const carry = this.#carry.take();
    if (carry !== null) this.#process(carry, true);
    if (this.#carry.empty) this.#readMore();
    if (this.#flowing && this.#inputEnded) this.#ended();
  }

  #readMore(): void {
    if (this.#waits) return;
    if (this.options.shard.buffered.mayRead(this)) this.#resumeSocket();
    else this.#waitToRead();
  }

  /** What comes has to wait in the kernel. */
  #waitToRead(): void {
    this.#waits = true;
    this.#pauseSocket();
  }

  readOn(): void {
    this.#waits = false;
    if (this.#flowing && this.#carry.empty) this.#resumeSocket();
  }

  // -------------------------------------------------------------------------------------------- the connection

  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.options.onRetired(this);
    if (this.#sink === null) this.#close();
  }

  destroy(): void {
    if (this.#closed) return;
    this.output.discard();
    this.#carry.drop();
    this.socket.reset();
    this.#retireQuietly();
  }

  /** The server takes nothing of its request, or nobody its answer, and much waits for others too. */
  giveWay(limit: string): void {
    this.options.onLimit?.(limit);
    if (!this.#carry.empty) return this.#giveUpAnswer();
    this.#fail(
      "UO",
      `${this.options.peer} took the request body too slowly while much waited for others too`,
      "no",
    );
  }

  #giveUpAnswer(): void {
    const sink = this.#sink;
    this.#sink = null;
    this.destroy();
    sink?.failed(untaken);
  }

  #onData(chunk: Uint8Array): void {
    const { shard } = this.options;
    shard.enter();
    if (this.#carry.empty) this.#process(chunk, false);
    else this.#process(this.#carry.takeWith(chunk), true);
    if (this.flowing && this.#carry.empty) this.#width?.taken(chunk.length);
    shard.leave();
  }

  #onDrain(): void {
    const { shard } = this.options;
    shard.enter();
    if (this.output.drained()) this.#sink?.writable();
    shard.leave();
  }

  #onEnd(): void {
    const { shard } = this.options;
    shard.enter();
    this.#inputEnded = true;
    this.#ended();
    shard.leave();
  }

  expired(): void {
    this.#close();
  }

  #onClose(error: SocketError | null): void {
    const { shard } = this.options;
    this.#closed = true;
    shard.wheel.forget(this);
    shard.enter();
    this.output.discard();
    this.#carry.drop();
    this.#width?.giveBack();
    if (this.#sink !== null) this.#broken(error);
    this.#retireQuietly();
    this.options.onClosed?.(this);
    shard.leave();
  }

  #process(source: Uint8Array, owned: boolean): void {
    if (this.#sink === null) {
      // Bytes nobody asked for: whatever they are, no request may ever be paired with them.
      return this.destroy();
    }
    this.#anyByte = true;
    this.#processing = true;
    let at = 0;
    const end = source.length;
    while (at < end && this.#sink !== null) {
      if (!this.#headDone) {
        const next = this.#parser.parse(source, at, end);
        if (next < 0) {
          const { reason, limit } = this.#parser.problem ?? { reason: "malformed", limit: null };
          if (limit !== null) this.options.onLimit?.(limit);
          this.#processing = false;
          return this.#fail(
            "UPE",
            `${this.options.peer} sent an answer that is not valid HTTP: ${reason}`,
            "no",
          );
        }
        if (next === 0) break;
        at = next;
        if (!this.#takeHead()) break;
        continue;
      }
      const next = this.#body.read(source, at, end, this);
      if (this.#body.problem !== null) {
        this.#processing = false;
        return this.#fail(
          "UPE",
          `${this.options.peer} sent a broken body: ${this.#body.problem.reason}`,
          "no",
        );
      }
      const stuck = next === at && !this.#body.done;
      at = next;
      if (this.#body.done) this.#finished(at < end);
      if (stuck) break;
    }
    this.#processing = false;
    if (at < end && this.#sink !== null && !this.#closed) {
      this.#carry.keep(source, at, owned);
      if (this.#headDone && !this.#flowing) this.#pauseSocket();
    } else if (!this.#flowing && this.#sink !== null && !this.#closed) this.#pauseSocket();
  }

  /** One head is there. False: nothing more to read now. */
  #takeHead(): boolean {
    const parser = this.#parser;
    const { status, framing } = parser;
    const sink = this.#sink as ResponseSink;
    if (status < 200 && status !== 101) {
      if (++this.#interim > limits.interimAnswersMax) {
        this.options.onLimit?.("interimAnswersMax");
        this.#fail("UPE", `${this.options.peer} sent interim answers without end`, "no");
        return false;
      }
      sink.informational(status, parser.fields);
      return true;
    }
    const connect = this.#upgrade === "connect" && status >= 200 && status < 300;
    if (status === 101 && (this.#upgrade === null || connect || !isAsked(this.#upgrade, parser.upgrade))) {
      this.#fail("UPE", `${this.options.peer} switched to a protocol that was not asked for`, "no");
      return false;
    }
    if (status === 101 && this.#key !== null && parser.fields.get(acceptField) !== acceptOf(this.#key)) {
      this.#fail("UPE", `${this.options.peer} did not answer the key of a WebSocket`, "no");
      return false;
    }
    this.#headDone = true;
    this.#tunnel = status === 101 || connect;
    const bodyless = this.#method === "HEAD" || status === 204 || status === 304;
    if (this.#tunnel) this.#body.begin("until-close", 0);
    else if (bodyless) this.#body.begin("none", 0);
    else if (framing.chunked) this.#body.begin("chunked", 0);
    else if (framing.contentLength >= 0) this.#body.begin("length", framing.contentLength);
    else this.#body.begin("until-close", 0);
    const head: ResponseHead = {
      status,
      fields: parser.fields,
      contentLength: bodyless ? 0 : this.#tunnel || framing.chunked ? -1 : framing.contentLength,
      tunnel: this.#tunnel,
      nominated: this.#key === null ? framing.nominated : [acceptField, ...(framing.nominated ?? [])],
      whole: this.#body.done,
    };
    sink.head(head);
    if (this.#body.done && this.#sink !== null) this.#finished(false);
    return true;
  }

  get flowing(): boolean {
    return this.#flowing && this.#sink !== null;
  }

  bodyData(bytes: Uint8Array, start: number, end: number): void {
    this.#sink?.data(bytes, start, end);
  }

  /** The answer is complete. */
  #finished(moreFollows: boolean): void {
    const sink = this.#sink as ResponseSink;
    this.#width?.giveBack();
    const reusable =
      this.#requestDone &&
      !moreFollows &&
      this.#parser.persistent &&
      this.#parser.framing.keepAliveSeconds !== 0 &&
      !this.#trailersSent &&
      this.#body.kind !== "until-close" &&
      !this.#retired &&
      !this.#inputEnded;
    this.#sink = null;
    this.#carry.drop();
    if (reusable) {
      const { shard } = this.options;
      shard.wheel.arm(this, this.#keptMs);
      shard.tick();
      this.options.onIdle(this);
    } else {
      this.#retireQuietly();
      this.#close();
    }
    sink.end(this.#body.trailers);
  }

  /** How long it may be unused: the server must not end it while a request is on its way. */
  get #keptMs(): number {
    const seconds = this.#parser.framing.keepAliveSeconds;
    const longestMs = this.options.keptMs?.() ?? limits.keepAlivePoolMs;
    if (seconds < 0) return longestMs;
    const ms = seconds * 1_000;
    return Math.min(longestMs, ms - Math.min(limits.keepAliveMarginMs, ms / 2));
  }

  #ended(): void {
    if (this.#sink === null) return this.#close();
    // What waits for its reader comes first; what is kept because it was cut short has nothing to wait for.
    if (!this.#carry.empty && !this.#flowing) return;
    if (this.#headDone && this.#body.kind === "until-close") {
      if (this.#body.done) return;
      this.#body.done = true;
      const tunnel = this.#tunnel;
      const sink = this.#sink;
      if (tunnel && !this.#requestDone) {
        // Half-closed by the peer: the other direction goes on.
        sink.end(null);
        return;
      }
      this.#sink = null;
      this.#retireQuietly();
      this.#close();
      sink.end(null);
      return;
    }
    this.#broken(null);
  }

  /** The connection ended inside a request. */
  #broken(error: SocketError | null): void {
    const { peer } = this.options;
    const how = error === null ? "closed the connection" : `broke the connection (${error.message})`;
    if (this.#tunnel && this.#body.done && this.#requestDone) {
      this.#sink = null;
      return;
    }
    if (this.#headDone || this.#anyByte)
      return this.#fail(error === null ? "UC" : "UR", `${peer} ${how} inside its answer`, "no");
    if (error === null && this.carried === 1 && this.options.identityAtStake === true) {
      return this.#fail(
        "ID",
        `${peer} closed a new connection without a word, as it does when it refuses a certificate`,
        "no",
      );
    }
    this.#fail(error === null ? "UC" : "UR", `${peer} ${how} before it answered`, "idempotent");
  }

  #fail(flag: Flag, detail: string, repeat: Repeat): void {
    const sink = this.#sink;
    this.#sink = null;
    this.destroy();
    const outcome: Outcome = { flag, side: "upstream", repeat, status: 502, detail };
    sink?.failed(outcome);
  }

  #retireQuietly(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.options.onRetired(this);
  }

  #close(): void {
    if (this.#closed) return;
    this.#retireQuietly();
    this.output.flush();
    this.socket.destroy();
  }

  #pauseSocket(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  #resumeSocket(): void {
    if (!this.#paused || this.#closed) return;
    this.#paused = false;
    this.socket.resume();
  }
}

/** Whether one of the protocols of an Upgrade field is the one that was chosen. */
function isAsked(asked: string, chosen: string): boolean {
  return asked === chosen || asked.split(",").some((each) => each.trim() === chosen);
}

/** Methods whose empty body is said, because servers expect one (RFC 9110 section 8.6). */
function takesBody(method: string): boolean {
  return method === "POST" || method === "PUT" || method === "PATCH";
}
