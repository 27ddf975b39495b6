/**
 * What both sides of an HTTP/2 connection share (RFC 9113): what each frame leads to, and its streams. Which frames may come is the
 * law of `FrameRules`, its end and what time does is that of `Http2Link`, and what a header block means is the side's business.
 * Streams say when they are done.
 */
import type { Socket } from "../../runtime/contract.ts";
import { joined, latin1 } from "../base/bytes.ts";
import { limits } from "../model/limits.ts";
import type { Fields } from "../wire/fields.ts";
import { BlockReader } from "../wire/h2/block_reader.ts";
import { FloodGuard } from "../wire/h2/flood_guard.ts";
import { FrameReader, wants, type FrameTaker, type Wants } from "../wire/h2/frame_reader.ts";
import { FrameRules, type Fault } from "../wire/h2/frame_rules.ts";
import { errorCodes, errorName, frameFlags, frameTypes, get31, get32 } from "../wire/h2/frames.ts";
import type { BlockKind, HeadBlock } from "../wire/h2/head_block.ts";
import { HpackEncoder } from "../wire/h2/hpack_encoder.ts";
import { initialWindowBytes } from "../wire/h2/settings.ts";
import { Http2Link, pings, type Http2Options } from "./h2_link.ts";
import { Sender } from "./h2_sender.ts";
import type { Http2Stream, StreamWire } from "./h2_stream.ts";
import { StreamTable } from "./stream_table.ts";

export abstract class Http2Connection extends Http2Link implements FrameTaker, StreamWire {
  readonly guard = new FloodGuard();
  readonly sender: Sender;
  /** Encodes heads; `writer.block` sends them. */
  readonly heads = new HpackEncoder(limits.h2TableBytesMax);
  readonly streams = new StreamTable<Http2Stream>();
  protected readonly rules: FrameRules;
  readonly #reader = new FrameReader(this);
  readonly #blocks: BlockReader;
  /** Bytes that came beyond one turn's work. */
  #rest: Uint8Array | null = null;
  #settingsAcked = false;

