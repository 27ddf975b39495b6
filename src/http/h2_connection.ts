/**
 * What both sides of an HTTP/2 connection share (RFC 9113): reading frames, header blocks, settings, windows, PING, GOAWAY, the
 * budgets of the peer and every timer. What a header block means is the side's business. Streams say when they are done.
 */
import type { Socket, SocketError, SocketHandler } from "../../runtime/contract.ts";
import { copyBytes, latin1 } from "../base/bytes.ts";
import { WheelEntry } from "../base/timer_wheel.ts";
import { limits } from "../model/limits.ts";
import type { Fields } from "../wire/fields.ts";
import { FloodGuard } from "../wire/h2/flood_guard.ts";
import { FrameReader, wants, type FrameTaker, type Wants } from "../wire/h2/frame_reader.ts";
import {
  errorCodes,
  errorName,
  frameFlags,
  frameHeaderBytes,
  frameTypes,
  get31,
  get32,
  maxInt31,
  put32,
  putFrameHeader,
} from "../wire/h2/frames.ts";
import { HeadBlock, type BlockKind } from "../wire/h2/head_block.ts";
import { HpackDecoder } from "../wire/h2/hpack_decoder.ts";
import { headBuffer, HpackEncoder } from "../wire/h2/hpack_encoder.ts";
import { openingFrames, PeerSettings, type Profile } from "../wire/h2/settings.ts";
import type { HeadFields } from "../wire/head_fields.ts";
import type { Http2Stream } from "./h2_stream.ts";
import { Sender } from "./h2_sender.ts";
import { Output } from "./output.ts";
import type { Shard } from "./shard.ts";

export interface Http2Options {
  readonly shard: Shard;
  readonly profile: Profile;
  readonly onLimit?: (limit: string) => void;
}

/** Small frames are built here and copied at once. */
const scratch = new Uint8Array(32);
/** Heads are decoded into it one at a time; a stream takes what it keeps. */
const block = new HeadBlock();
/** First byte of the payload of our PINGs: asking whether somebody is there, or before the last GOAWAY. */
const pings = { alive: 1, drain: 2 } as const;

