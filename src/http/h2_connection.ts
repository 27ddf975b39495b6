/**
 * What both sides of an HTTP/2 connection share (RFC 9113): frames in, settings, windows, PING, GOAWAY, the budgets of the peer
 * and every timer. What a header block means is the side's business. Streams say when they are done.
 */
import type { Socket, SocketError, SocketHandler } from "../../runtime/contract.ts";
import { joined, latin1 } from "../base/bytes.ts";
import { WheelEntry } from "../base/timer_wheel.ts";
import { limits } from "../model/limits.ts";
import type { Fields } from "../wire/fields.ts";
import { BlockReader } from "../wire/h2/block_reader.ts";
import { FloodGuard } from "../wire/h2/flood_guard.ts";
import { FrameReader, wants, type FrameTaker, type Wants } from "../wire/h2/frame_reader.ts";
import { errorCodes, errorName, frameFlags, frameTypes, get31, get32, maxInt31 } from "../wire/h2/frames.ts";
import type { BlockKind, HeadBlock } from "../wire/h2/head_block.ts";
import { HpackEncoder } from "../wire/h2/hpack_encoder.ts";
import { initialWindowBytes, PeerSettings, type Profile } from "../wire/h2/settings.ts";
import { Sender } from "./h2_sender.ts";
import type { Hoarder } from "./buffered.ts";
import type { Http2Stream, StreamWire } from "./h2_stream.ts";
import { FrameWriter } from "./h2_writer.ts";
import { Output } from "./output.ts";
import type { Shard } from "./shard.ts";
import { StreamTable } from "./stream_table.ts";
import { UnreadTime } from "./unread_time.ts";

export interface Http2Options {
  readonly shard: Shard;
  readonly profile: Profile;
  /** A limit of the limits table ended a request or the connection. */
  readonly onLimit?: (limit: string) => void;
}

/** First byte of the payload of our PINGs: asking whether somebody is there, or before the last GOAWAY. */
const pings = { alive: 1, drain: 2 } as const;

