/**
 * The server side of one HTTP/2 connection (RFC 9113, RFC 8441): streams in, exchanges out, many at a time. What to answer is
 * the handler's business. A stream keeps its place until its handler has learned that it is over, however it ended.
 */
import type { Socket, SocketError } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { errorCodes, prefaceText } from "../wire/h2/frames.ts";
import type { HeadBlock } from "../wire/h2/head_block.ts";
import type { HeadFields } from "../wire/head_fields.ts";
import type { ConnectionInfo, ServerExchange } from "./exchange.ts";
import { Http2Connection } from "./h2_connection.ts";
import { Http2Exchange, type ExchangeWire } from "./h2_exchange.ts";
import type { Http2Options } from "./h2_link.ts";
import type { Http2Stream } from "./h2_stream.ts";
import { RecentResets } from "./recent_resets.ts";

export interface Http2ServerOptions extends Http2Options {
  readonly connection: ConnectionInfo;
  readonly handler: (exchange: ServerExchange) => void;
  /** The connection is gone. */
  readonly onClosed?: () => void;
}

/** How far it is told that no new stream should come. */
const drains = {
  none: 0,
  /** By a GOAWAY that still lets streams come which are on their way. */
  announced: 1,
  /** By the last GOAWAY: no stream above the highest is taken. */
  over: 2,
} as const;

const noMoreRoom = "the client closed its side and left no room for the answer";

/** Serves HTTP/2 on an accepted socket: set the result as its handler. */
export class Http2Server extends Http2Connection implements ExchangeWire {
  protected readonly idleMs = limits.keepAliveInboundMs;
  protected readonly framesPerTurnMax = limits.h2FramesPerTurnMax;
  #prefaceAt = 0;
  /** Streams that are over, and whose handlers do not know it yet. */
  #unaware = 0;
  #headBytes = 0;
  /** It waited with clients that have time, which is told once. */
  #slowed = false;
  /** It waits for its turn, and it is its turn. */
  #inLine = false;
  #itsTurn = false;
  /** Requests of this turn that the handler has not seen. */
  #fresh: Http2Exchange[] = [];
  /** Requests whose answers would only wait, where much waits already: the handler sees them when there is room. */
  #postponed: Http2Exchange[] = [];
  readonly #resets = new RecentResets();
  #drain: (typeof drains)[keyof typeof drains] = drains.none;

  constructor(
    socket: Socket,
    readonly options: Http2ServerOptions,
  ) {
    super(socket, options, true);
    this.writer.opening(this.profile, true);
  }

  /** Takes no stream after those under way; ends when they have. */
  retire(): void {
    if (this.retiring) return;
    this.#drain = drains.announced;
    this.beginDrain();
  }

  get retiring(): boolean {
    return this.#drain !== drains.none;
  }

  // ---------------------------------------------------------------------------------- used by the exchange

  get connection(): ConnectionInfo {
    return this.options.connection;
  }

  writeHead(exchange: Http2Exchange, endStream: boolean): void {
    this.writer.block(exchange, endStream);
  }

  /** The handler of a stream that is over does not know it yet. */
  leftUnaware(): void {
    this.#unaware++;
  }

  nowAware(): void {
    this.#unaware--;
    this.#endWhenDone();
  }

  tripped(limit: string): void {
    this.options.onLimit?.(limit);
  }

  /** Nobody reads its head any more. */
  release(fields: HeadFields, headBytes: number, windowless: boolean): void {
    this.#headBytes -= headBytes;
    if (windowless) this.shard.windowlessStreams--;
    this.shard.giveFields(fields);
  }

  override resetStream(stream: Http2Stream, code: number): void {
    if (stream.closed) return;
    this.#resets.note(stream.id);
    super.resetStream(stream, code);
    if (code === errorCodes.noError) this.countUnfinished();
  }

  // --------------------------------------------------------------------------------------------- streams in

  override goOn(): number {
    this.#inLine = false;
    this.#itsTurn = true;
    const begun = super.goOn();
    this.#itsTurn = false;
    return begun;
  }