  constructor(
    socket: Socket,
    options: Http2Options,
    private readonly isServer: boolean,
  ) {
    super(socket, options);
    this.sender = new Sender(this.output, this.peer, this.guard);
    this.#blocks = isServer
      ? new BlockReader(limits.requestHeadBytesMax, limits.trailerBytesMax)
      : new BlockReader(limits.responseHeadBytesMax, limits.responseTrailerBytesMax);
    this.rules = new FrameRules(options.profile, this.peer, this.#blocks, this.guard);
  }

  /** What one turn reads at most. */
  protected abstract readonly framesPerTurnMax: number;
  /** What comes before the first frame. Returns the offset where frames begin. */
  protected abstract readPreface(source: Uint8Array): number;
  /** A whole header block came: `decode` reads it. It must be decoded, or the connection ended. */
  protected abstract onBlock(streamId: number, endStream: boolean): void;
  /** DATA for a stream that is no more. */
  protected abstract onLateData(streamId: number): void;
  /** What came was read, or as much of it as one turn takes. Returns how many requests began with it. */
  protected abstract onRead(): number;
  protected abstract onSettings(): void;
  protected abstract onGoaway(lastId: number, code: number, detail: string): void;
  /** A stream is no more. */
  protected abstract onForgotten(): void;
  /** About once a second while something is under way, and when more can leave. */
  protected lookAgain(): void {}
  /** Looks after a stream, about once a second. `excusedMs`: of the last while so much was not read. */
  protected abstract watchStream(stream: Http2Stream, nowMs: number, excusedMs: number): void;

  // ------------------------------------------------------------------------------------- socket callbacks

  data(chunk: Uint8Array): void {
    const { shard } = this;
    shard.enter();
    if (!this.closing) {
      this.watch.heard();
      if (this.#rest === null) this.#process(chunk, false);
      else this.#rest = joined(this.#rest, chunk);
    }
    shard.leave();
  }

  /** Returns how many requests began. */
  #process(source: Uint8Array, owned: boolean): number {
    const start = this.readPreface(source);
    const at = this.#reader.read(source, start, source.length, this.framesPerTurnMax);
    const begun = this.onRead();
    if (at >= source.length || this.closing) return begun;
    this.#rest = owned ? source.subarray(at) : source.slice(at);
    // A FIN behind it waits too: it must not overtake requests.
    this.socket.pause();
    this.watch.pausedReading();
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
    const begun = this.closing ? 0 : rest === null ? this.onRead() : this.#process(rest, true);
    if (this.#rest === null && rest !== null) this.resumeReading();
    shard.leave();
    return begun;
  }

  // -------------------------------------------------------------------------------------------- frames in

  begins(type: number, flags: number, streamId: number, length: number): Wants {
    if (this.closing) return wants.nothingMore;
    const readMs = type === frameTypes.headers ? this.watch.readMs : 0;
    const wanted = this.rules.begins(type, flags, streamId, length, readMs);
    if (wanted === wants.nothingMore) this.#broken();
    return wanted;
  }

  /** A rule of frames was broken. */
  #broken(): void {
    this.failBy(this.rules.fault as Fault);
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
        if (!this.rules.priority(streamId, get31(source, start))) this.#broken();
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
    if (!this.rules.data(end - start, flowBytes, done, endStream)) return this.#broken();
    const credit = this.rules.takeCredit();
    if (credit > 0) this.writer.windowUpdate(0, credit);
    const stream = this.streams.get(streamId);
    if (stream === undefined) return done ? this.onLateData(streamId) : undefined;
    if (stream.remoteEnded)
      return this.breakStream(stream, errorCodes.streamClosed, "body behind the end of a stream");
    stream.receive(source, start, end, flowBytes);
    if (endStream && !stream.closed) stream.receiveEnd(null);
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
    if (block === null && !this.isOver(this.#blocks.broken))
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
    if (!this.rules.control(this.shard.clock.now())) return this.#broken();
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
      if (source[start] === pings.drain) this.drainAnswered();
    } else if (this.rules.control(this.shard.clock.now())) this.writer.pong(source, start);
    else this.#broken();
  }

  #takeWindowUpdate(streamId: number, increment: number): void {
    if (!this.rules.windowUpdate(streamId, increment)) return this.#broken();
    if (streamId === 0) {
      if (!this.sender.widen(increment))
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
    this.watch.begin();
  }

  forget(stream: Http2Stream): void {
    if (stream.closed) return;
    this.streams.delete(stream);
    this.sender.leave(stream);
    stream.drop();
    if (this.streams.size === 0) this.watch.becameIdle();
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

  protected breakAll(code: number, detail: string): void {
    for (const stream of this.streams.all()) {
      this.forget(stream);
      stream.onBroken(code, detail, false);
    }
  }

  protected onLook(nowMs: number, excusedMs: number): void {
    this.lookAgain();
    for (const stream of this.streams.all()) if (!stream.closed) this.watchStream(stream, nowMs, excusedMs);
  }

  protected get isOwed(): boolean {
    return this.streams.size > 0;
  }

  protected get isHandshaking(): boolean {
    return !this.peer.known || !this.#settingsAcked;
  }

  protected get headSinceMs(): number {
    return this.#blocks.sinceMs;
  }

  protected get lastTakenId(): number {
    return this.isServer ? this.rules.highestId : 0;
  }

  protected onRoom(): void {
    this.sender.pump();
    this.lookAgain();
  }

  protected stopReading(): void {
    this.#reader.stopped = true;
    this.#rest = null;
  }

  /** Counts a reset that the peer caused. True: there were too many, and the connection has failed. */
  protected countEarlyReset(_stream: Http2Stream): boolean {
    return false;
  }

  protected tripReset(): boolean {
    return this.isOver(this.guard.earlyReset());
  }

  /** Counts a stream whose peer leaves its own side open behind the end of ours. */
  protected countUnfinished(): void {
    this.isOver(this.guard.unfinished(this.shard.clock.now()));
  }

  /** Whether so much waits for the peer that it should not make more. */
  protected get outputFull(): boolean {
    return this.output.blocked && this.output.pendingBytes > limits.h2QueuedBytesMax;
  }
}

/** The code for a block that is malformed, or too much. */
export function codeOf({ malformed, refusal }: HeadBlock): number {
  return malformed === null && refusal !== null ? errorCodes.enhanceYourCalm : errorCodes.protocolError;
}