export abstract class Http2Connection
  extends WheelEntry
  implements SocketHandler, FrameTaker, StreamWire, Hoarder
{
  readonly shard: Shard;
  readonly profile: Profile;
  readonly output: Output;
  readonly peer = new PeerSettings();
  readonly guard = new FloodGuard();
  readonly sender: Sender;
  readonly writer: FrameWriter;
  /** Encodes heads; `writer.block` sends them. */
  readonly heads = new HpackEncoder(limits.h2TableBytesMax);
  readonly streams = new StreamTable<Http2Stream>();
  readonly openedMs: number;
  /** The output ends: nothing more is read. */
  protected closing = false;
  /** The socket is gone. */
  protected closed = false;
  /** The peer sent its FIN. */
  protected inputEnded = false;
  readonly #reader = new FrameReader(this);
  readonly #blocks: BlockReader;
  /** Bytes that came beyond one turn's work. */
  #rest: Uint8Array | null = null;
  #settingsAcked = false;
  #failed = false;
  #calms = false;
  /** What the peer may still send on the connection, and what was taken without telling it. */
  #receiveWindow: number;
  #credit = 0;
  /** Of the DATA frame under way. */
  #dataBytes = 0;
  /** Of limits on the peer the time counts in which it was read: `readMs` of this. */
  protected readonly unread = new UnreadTime();
  #lastHeardMs: number;
  #pingSentMs = 0;
  #drainPingMs = -1;
  #blockedSinceMs = -1;
  #idleSinceMs: number;
  #watching = false;
  /** When the next look is due. */
  #lookMs = 0;

  constructor(
    readonly socket: Socket,
    options: Http2Options,
    private readonly isServer: boolean,
    private readonly onLimit: ((limit: string) => void) | undefined,
  ) {
    super();
    const { shard, profile } = options;
    this.shard = shard;
    this.profile = profile;
    this.output = new Output(socket, shard, this, true);
    this.writer = new FrameWriter(this.output, this.peer, (limit) => this.cut(limit));
    this.sender = new Sender(this.output, this.peer, this.guard);
    this.#blocks = isServer
      ? new BlockReader(limits.requestHeadBytesMax, limits.trailerBytesMax)
      : new BlockReader(limits.responseHeadBytesMax, limits.responseTrailerBytesMax);
    this.#receiveWindow = profile.connectionWindowBytes;
    this.openedMs = this.#lastHeardMs = this.#idleSinceMs = shard.clock.now();
    this.#watch();
  }

  /** What comes before the first frame. Returns the offset where frames begin. */
  protected abstract readPreface(source: Uint8Array): number;
  /** A whole header block came: `decode` reads it. It must be decoded, or the connection ended. */
  protected abstract onBlock(streamId: number, endStream: boolean): void;
  /** Whether the stream never began. */
  protected abstract isIdle(streamId: number): boolean;
  /** DATA for a stream that is no more. */
  protected abstract onLateData(streamId: number): void;
  /** What came was read, or as much of it as one turn takes. Returns how many requests began with it. */
  protected abstract onRead(): number;
  protected abstract onSettings(): void;
  protected abstract onGoaway(lastId: number, code: number, detail: string): void;
  /** A stream is no more. */
  protected abstract onForgotten(): void;
  /** Whether something is under way. */
  protected abstract readonly busy: boolean;
  /** How long it may be unused. */
  protected abstract readonly idleMs: number;
  protected abstract onIdle(): void;
  /** About once a second while something is under way, and when more can leave. */
  protected lookAgain(): void {}
  /** Looks after a stream, about once a second. `excusedMs`: of the last while so much was not read. */
  protected abstract watchStream(stream: Http2Stream, nowMs: number, excusedMs: number): void;
  /** The PING before the last GOAWAY came back, or will not. */
  protected abstract onDrainPing(): void;
  /** Highest stream of the peer that was acted on. */
  protected abstract readonly lastPeerId: number;
  /** The peer's FIN. */
  protected abstract onInputEnd(): void;
  /** No answer to a PING: whoever was there is not. */
  protected abstract onDead(): void;
  /** The socket is gone. Called once, last. */
  protected abstract onGone(error: SocketError | null): void;

  // ------------------------------------------------------------------------------------- socket callbacks

  data(chunk: Uint8Array): void {
    const { shard } = this;
    shard.enter();
    if (!this.closing) {
      this.#lastHeardMs = this.#readMs;
      if (this.#rest === null) this.#process(chunk, false);
      else this.#rest = joined(this.#rest, chunk);
    }
    shard.leave();
  }

  drain(): void {
    const { shard, output } = this;
    shard.enter();
    const goOn = output.drained();
    this.#blockedSinceMs = -1;
    if (!output.blocked) this.writer.drained();
    if (goOn) {
      this.sender.pump();
      this.lookAgain();
    }
    shard.leave();
  }

  end(): void {
    const { shard } = this;
    shard.enter();
    this.inputEnded = true;
    this.onInputEnd();
    shard.leave();
  }

  close(error: SocketError | null): void {
    const { shard } = this;
    this.closed = true;
    if (this.#calms) shard.calming--;
    this.#stop();
    shard.wheel.forget(this);
    shard.enter();
    this.output.discard();
    this.onGone(error);
    shard.leave();
  }

  /** Returns how many requests began. */
  #process(source: Uint8Array, owned: boolean): number {
    const start = this.readPreface(source);
    const at = this.#reader.read(source, start, source.length, limits.h2FramesPerTurnMax);
    const begun = this.onRead();
    if (at >= source.length || this.closing || this.closed) return begun;
    this.#rest = owned ? source.subarray(at) : source.slice(at);
    // A FIN behind it waits too: it must not overtake requests.
    this.socket.pause();
    this.unread.pause(this.shard.clock.now());
    this.awaitTurn();
    return begun;
  }

  /** No further frame is read in this turn. */
  protected readNoMore(): void {
    this.#reader.enough = true;
  }

  /** `goOn` is to be called in a later turn. */
  protected abstract awaitTurn(): void;

  goOn(): number {
    const { shard } = this;
    const rest = this.#rest;
    if (this.closed) return 0;
    this.#rest = null;
    shard.enter();
    const begun = rest === null || this.closing ? 0 : this.#process(rest, true);
    if (this.#rest === null && !this.#calms) {
      this.unread.resume(shard.clock.now());
      this.socket.resume();
    }
    shard.leave();
    return begun;
  }

  // -------------------------------------------------------------------------------------------- frames in

  begins(type: number, flags: number, streamId: number, length: number): Wants {
    if (this.closing) return wants.nothingMore;
    if (length > this.profile.frameBytesMax)
      return this.#refuse(errorCodes.frameSizeError, "a frame is longer than SETTINGS allow");
    const { openId } = this.#blocks;
    if (openId !== 0 && (type !== frameTypes.continuation || streamId !== openId))
      return this.#refuse(errorCodes.protocolError, "a header block is interrupted");
    if (!this.peer.known && (type !== frameTypes.settings || (flags & frameFlags.ack) !== 0))
      return this.#refuse(errorCodes.protocolError, "the first frame is not SETTINGS");
    switch (type) {
      case frameTypes.data:
        this.#dataBytes = 0;
        return streamId === 0 || this.isIdle(streamId) ? this.#misplaced() : wants.whole;
      case frameTypes.headers:
        if (streamId === 0) return this.#misplaced();
        return this.#within(this.#blocks.admit(length, this.#readMs));
      case frameTypes.continuation:
        return openId === 0 ? this.#misplaced() : this.#within(this.#blocks.admitMore(length, flags));
      case frameTypes.priority:
        return streamId === 0 ? this.#misplaced() : this.#sized(length === 5);
      case frameTypes.rstStream:
        return streamId === 0 || this.isIdle(streamId) ? this.#misplaced() : this.#sized(length === 4);
      case frameTypes.windowUpdate:
        return streamId !== 0 && this.isIdle(streamId) ? this.#misplaced() : this.#sized(length === 4);
      case frameTypes.ping:
        return streamId !== 0 ? this.#misplaced() : this.#sized(length === 8);
      case frameTypes.settings:
        if (streamId !== 0) return this.#misplaced();
        if ((flags & frameFlags.ack) !== 0) return this.#sized(length === 0);
        return this.#within(length > limits.h2SettingsBytesMax ? "h2SettingsBytesMax" : null);
      case frameTypes.goaway:
        if (streamId !== 0) return this.#misplaced();
        return this.#sized(length >= 8 && length <= limits.h2GoawayBytesMax);
      case frameTypes.pushPromise:
        return this.#refuse(errorCodes.protocolError, "push was never allowed");
      default:
        return this.#tripped(this.guard.ignored()) ? wants.nothingMore : wants.skipped;
    }
  }

  #within(limit: string | null): Wants {
    return this.#tripped(limit) ? wants.nothingMore : wants.whole;
  }

  #sized(right: boolean): Wants {
    return right ? wants.whole : this.#refuse(errorCodes.frameSizeError, "a frame has the wrong size");
  }

  #misplaced(): Wants {
    return this.#refuse(errorCodes.protocolError, "a frame came where it may not");
  }

  #refuse(code: number, detail: string): Wants {
    this.fail(code, detail);
    return wants.nothingMore;
  }

  overpadded(): void {
    this.fail(errorCodes.protocolError, "more padding than payload");
  }

  frame(type: number, flags: number, streamId: number, source: Uint8Array, start: number, end: number): void {
    switch (type) {
      case frameTypes.headers: {
        const wrong = this.#blocks.take(flags, streamId, source, start, end);
        if (wrong !== null) return this.fail(errorCodes.protocolError, wrong);
        if (this.#blocks.openId === 0) this.onBlock(streamId, this.#blocks.endStream);
        return;
      }
      case frameTypes.continuation:
        this.#blocks.takeMore(flags, source, start, end);
        if (this.#blocks.openId === 0) this.onBlock(streamId, this.#blocks.endStream);
        return;
      case frameTypes.settings:
        return this.#takeSettings(flags, source, start, end);
      case frameTypes.ping:
        return this.#takePing(flags, source, start);
      case frameTypes.windowUpdate:
        return this.#takeWindowUpdate(streamId, get31(source, start));
      case frameTypes.rstStream:
        return this.#takeReset(streamId, get32(source, start));
      case frameTypes.priority:
        if (this.#tripped(this.guard.ignored())) return;
        if (get31(source, start) === streamId)
          this.fail(errorCodes.protocolError, "a stream depends on itself");
        return;
      case frameTypes.goaway: {
        const detail = latin1(source, start + 8, Math.min(end, start + 8 + 100));
        return this.onGoaway(get31(source, start), get32(source, start + 4), detail);
      }
    }
  }

  body(
    streamId: number,
    source: Uint8Array,
    start: number,
    end: number,
    flowBytes: number,
    done: boolean,
    endStream: boolean,
  ): void {
    this.#receiveWindow -= flowBytes;
    if (this.#receiveWindow < 0)
      return this.fail(errorCodes.flowControlError, "more body than the window of the connection allows");
    this.#credit += flowBytes;
    if (this.#credit * 2 >= this.profile.connectionWindowBytes) this.#grant();
    this.#dataBytes += end - start;
    if (done && this.#tripped(this.guard.data(this.#dataBytes, endStream))) return;
    const stream = this.streams.get(streamId);
    if (stream === undefined) return done ? this.onLateData(streamId) : undefined;
    if (stream.remoteEnded)
      return this.breakStream(stream, errorCodes.streamClosed, "body behind the end of a stream");
    stream.receive(source, start, end, flowBytes);
    if (endStream && !stream.closed) stream.receiveEnd(null);
  }

  /** The window of the connection opens whatever its streams do: one that nobody reads stops no other. */
  #grant(): void {
    this.#receiveWindow += this.#credit;
    this.writer.windowUpdate(0, this.#credit);
    this.#credit = 0;
  }

  /**
   * Decodes the block that came; whoever has done with its fields gives them back to the shard. null: the connection has failed.
   * The result is good until the next block.
   */
  protected decode(kind: BlockKind): HeadBlock | null {
    const { shard } = this;
    const fields = shard.takeFields();
    const block = this.#blocks.decode(kind, fields);
    if (block === null || block.fields !== fields) shard.giveFields(fields);
    if (block === null && !this.#tripped(this.#blocks.broken))
      this.fail(errorCodes.compressionError, "a header block cannot be decoded");
    return block;
  }

  /** A block that nobody wants keeps the table of the decoder in step. */
  protected passBy(): void {
    const block = this.decode("trailers");
    if (block !== null) this.shard.giveFields(block.fields);
  }

  /** Trailers of a stream that waits for its end. */
  protected takeTrailers(stream: Http2Stream, endStream: boolean): void {
    const trailers = this.decode("trailers");
    if (trailers === null) return;
    const { malformed, refusal, fields } = trailers;
    const wrong = malformed ?? refusal?.reason ?? (endStream ? null : "a head behind the head of a stream");
    if (wrong === null) return stream.receiveEnd(fields);
    this.shard.giveFields(fields);
    this.breakStream(stream, codeOf(trailers), wrong);
  }

  #takeSettings(flags: number, source: Uint8Array, start: number, end: number): void {
    if ((flags & frameFlags.ack) !== 0) {
      this.#settingsTaken();
      return;
    }
    if (this.#tripped(this.guard.control(this.shard.clock.now()))) return;
    const { peer } = this;
    const before = peer.streamWindowBytes;
    const error = peer.read(source, start, end, !this.isServer);
    if (error !== 0) return this.fail(error, "SETTINGS hold a value that may not be");
    this.heads.limitTable(peer.headerTableBytes);
    const change = peer.streamWindowBytes - before;
    if (change !== 0) {
      for (const stream of this.streams.all())
        if (!stream.widen(change))
          return this.fail(errorCodes.flowControlError, "SETTINGS make a window too large");
    }
    this.writer.settingsAck();
    this.onSettings();
    this.sender.pump();
  }

  /** Until a client has read with what window streams begin here, it goes by what they begin with otherwise (RFC 9113 section 6.9.2). */
  get streamWindowBytes(): number {
    const { streamWindowBytes } = this.profile;
    return this.isServer && !this.#settingsAcked
      ? Math.max(initialWindowBytes, streamWindowBytes)
      : streamWindowBytes;
  }

  #settingsTaken(): void {
    const before = this.streamWindowBytes;
    this.#settingsAcked = true;
    const change = this.streamWindowBytes - before;
    if (change !== 0) for (const stream of this.streams.all()) stream.changeWindow(change);
  }

  #takePing(flags: number, source: Uint8Array, start: number): void {
    if ((flags & frameFlags.ack) !== 0) {
      if (source[start] === pings.drain && this.#drainPingMs >= 0) this.#drained();
    } else if (!this.#tripped(this.guard.control(this.shard.clock.now()))) this.writer.pong(source, start);
  }

  #takeWindowUpdate(streamId: number, increment: number): void {
    if (this.#tripped(this.guard.windowUpdate())) return;
    if (streamId === 0) {
      if (increment === 0) this.fail(errorCodes.protocolError, "a window grows by nothing");
      else if (!this.sender.widen(increment))
        this.fail(errorCodes.flowControlError, "the window of the connection is too large");
      return;
    }
    const stream = this.streams.get(streamId);
    if (stream === undefined) return;
    if (increment === 0)
      this.breakStream(stream, errorCodes.protocolError, "the window of a stream grows by nothing");
    else if (stream.widen(increment)) this.sender.pump();
    else this.breakStream(stream, errorCodes.flowControlError, "the window of a stream is too large");
  }

  #takeReset(streamId: number, code: number): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) return this.guard.acknowledged();
    if (this.countEarlyReset(stream) || stream.peerStopped()) return;
    this.forget(stream);
    stream.onBroken(code, `the peer reset the stream (${errorName(code)})`, true);
  }

  // ----------------------------------------------------------------------------------------------- streams

  protected adopt(stream: Http2Stream): void {
    this.streams.add(stream);
    this.guard.stream();
    if (!this.#watching) this.#watch();
  }

  forget(stream: Http2Stream): void {
    if (stream.closed) return;
    this.streams.delete(stream);
    this.sender.leave(stream);
    stream.drop();
    if (this.streams.size === 0) this.#idleSinceMs = this.shard.clock.now();
    this.onForgotten();
  }

  breakStream(stream: Http2Stream, code: number, detail: string): void {
    if (stream.closed || this.countEarlyReset(stream)) return;
    this.resetStream(stream, code);
    stream.onBroken(code, detail, false);
  }

  resetStream(stream: Http2Stream, code: number): void {
    if (stream.closed) return;
    this.writer.reset(stream.id, code);
    this.forget(stream);
  }

  writeWindowUpdate(streamId: number, increment: number): void {
    this.writer.windowUpdate(streamId, increment);
  }

  writeTrailers(stream: Http2Stream, trailers: Fields): void {
    this.heads.begin();
    this.heads.trailers(trailers);
    this.writer.block(stream, true);
  }

  /** Counts a reset that the peer caused. True: there were too many, and the connection has failed. */
  protected countEarlyReset(_stream: Http2Stream): boolean {
    return false;
  }

  protected tripReset(): boolean {
    return this.#tripped(this.guard.earlyReset());
  }

  /** Counts a stream whose peer leaves its own side open behind the end of ours. */
  protected countUnfinished(): void {
    this.#tripped(this.guard.unfinished(this.shard.clock.now()));
  }

  /** Whether so much waits for the peer that it should not make more. */
  protected get outputFull(): boolean {
    return this.output.blocked && this.output.pendingBytes > limits.h2QueuedBytesMax;
  }

  // ------------------------------------------------------------------------------------------------ ending

  /** A connection error (RFC 9113 section 5.4.1). */
  protected fail(code: number, detail: string): void {
    if (this.closing || this.closed) return;
    this.writer.goaway(this.lastPeerId, code, detail);
    this.#failed = true;
    const calms = code === errorCodes.enhanceYourCalm && this.shard.calming < limits.h2CalmConnectionsMax;
    if (calms) this.#calm();
    else this.finish();
    this.breakAll(code, detail);
  }

  /** The peer hears why at once and sees the end later. Nothing of it is read meanwhile. */
  #calm(): void {
    this.closing = true;
    this.#calms = true;
    this.shard.calming++;
    this.#stop();
    this.socket.pause();
    this.shard.wheel.arm(this, limits.h2CalmMs);
    this.shard.tick();
  }

  protected breakAll(code: number, detail: string): void {
    for (const stream of this.streams.all()) {
      this.forget(stream);
      stream.onBroken(code, detail, false);
    }
  }

  /** FIN behind what is written; then a little time for the peer to read. */
  protected finish(): void {
    if (this.closing || this.closed) return;
    this.closing = true;
    this.#stop();
    this.output.finish();
    this.socket.resume();
    this.shard.wheel.arm(this, limits.lingerMs);
    this.shard.tick();
  }

  /** At once: whoever is there sees a reset. */
  destroy(): void {
    this.#stop();
    this.output.discard();
    this.socket.reset();
  }

  #stop(): void {
    this.#reader.stopped = true;
    this.writer.stopped = true;
    this.#rest = null;
  }

  #tripped(limit: string | null): boolean {
    if (limit === null) return false;
    this.onLimit?.(limit);
    this.fail(errorCodes.enhanceYourCalm, `over the limit ${limit}`);
    return true;
  }

  /** Its peer reads nothing, and much waits for others too. */
  abstract giveWay(limit: string): void;

  /** The peer reads nothing of what waits for it: no word would reach it. */
  protected cut(limit: string): void {
    this.onLimit?.(limit);
    this.destroy();
  }

  /** Says that no new stream should come; once the peer has heard it, `onDrainPing`. */
  protected beginDrain(): void {
    if (this.closing || this.closed) return;
    this.#drainPingMs = this.#readMs;
    this.writer.goaway(maxInt31, errorCodes.noError, "");
    this.writer.ping(pings.drain);
    this.#watch();
  }

  /** Says something that needs no answer: where nobody is any more, the kernel answers by a reset. */
  protected sound(): void {
    this.writer.ping(pings.alive);
  }

  #drained(): void {
    this.#drainPingMs = -1;
    this.onDrainPing();
  }

  // ------------------------------------------------------------------------------------------------- timers

  /** While something is under way the connection looks once a second; idle, once when its time is over. */
  #watch(): void {
    if (this.closing || this.closed) return;
    this.#watching = true;
    this.#lookIn(limits.h2WatchMs);
  }

  #lookIn(delayMs: number): void {
    this.#lookMs = this.shard.clock.now() + delayMs;
    this.shard.wheel.arm(this, delayMs);
    this.shard.tick();
  }

  /** Now, by the clock that stands still while nothing is read. */
  get #readMs(): number {
    return this.unread.readMs(this.shard.clock.now());
  }

  expired(): void {
    this.#watching = false;
    const nowMs = this.shard.clock.now();
    if (this.closing) return this.#linger(nowMs);
    const { unread } = this;
    if (nowMs - this.#lookMs > limits.timerStallMs) unread.stoodStill(nowMs - this.#lookMs);
    const excusedMs = unread.look(nowMs);
    const readMs = unread.readMs(nowMs);
    const handshaking = !this.peer.known || !this.#settingsAcked;
    if (handshaking && readMs - this.openedMs > limits.h2SettingsMs) {
      this.onLimit?.("h2SettingsMs");
      return this.fail(errorCodes.settingsTimeout, "SETTINGS did not come in time");
    }
    const { sinceMs } = this.#blocks;
    if (sinceMs >= 0 && readMs - sinceMs > limits.headMs) return void this.#tripped("headMs");
    if (this.#isDeaf(nowMs, excusedMs)) {
      this.onLimit?.("writeStallMs");
      return this.destroy();
    }
    if (this.#drainPingMs >= 0 && readMs - this.#drainPingMs > limits.h2PingAnswerMs) this.#drained();
    this.lookAgain();
    for (const stream of this.streams.all()) if (!stream.closed) this.watchStream(stream, nowMs, excusedMs);
    if (this.streams.size > 0 && this.profile.keepalive && this.#isDead(readMs)) {
      this.onLimit?.("h2PingAnswerMs");
      return this.onDead();
    }
    this.#watchOn(nowMs, handshaking || sinceMs >= 0);
  }

  /** What was written before an orderly end still leaves, as long as the peer takes it. */
  #linger(nowMs: number): void {
    if (this.#failed || this.output.pendingBytes === 0 || this.#isDeaf(nowMs, 0))
      return this.socket.destroy();
    this.shard.wheel.arm(this, limits.lingerMs);
    this.shard.tick();
  }

  #watchOn(nowMs: number, expecting: boolean): void {
    if (this.closing || this.closed) return;
    const idleMs = nowMs - this.#idleSinceMs;
    const waiting = this.#drainPingMs >= 0 || this.output.blocked || this.unread.waits;
    const active = expecting || this.busy || waiting;
    if (active || idleMs < limits.h2WatchMs) return this.#watch();
    if (idleMs >= this.idleMs) return this.onIdle();
    this.#lookIn(this.idleMs - idleMs);
  }

  /** The peer takes nothing at all. */
  #isDeaf(nowMs: number, excusedMs: number): boolean {
    if (!this.output.blocked) {
      this.#blockedSinceMs = -1;
      return false;
    }
    if (this.#blockedSinceMs < 0) this.#blockedSinceMs = nowMs;
    return nowMs - excusedMs - this.#blockedSinceMs > limits.writeStallMs;
  }

  #isDead(readMs: number): boolean {
    if (readMs - this.#lastHeardMs < limits.h2PingMs) return false;
    if (this.#pingSentMs > this.#lastHeardMs) return readMs - this.#pingSentMs > limits.h2PingAnswerMs;
    this.#pingSentMs = readMs;
    this.writer.ping(pings.alive);
    return false;
  }
}

/** The code for a block that is malformed, or too much. */
export function codeOf({ malformed, refusal }: HeadBlock): number {
  return malformed === null && refusal !== null ? errorCodes.enhanceYourCalm : errorCodes.protocolError;
}