export abstract class Http2Connection extends WheelEntry implements SocketHandler, FrameTaker {
  readonly shard: Shard;
  readonly profile: Profile;
  readonly output: Output;
  readonly peer = new PeerSettings();
  readonly guard = new FloodGuard();
  readonly sender: Sender;
  readonly streams = new Map<number, Http2Stream>();
  readonly openedMs: number;
  protected readonly encoder = new HpackEncoder(limits.h2TableBytesMax);
  /** GOAWAY with an error was sent or the output ended: nothing more is read. */
  protected closing = false;
  protected closed = false;
  /** The peer sent its FIN. */
  protected inputEnded = false;
  protected lastHeardMs: number;
  readonly #reader = new FrameReader(this);
  readonly #decoder = new HpackDecoder(limits.h2TableBytesMax);
  /** Bytes that came beyond one turn's work. */
  #rest: Uint8Array | null = null;
  #processing = false;
  #settingsAcked = false;
  // Of the header block under way.
  #blockId = 0;
  #blockFlags = 0;
  #block: Uint8Array | null = null;
  #continuations = 0;
  #blockSinceMs = 0;
  // What the peer may still send on the connection, and what was taken without telling.
  #receiveWindow: number;
  #credit = 0;
  #dataBytes = 0;
  #queuedFrames = 0;
  #queuedControl = 0;
  #blockedSinceMs = 0;
  #pingSentMs = 0;
  #drainPingMs = 0;
  #idleSinceMs: number;
  #watching = false;

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
    this.output = new Output(socket, shard);
    this.sender = new Sender(this.output, this.peer, this.guard);
    this.#receiveWindow = profile.connectionWindowBytes;
    this.openedMs = this.lastHeardMs = this.#idleSinceMs = shard.clock.now();
    this.#watch();
  }

  /** The side's own bytes before the first frame. Returns the offset where frames begin. */
  protected abstract readPreface(source: Uint8Array): number;
  /** A whole header block of the stream. */
  protected abstract onBlock(
    streamId: number,
    endStream: boolean,
    source: Uint8Array,
    start: number,
    end: number,
  ): void;
  /** Whether the stream never began. */
  protected abstract isIdle(streamId: number): boolean;
  /** DATA for a stream that is no more. */
  protected abstract onLateData(streamId: number): void;
  protected abstract onSettings(): void;
  protected abstract onGoaway(lastId: number, code: number, detail: string): void;
  /** A stream ended: there may be room. */
  protected abstract onForgotten(stream: Http2Stream): void;
  /** Whether a stream keeps the connection busy beyond its last frame. */
  protected abstract readonly busy: boolean;
  protected abstract readonly idleMs: number;
  /** Unused for long. */
  protected abstract onIdle(): void;
  protected abstract watchStream(stream: Http2Stream, nowMs: number): void;
  /** The ping before the last GOAWAY came back, or will not. */
  protected abstract onDrainPing(): void;
  /** The socket is gone. Called once, last. */
  protected abstract onGone(error: SocketError | null): void;

  // ------------------------------------------------------------------------------------- socket callbacks

  data(chunk: Uint8Array): void {
    const { shard } = this;
    shard.enter();
    if (!this.closing) {
      this.lastHeardMs = shard.clock.now();
      if (this.#rest === null) this.#process(chunk, false);
      else this.#rest = joined(this.#rest, chunk);
    }
    shard.leave();
  }

  drain(): void {
    const { shard, output } = this;
    shard.enter();
    const goOn = output.drained();
    if (!output.blocked) this.#queuedFrames = this.#queuedControl = 0;
    this.#blockedSinceMs = 0;
    if (goOn) this.sender.pump();
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
    this.#reader.stopped = true;
    this.#rest = null;
    shard.wheel.forget(this);
    shard.enter();
    this.output.discard();
    this.onGone(error);
    shard.leave();
  }

  protected abstract onInputEnd(): void;

  #process(source: Uint8Array, owned: boolean): void {
    this.#processing = true;
    const start = this.readPreface(source);
    const at = this.#reader.read(source, start, source.length, limits.h2FramesPerTurnMax);
    this.#processing = false;
    if (at >= source.length || this.closing || this.closed) return;
    this.#rest = owned ? source.subarray(at) : source.slice(at);
    this.socket.pause();
    this.shard.clock.soon(() => this.#again());
  }

  #again(): void {
    const { shard } = this;
    const rest = this.#rest;
    if (this.closed) return;
    this.#rest = null;
    shard.enter();
    if (rest !== null && !this.closing) this.#process(rest, true);
    if (this.#rest === null) this.socket.resume();
    shard.leave();
  }

  // -------------------------------------------------------------------------------------------- frames in

  begins(type: number, flags: number, streamId: number, length: number): Wants {
    if (this.closing) return wants.nothingMore;
    if (length > this.profile.frameBytesMax)
      return this.#refuse(errorCodes.frameSizeError, "a frame is longer than SETTINGS allow");
    if (this.#blockId !== 0 && (type !== frameTypes.continuation || streamId !== this.#blockId))
      return this.#refuse(errorCodes.protocolError, "a header block is interrupted");
    if (!this.peer.known && (type !== frameTypes.settings || (flags & frameFlags.ack) !== 0))
      return this.#refuse(errorCodes.protocolError, "the first frame is not SETTINGS");
    switch (type) {
      case frameTypes.data:
        this.#dataBytes = 0;
        return streamId === 0 || this.isIdle(streamId) ? this.#misplaced() : wants.whole;
      case frameTypes.headers:
        if (streamId === 0) return this.#misplaced();
        this.#continuations = 0;
        this.#blockSinceMs = this.shard.clock.now();
        return this.#admitBlock(length);
      case frameTypes.continuation:
        return this.#admitContinuation(flags, length);
      case frameTypes.priority:
        return streamId === 0 ? this.#misplaced() : this.#sized(length, 5);
      case frameTypes.rstStream:
        return streamId === 0 || this.isIdle(streamId) ? this.#misplaced() : this.#sized(length, 4);
      case frameTypes.windowUpdate:
        return streamId !== 0 && this.isIdle(streamId) ? this.#misplaced() : this.#sized(length, 4);
      case frameTypes.ping:
        return streamId !== 0 ? this.#misplaced() : this.#sized(length, 8);
      case frameTypes.settings:
        return this.#admitSettings(flags, streamId, length);
      case frameTypes.goaway:
        if (streamId !== 0) return this.#misplaced();
        return length < 8 || length > limits.h2GoawayBytesMax ? this.#sized(length, 8) : wants.whole;
      case frameTypes.pushPromise:
        return this.#refuse(errorCodes.protocolError, "push was never allowed");
      default:
        return this.#tripped(this.guard.ignored()) ? wants.nothingMore : wants.skipped;
    }
  }

  #admitBlock(length: number): Wants {
    const most = this.isServer ? limits.requestHeadBytesMax : limits.responseHeadBytesMax;
    if ((this.#block?.length ?? 0) + length <= most) return wants.whole;
    this.#tripped(this.isServer ? "requestHeadBytesMax" : "responseHeadBytesMax");
    return wants.nothingMore;
  }

  #admitContinuation(flags: number, length: number): Wants {
    if (this.#blockId === 0) return this.#misplaced();
    const empty = length === 0 && (flags & frameFlags.endHeaders) === 0;
    if (++this.#continuations > limits.h2ContinuationsMax || empty) {
      this.#tripped("h2ContinuationsMax");
      return wants.nothingMore;
    }
    return this.#admitBlock(length);
  }

  #admitSettings(flags: number, streamId: number, length: number): Wants {
    if (streamId !== 0) return this.#misplaced();
    if ((flags & frameFlags.ack) !== 0) return this.#sized(length, 0);
    if (length <= limits.h2SettingsBytesMax) return wants.whole;
    this.#tripped("h2SettingsBytesMax");
    return wants.nothingMore;
  }

  #sized(length: number, size: number): Wants {
    if (length === size) return wants.whole;
    return this.#refuse(errorCodes.frameSizeError, "a frame has the wrong size");
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
      case frameTypes.headers:
        return this.#takeHeaders(flags, streamId, source, start, end);
      case frameTypes.continuation:
        return this.#takeContinuation(flags, source, start, end);
      case frameTypes.settings:
        return this.#takeSettings(flags, source, start, end);
      case frameTypes.ping:
        return this.#takePing(flags, source, start, end);
      case frameTypes.windowUpdate:
        return this.#takeWindowUpdate(streamId, get31(source, start));
      case frameTypes.rstStream:
        return this.#takeReset(streamId, get32(source, start));
      case frameTypes.priority:
        if (this.#tripped(this.guard.ignored())) return;
        if (get31(source, start) === streamId) this.#resetUnknown(streamId, errorCodes.protocolError);
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
    this.writeWindowUpdate(0, this.#credit);
    this.#credit = 0;
  }

  // ------------------------------------------------------------------------------------------ header blocks

  #takeHeaders(flags: number, streamId: number, source: Uint8Array, start: number, end: number): void {
    let from = start;
    let to = end;
    if ((flags & frameFlags.padded) !== 0) {
      if (from >= to) return this.overpadded();
      to -= source[from++] as number;
    }
    if ((flags & frameFlags.priority) !== 0) {
      if (from + 5 <= to && get31(source, from) === streamId)
        return this.fail(errorCodes.protocolError, "a stream depends on itself");
      from += 5;
    }
    if (from > to) return this.overpadded();
    this.#blockFlags = flags;
    if ((flags & frameFlags.endHeaders) !== 0) return this.#blockComplete(streamId, source, from, to);
    this.#blockId = streamId;
    this.#block = source.slice(from, to);
  }

  #takeContinuation(flags: number, source: Uint8Array, start: number, end: number): void {
    const all = joined(this.#block as Uint8Array, source.subarray(start, end));
    if ((flags & frameFlags.endHeaders) === 0) {
      this.#block = all;
      return;
    }
    const streamId = this.#blockId;
    this.#blockId = 0;
    this.#block = null;
    this.#blockComplete(streamId, all, 0, all.length);
  }

  #blockComplete(streamId: number, source: Uint8Array, start: number, end: number): void {
    this.#blockSinceMs = 0;
    this.onBlock(streamId, (this.#blockFlags & frameFlags.endStream) !== 0, source, start, end);
  }

  /** Decodes a block into `fields`. null: the connection has failed. The result is good until the next block. */
  protected decode(
    kind: BlockKind,
    fields: HeadFields,
    source: Uint8Array,
    start: number,
    end: number,
  ): HeadBlock | null {
    block.begin(kind, fields, this.isServer ? limits.requestHeadBytesMax : limits.responseHeadBytesMax);
    if (!this.#decoder.decode(source, start, end, block)) {
      this.fail(errorCodes.compressionError, "a header block cannot be decoded");
      return null;
    }
    block.finish();
    return block;
  }

  /** Trailers of a stream that waits for its end. */
  protected takeTrailers(
    stream: Http2Stream,
    endStream: boolean,
    source: Uint8Array,
    start: number,
    end: number,
  ): void {
    const fields = this.shard.takeFields();
    const trailers = this.decode("trailers", fields, source, start, end);
    if (trailers === null) return;
    const { malformed, refusal } = trailers;
    const wrong = malformed ?? refusal?.reason ?? (endStream ? null : "a head behind the head of a stream");
    if (wrong === null) return stream.receiveEnd(fields);
    this.shard.giveFields(fields);
    this.breakStream(stream, errorCodes.protocolError, wrong);
  }

  // ----------------------------------------------------------------------------------------- control frames

  #takeSettings(flags: number, source: Uint8Array, start: number, end: number): void {
    if ((flags & frameFlags.ack) !== 0) {
      this.#settingsAcked = true;
      return;
    }
    if (this.#tripped(this.guard.control(this.shard.clock.now()))) return;
    const { peer } = this;
    const before = peer.streamWindowBytes;
    const error = peer.read(source, start, end, !this.isServer);
    if (error !== 0) return this.fail(error, "SETTINGS hold a value that may not be");
    this.encoder.limitTable(peer.headerTableBytes);
    const change = peer.streamWindowBytes - before;
    if (change !== 0) {
      for (const stream of this.streams.values())
        if (!stream.widen(change))
          return this.fail(errorCodes.flowControlError, "SETTINGS make a window too large");
    }
    this.#control(frameTypes.settings, frameFlags.ack, 0, 0);
    this.onSettings();
    this.sender.pump();
  }

  #takePing(flags: number, source: Uint8Array, start: number, end: number): void {
    if ((flags & frameFlags.ack) !== 0) {
      if (source[start] === pings.drain && this.#drainPingMs > 0) this.#drained();
      return;
    }
    if (this.#tripped(this.guard.control(this.shard.clock.now()))) return;
    copyBytes(scratch, frameHeaderBytes, source, start, end);
    this.#control(frameTypes.ping, frameFlags.ack, 0, 8);
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
    if (stream === undefined) return;
    if (this.countEarlyReset(stream)) return;
    if (stream.peerStopped()) return;
    this.forget(stream);
    stream.onBroken(code, `the peer reset the stream (${errorName(code)})`, true);
  }

  /** Counts a reset that the peer caused. True: there were too many. */
  protected countEarlyReset(_stream: Http2Stream): boolean {
    return false;
  }

  protected tripReset(): boolean {
    return this.#tripped(this.guard.earlyReset());
  }

  #resetUnknown(streamId: number, code: number): void {
    const stream = this.streams.get(streamId);
    if (stream !== undefined) this.breakStream(stream, code, "a stream depends on itself");
    else if (this.isIdle(streamId)) this.fail(code, "a stream depends on itself");
  }

  // ------------------------------------------------------------------------------------------- frames out

  /** A stream error (RFC 9113 section 5.4.2): the peer broke a rule that concerns this stream alone. */
  breakStream(stream: Http2Stream, code: number, detail: string): void {
    if (stream.closed || this.countEarlyReset(stream)) return;
    this.resetStream(stream, code);
    stream.onBroken(code, detail, false);
  }

  /** RST_STREAM; the stream is no more. */
  resetStream(stream: Http2Stream, code: number): void {
    if (stream.closed) return;
    this.forget(stream);
    this.writeReset(stream.id, code);
  }

  writeReset(streamId: number, code: number): void {
    put32(scratch, frameHeaderBytes, code);
    this.#control(frameTypes.rstStream, 0, streamId, 4);
  }

  writeWindowUpdate(streamId: number, increment: number): void {
    put32(scratch, frameHeaderBytes, increment);
    this.#control(frameTypes.windowUpdate, 0, streamId, 4);
  }

  /** The frame whose payload stands in `scratch` already. */
  #control(type: number, flags: number, streamId: number, length: number): void {
    if (this.closing || this.closed) return;
    if (this.output.blocked && ++this.#queuedControl > limits.h2QueuedControlFramesMax)
      return this.#cut("h2QueuedControlFramesMax");
    const end = putFrameHeader(scratch, 0, length, type, flags, streamId) + length;
    this.output.bytes(scratch, 0, end);
  }

  protected writeOpening(): void {
    const frames = openingFrames(this.profile, this.isServer);
    this.output.bytes(frames, 0, frames.length);
  }

  protected writeGoaway(lastId: number, code: number, detail: string): void {
    const frame = new Uint8Array(frameHeaderBytes + 8 + detail.length);
    let at = putFrameHeader(frame, 0, 8 + detail.length, frameTypes.goaway, 0, 0);
    at = put32(frame, at, lastId);
    at = put32(frame, at, code);
    for (let index = 0; index < detail.length; index++) frame[at + index] = detail.charCodeAt(index);
    this.output.bytes(frame, 0, frame.length);
  }

  /** Sends the block of the encoder as HEADERS, and CONTINUATION where one frame is too short. */
  protected writeBlock(stream: Http2Stream, endStream: boolean): void {
    const { bytes, end } = headBuffer;
    const { output } = this;
    if (output.blocked && ++this.#queuedFrames > limits.h2QueuedFramesMax) this.#cut("h2QueuedFramesMax");
    const most = this.peer.frameBytesMax;
    const flags = endStream ? frameFlags.endStream : 0;
    const length = end - frameHeaderBytes;
    stream.flagsAt = output.written + 4;
    if (length <= most) {
      putFrameHeader(bytes, 0, length, frameTypes.headers, flags | frameFlags.endHeaders, stream.id);
      return output.bytes(bytes, 0, end);
    }
    for (let at = frameHeaderBytes; at < end; at += most) {
      const until = Math.min(end, at + most);
      const first = at === frameHeaderBytes;
      const marks = (first ? flags : 0) | (until === end ? frameFlags.endHeaders : 0);
      const type = first ? frameTypes.headers : frameTypes.continuation;
      // The header goes over bytes that have left already, or over the room in front.
      putFrameHeader(bytes, at - frameHeaderBytes, until - at, type, marks, stream.id);
      output.bytes(bytes, at - frameHeaderBytes, until);
    }
  }

  writeTrailers(stream: Http2Stream, trailers: Fields): void {
    this.encoder.begin();
    this.encoder.trailers(trailers);
    this.writeBlock(stream, true);
  }

  /** Whether more of the peer's streams may make output: what waits is bounded. */
  protected get outputFull(): boolean {
    return this.output.blocked && this.output.pendingBytes > limits.h2QueuedBytesMax;
  }

  // ----------------------------------------------------------------------------------------------- streams

  protected adopt(stream: Http2Stream): void {
    this.streams.set(stream.id, stream);
    this.guard.stream();
    if (!this.#watching) this.#watch();
  }

  forget(stream: Http2Stream): void {
    if (stream.closed) return;
    this.streams.delete(stream.id);
    this.sender.leave(stream);
    stream.drop();
    if (this.streams.size === 0) this.#idleSinceMs = this.shard.clock.now();
    this.onForgotten(stream);
  }

  // ------------------------------------------------------------------------------------------------ ending

  /** A connection error (RFC 9113 section 5.4.1). */
  fail(code: number, detail: string): void {
    if (this.closing || this.closed) return;
    this.writeGoaway(this.lastPeerId, code, detail);
    this.finish();
    this.breakAll(code, detail);
  }

  /** Highest stream of the peer that was acted on. */
  protected abstract readonly lastPeerId: number;

  protected breakAll(code: number, detail: string): void {
    for (const stream of [...this.streams.values()]) {
      this.forget(stream);
      stream.onBroken(code, detail, false);
    }
  }

  /** FIN behind what is written; then a little time for the peer to read. */
  protected finish(): void {
    if (this.closing || this.closed) return;
    this.closing = true;
    this.#reader.stopped = true;
    this.output.finish();
    if (!this.#processing) this.socket.resume();
    this.shard.wheel.arm(this, limits.lingerMs);
    this.shard.tick();
  }

  #tripped(limit: string | null): boolean {
    if (limit === null) return false;
    this.onLimit?.(limit);
    this.fail(errorCodes.enhanceYourCalm, `over the limit ${limit}`);
    return true;
  }

  /** The peer reads nothing of what waits for it: no word would reach it. */
  #cut(limit: string): void {
    if (this.closing) return;
    this.onLimit?.(limit);
    this.closing = true;
    this.#reader.stopped = true;
    this.socket.reset();
  }

  protected ping(payload: number): void {
    scratch.fill(0, frameHeaderBytes, frameHeaderBytes + 8);
    scratch[frameHeaderBytes] = payload;
    this.#control(frameTypes.ping, 0, 0, 8);
  }

  /** Says that no new stream should come; once the peer has heard it, `onDrainPing`. */
  protected beginDrain(): void {
    if (this.#drainPingMs > 0 || this.closing || this.closed) return;
    this.#drainPingMs = Math.max(1, this.shard.clock.now());
    this.writeGoaway(maxInt31, errorCodes.noError, "");
    this.ping(pings.drain);
    this.#watch();
  }

  #drained(): void {
    this.#drainPingMs = 0;
    this.onDrainPing();
  }

  // ------------------------------------------------------------------------------------------------- timers

  /** While something is under way the connection looks once a second; idle, once when its time is over. */
  #watch(): void {
    if (this.closing || this.closed) return;
    this.#watching = true;
    this.shard.wheel.arm(this, limits.h2WatchMs);
    this.shard.tick();
  }

  expired(): void {
    if (this.closing) return this.socket.destroy();
    this.#watching = false;
    const nowMs = this.shard.clock.now();
    const handshaking = !this.peer.known || !this.#settingsAcked;
    if (handshaking && nowMs - this.openedMs > limits.h2SettingsMs) {
      this.onLimit?.("h2SettingsMs");
      return this.fail(errorCodes.settingsTimeout, "SETTINGS did not come in time");
    }
    if (this.#blockSinceMs > 0 && nowMs - this.#blockSinceMs > limits.headMs)
      return void this.#tripped("headMs");
    if (this.#isDeaf(nowMs)) {
      this.onLimit?.("writeStallMs");
      return this.socket.reset();
    }
    if (this.#drainPingMs > 0 && nowMs - this.#drainPingMs > limits.h2PingAnswerMs) this.#drained();
    for (const stream of this.streams.values()) this.watchStream(stream, nowMs);
    if (this.streams.size > 0 && this.profile.keepalive && this.#isDead(nowMs)) return this.onDead();
    this.#watchOn(nowMs, handshaking);
  }

  #watchOn(nowMs: number, handshaking: boolean): void {
    if (this.closing || this.closed) return;
    const active = this.busy || handshaking || this.#drainPingMs > 0 || this.#blockSinceMs > 0;
    const left = this.#idleSinceMs + this.idleMs - nowMs;
    if (active || this.output.blocked || nowMs - this.#idleSinceMs < limits.h2WatchMs) this.#watch();
    else if (left <= 0) this.onIdle();
    else {
      this.shard.wheel.arm(this, left);
      this.shard.tick();
    }
  }

  /** The peer takes nothing at all. */
  #isDeaf(nowMs: number): boolean {
    if (!this.output.blocked) {
      this.#blockedSinceMs = 0;
      return false;
    }
    if (this.#blockedSinceMs === 0) this.#blockedSinceMs = nowMs;
    return nowMs - this.#blockedSinceMs > limits.writeStallMs;
  }

  #isDead(nowMs: number): boolean {
    const silentMs = nowMs - this.lastHeardMs;
    if (silentMs < limits.h2PingMs) return false;
    if (this.#pingSentMs < this.lastHeardMs) {
      this.#pingSentMs = nowMs;
      this.ping(pings.alive);
      return false;
    }
    return nowMs - this.#pingSentMs > limits.h2PingAnswerMs;
  }

  /** Nothing came back for long: whoever was there is not. */
  protected onDead(): void {
    this.onLimit?.("h2PingAnswerMs");
    this.breakAll(errorCodes.cancel, `no answer to a PING within ${limits.h2PingAnswerMs} ms`);
    this.socket.reset();
  }
}

function joined(before: Uint8Array, after: Uint8Array): Uint8Array {
  const all = new Uint8Array(before.length + after.length);
  all.set(before);
  all.set(after, before.length);
  return all;
}