  protected override awaitTurn(): void {
    if (this.#inLine) return;
    this.#inLine = true;
    const { turns, slowed } = this.shard;
    if (this.#leavesRoom && !this.#resetsMost) return turns.wait(this);
    if (!this.#slowed) this.options.onLimit?.("h2SlowedRequestsPerTickMax");
    this.#slowed = true;
    slowed.wait(this);
  }

  protected readPreface(source: Uint8Array): number {
    if (this.#prefaceAt === prefaceText.length) return 0;
    let at = 0;
    while (at < source.length && this.#prefaceAt < prefaceText.length) {
      if (source[at++] === prefaceText.charCodeAt(this.#prefaceAt++)) continue;
      this.fail(errorCodes.protocolError, "this is not HTTP/2");
      return source.length;
    }
    return at;
  }

  protected onBlock(streamId: number, endStream: boolean): void {
    const stream = this.streams.get(streamId);
    if (stream !== undefined) {
      if (stream.remoteEnded) this.fail(errorCodes.streamClosed, "a head behind the end of a stream");
      else this.takeTrailers(stream, endStream);
    } else if (streamId > this.rules.highestId && (streamId & 1) === 1) this.#open(streamId, endStream);
    else if (this.#resets.has(streamId)) this.passBy();
    else {
      const code = (streamId & 1) === 1 ? errorCodes.streamClosed : errorCodes.protocolError;
      this.fail(code, "a head for a stream that cannot be opened");
    }
  }

  #open(streamId: number, endStream: boolean): void {
    const head = this.decode("request");
    if (head === null) return;
    this.rules.highestId = streamId;
    const limit = this.#missing();
    if (limit !== null || head.malformed !== null) {
      this.shard.giveFields(head.fields);
      this.guard.stream();
      if (limit === null) this.#refuse(streamId, errorCodes.protocolError);
      else this.#turnAway(streamId, limit);
      return;
    }
    const headBytes = head.used;
    this.#headBytes += headBytes;
    const exchange = new Http2Exchange(this, streamId, head, endStream);
    this.adopt(exchange);
    if (!this.#leavesRoom) {
      exchange.beginWithoutWindow();
      this.shard.windowlessStreams++;
    }
    if (this.#isShort(head, endStream)) {
      this.breakStream(exchange, errorCodes.protocolError, "less body than Content-Length says");
    } else if (head.refusal !== null) {
      if (head.refusal.limit !== null) this.options.onLimit?.(head.refusal.limit);
      exchange.answerPlainly(head.refusal.status, head.refusal.reason, head.grpc);
    } else this.#startSoon(exchange);
  }

  /** A stream that is reset in the same breath, as in a flood of resets, never reaches the handler. */
  #startSoon(exchange: Http2Exchange): void {
    exchange.waits = true;
    this.#fresh.push(exchange);
    if (!this.#leavesRoom || this.#fresh.length >= this.profile.requestsPerTurnMax) this.readNoMore();
  }

  /** Answers can leave at once: making them early is worth something. */
  get #leavesRoom(): boolean {
    return this.peer.streamWindowBytes >= limits.h2StreamWindowBytesMin;
  }

  /** Between proxies many clients share a connection: one of them that resets most of its streams must not slow down the others. */
  get #resetsMost(): boolean {
    return this.profile.name === "local" && this.guard.resetsMost;
  }

  protected onRead(): number {
    if (this.#postponed.length > 0 && this.sender.window > 0) this.#startPostponed();
    const fresh = this.#fresh;
    if (fresh.length === 0) return 0;
    if (!this.#itsTurn && this.#isBurst(fresh.length)) {
      this.awaitTurn();
      return 0;
    }
    this.#fresh = [];
    for (const exchange of fresh) this.#startOrPostpone(exchange);
    return fresh.length;
  }

  /**
   * More requests in one read than others may be made to wait for: they have their turn with those of all connections. Between
   * proxies many clients share a connection, and each is held to its share where it came in.
   */
  #isBurst(requests: number): boolean {
    if (this.profile.name !== "local") return false;
    if (this.#inLine) return true;
    return requests > limits.h2RequestsAtOnceMax && !this.shard.turns.mayBegin(requests);
  }

  #startOrPostpone(exchange: Http2Exchange): void {
    if (exchange.waits && this.#wouldWait(exchange)) this.#postponed.push(exchange);
    else this.start(exchange);
  }

  widened(exchange: Http2Exchange): void {
    if (this.#postponed.length > 0 && !this.#wouldWait(exchange)) this.start(exchange);
  }

  /** Between proxies many clients share a connection, and no one of them fills it. */
  #wouldWait(exchange: Http2Exchange): boolean {
    if (!this.shard.buffered.tight || this.profile.name !== "local" || exchange.closed) return false;
    const room = Math.min(exchange.sendWindow, this.sender.window);
    return room < limits.h2StreamWindowBytesMin || !this.output.hasRoom;
  }

  /** Those that have room now, but few: their answers may fill again what others left. */
  #startPostponed(): void {
    const postponed = this.#postponed;
    this.#postponed = [];
    let begun = 0;
    for (const exchange of postponed) {
      const may = begun < this.profile.requestsPerTurnMax && !this.#wouldWait(exchange);
      if (!exchange.closed && exchange.waits && !may) this.#postponed.push(exchange);
      else this.start(exchange);
      if (may) begun++;
    }
  }

  protected override lookAgain(): void {
    if (this.#postponed.length > 0) this.#startPostponed();
  }

  start(exchange: Http2Exchange): void {
    if (!exchange.waits) return;
    exchange.waits = false;
    if (exchange.closed) exchange.neverStarted();
    else this.options.handler(exchange);
  }

  #isShort(head: HeadBlock, endStream: boolean): boolean {
    return endStream && head.contentLength > 0 && head.upgrade === null;
  }

  /** What there is not enough of for another stream: the limit's name; "" while this side drains; null: nothing. */
  #missing(): string | null {
    if (this.#drain === drains.over) return "";
    if (this.streams.size + this.#unaware >= this.profile.streamsMax) return "streamsMax";
    if (this.#headBytes > limits.h2HeadMemoryBytesMax) return "h2HeadMemoryBytesMax";
    return this.outputFull ? "h2QueuedBytesMax" : null;
  }

  /** REFUSED_STREAM: nothing was done, so the client may try elsewhere. */
  #turnAway(streamId: number, limit: string): void {
    if (limit !== "") this.options.onLimit?.(limit);
    this.#refuse(streamId, errorCodes.refusedStream);
  }

  /** A client that opens what cannot be served makes us send resets; one that has not heard of the end yet is right to. */
  #refuse(streamId: number, code: number): void {
    if (this.#drain !== drains.over && this.#countReset()) return;
    this.#resets.note(streamId);
    this.writer.reset(streamId, code);
  }

  protected onLateData(streamId: number): void {
    this.guard.acknowledged();
    if (!this.#resets.has(streamId)) this.writer.reset(streamId, errorCodes.streamClosed);
  }

  protected override countEarlyReset(stream: Http2Stream): boolean {
    const early = this.shard.clock.now() - (stream as Http2Exchange).beganMs < limits.h2ResetEarlyMs;
    return early && !(stream as Http2Exchange).started && this.#countReset();
  }

  /** True: there were too many, and the connection has failed. */
  #countReset(): boolean {
    if (this.tripReset()) return true;
    if (this.#resetsMost) this.readNoMore();
    return false;
  }

  // ------------------------------------------------------------------------------------------------- its end

  protected get busy(): boolean {
    return this.streams.size + this.#unaware > 0;
  }

  protected onSettings(): void {
    if (!this.#leavesRoom) this.readNoMore();
  }

  /** The client opens no more streams; it will close. */
  protected onGoaway(): void {}

  protected onForgotten(): void {
    this.#endWhenDone();
  }

  protected onDrainPing(): void {
    this.shard.clock.after(limits.h2DrainGraceMs, () => {
      this.shard.enter();
      this.#stopTaking();
      this.shard.leave();
    });
  }

  #stopTaking(): void {
    if (this.#drain === drains.over || this.closing) return;
    this.#drain = drains.over;
    this.writer.goaway(this.rules.highestId, errorCodes.noError, "");
    this.#endWhenDone();
  }

  #endWhenDone(): void {
    if ((this.#drain === drains.over || this.inputEnded) && !this.busy) this.finish();
  }

  protected onIdle(): void {
    this.writer.goaway(this.rules.highestId, errorCodes.noError, "");
    this.finish();
  }

  /** The client will send nothing more: requests that are whole are still answered, unless it is gone altogether. */
  protected onInputEnd(): void {
    for (const stream of this.streams.all()) {
      if (!stream.remoteEnded)
        this.#giveUp(stream, "the client closed the connection inside its request body");
      else if (this.#isStuck(stream)) this.#giveUp(stream, noMoreRoom);
    }
    if (this.closing) return this.socket.destroy();
    this.#endWhenDone();
    if (this.busy) this.sound();
  }

  giveWay(limit: string): void {
    this.cut(limit);
    this.breakAll(errorCodes.enhanceYourCalm, "the client read nothing while much waited for others too");
  }

  protected onDead(): void {
    this.breakAll(errorCodes.cancel, `no answer to a PING within ${limits.h2PingAnswerMs} ms`);
    this.destroy();
  }

  protected onGone(error: SocketError | null): void {
    this.breakAll(errorCodes.cancel, error === null ? "the client closed the connection" : error.message);
    for (const exchange of [...this.#postponed, ...this.#fresh]) this.start(exchange);
    this.#postponed = [];
    this.#fresh = [];
    this.options.onClosed?.();
  }

  protected watchStream(stream: Http2Stream, nowMs: number, excusedMs: number): void {
    const exchange = stream as Http2Exchange;
    if (this.#isStuck(stream)) return this.#giveUp(stream, noMoreRoom);
    if (stream.isStalled(nowMs - excusedMs) && !exchange.isTunnel) {
      this.options.onLimit?.("writeStallMs");
      return this.#giveUp(stream, "the client took nothing of its answer for too long");
    }
    const limit = exchange.slowness(nowMs, excusedMs === 0);
    if (limit === null) return;
    this.options.onLimit?.(limit);
    exchange.timeOut(limit);
  }

  /** What waits for window waits for ever: who has sent its FIN gives none. */
  #isStuck({ queuedBytes, sendWindow }: Http2Stream): boolean {
    return this.inputEnded && queuedBytes > 0 && Math.min(sendWindow, this.sender.window) <= 0;
  }

  #giveUp(stream: Http2Stream, detail: string): void {
    this.resetStream(stream, errorCodes.cancel);
    stream.onBroken(errorCodes.cancel, detail, true);
  }
}
