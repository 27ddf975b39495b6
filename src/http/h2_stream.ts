/**
 * One stream of an HTTP/2 connection, as both sides have it (RFC 9113 section 5): body bytes in, held back while nobody takes
 * them; body bytes out, queued while window or room is missing; and its end, told once in each direction.
 */
import { ByteQueue } from "../base/byte_queue.ts";
import { letGo } from "../base/bytes.ts";
import { limits } from "../model/limits.ts";
import type { Fields } from "../wire/fields.ts";
import { errorCodes, maxInt31 } from "../wire/h2/frames.ts";
import { HeadFields } from "../wire/head_fields.ts";
import type { Profile, PeerSettings } from "../wire/h2/settings.ts";
import { Hoard, type Hoarder } from "./buffered.ts";
import type { Output } from "./output.ts";
import type { Sender, SendingStream } from "./h2_sender.ts";
import type { Shard } from "./shard.ts";

/** What a stream needs of its connection. */
export interface StreamWire {
  readonly shard: Shard;
  readonly profile: Profile;
  readonly peer: PeerSettings;
  readonly output: Output;
  readonly sender: Sender;
  /** Window of a stream that begins now. */
  readonly streamWindowBytes: number;
  /** A stream error: the peer broke a rule that concerns this stream alone (RFC 9113 section 5.4.2). */
  breakStream(stream: Http2Stream, code: number, detail: string): void;
  /** RST_STREAM; the stream is no more. */
  resetStream(stream: Http2Stream, code: number): void;
  /** The stream is no more. */
  forget(stream: Http2Stream): void;
  writeWindowUpdate(streamId: number, increment: number): void;
  writeTrailers(stream: Http2Stream, trailers: Fields): void;
}

/** What a stream is, as bits of `flags`: streams come and go with every request, and each field of its own would cost. */
export const is = {
  remoteEnded: 1,
  localEnded: 1 << 1,
  closed: 1 << 2,
  inLine: 1 << 3,
  discarding: 1 << 4,
  paused: 1 << 5,
  delivering: 1 << 6,
  endHeld: 1 << 7,
  endQueued: 1 << 8,
  starved: 1 << 9,
  // Of exchanges and calls.
  received: 1 << 10,
  tunnel: 1 << 11,
  started: 1 << 12,
  finished: 1 << 13,
  unaware: 1 << 14,
  bodyless: 1 << 15,
  released: 1 << 16,
  untimed: 1 << 17,
  asked: 1 << 18,
  expectContinue: 1 << 19,
  unheard: 1 << 20,
  cutShort: 1 << 21,
  waiting: 1 << 22,
  windowless: 1 << 23,
  /** Its head ended it on the wire. */
  headOnly: 1 << 24,
} as const;

export abstract class Http2Stream implements SendingStream, Hoarder {
  // Its place in the line of the sender.
  next: SendingStream | null = null;
  previous: SendingStream | null = null;
  /** Where the flags of its last frame stand in the output, if that was DATA; else -1. */
  flagsAt = -1;
  sendWindow: number;
  /** When body bytes last came. */
  receivedMs: number;
  protected flags = 0;
  /** Body bytes that the peer must send; -1 when nobody said. */
  protected expectedBytes = -1;
  /** What the peer may have under way at most, and of it what it may still send. */
  #window: number;
  #receiveWindow: number;
  /** Of the window: what the shard lent. */
  #lent = 0;
  /** When the window was opened last. */
  #grantedMs: number;
  #receivedBytes = 0;
  /** Taken, and not told to the peer yet. */
  #credit = 0;
  /** What came and nobody takes yet. */
  #held: ByteQueue | null = null;
  #trailers: HeadFields | null = null;
  /** What was written and cannot leave yet. */
  #queue: ByteQueue | null = null;
  #trailersQueued: Fields | null = null;
  /** When body bytes last left, or began to wait. */
  #sentMs = 0;
  /** Of what is held and queued, once something was. */
  #hoard: Hoard | null = null;

  constructor(
    readonly wire: StreamWire,
    public id: number,
  ) {
    this.sendWindow = wire.peer.streamWindowBytes;
    this.#window = this.#receiveWindow = wire.streamWindowBytes;
    this.receivedMs = this.#grantedMs = wire.shard.clock.now();
  }

  /** The peer has sent END_STREAM. */
  get remoteEnded(): boolean {
    return (this.flags & is.remoteEnded) !== 0;
  }

  /** END_STREAM was written, or will be behind what is queued. */
  get localEnded(): boolean {
    return (this.flags & is.localEnded) !== 0;
  }

  /** Nothing more is sent or heard: both sides ended, or one of them reset it. */
  get closed(): boolean {
    return (this.flags & is.closed) !== 0;
  }

  get inLine(): boolean {
    return (this.flags & is.inLine) !== 0;
  }

  set inLine(waits: boolean) {
    this.put(is.inLine, waits);
  }

  get paused(): boolean {
    return (this.flags & is.paused) !== 0;
  }

  protected put(flag: number, on: boolean): void {
    if (on) this.flags |= flag;
    else this.flags &= ~flag;
  }

  /** Whether somebody takes body bytes. */
  protected abstract readonly taken: boolean;
  protected abstract onData(bytes: Uint8Array, start: number, end: number): void;
  protected abstract onEnd(trailers: Fields | null): void;
  protected abstract onWritable(): void;
  /** The peer reset it, or broke a rule so that it was reset, or the connection is gone. Called last. */
  abstract onBroken(code: number, detail: string, byPeer: boolean): void;
  /** Both sides have ended, or it was reset here. Called once, when nothing more is heard. */
  abstract onClosed(): void;

  // ------------------------------------------------------------------------------------------------ body in

  /** Body bytes came. `flowBytes`: with padding. */
  receive(source: Uint8Array, start: number, end: number, flowBytes: number): void {
    this.#receiveWindow -= flowBytes;
    if (this.#receiveWindow < 0)
      return this.wire.breakStream(this, errorCodes.flowControlError, "more body than its window allows");
    const length = end - start;
    this.#receivedBytes += length;
    if (this.expectedBytes >= 0 && this.#receivedBytes > this.expectedBytes)
      return this.wire.breakStream(this, errorCodes.protocolError, "more body than Content-Length says");
    this.receivedMs = this.wire.shard.clock.now();
    const held = length > 0 && (this.flags & is.discarding) === 0 && !this.flowing;
    this.#credit += held ? flowBytes - length : flowBytes;
    if (length === 0) return this.#grant();
    if (held) {
      (this.#held ??= new ByteQueue()).push(source, start, end);
      return this.#weigh();
    }
    if ((this.flags & is.discarding) === 0) this.onData(source, start, end);
    this.#grant();
  }

  /** END_STREAM came. */
  receiveEnd(trailers: HeadFields | null): void {
    if (this.expectedBytes >= 0 && this.#receivedBytes !== this.expectedBytes) {
      if (trailers !== null) this.wire.shard.giveFields(trailers);
      return this.wire.breakStream(this, errorCodes.protocolError, "less body than Content-Length says");
    }
    this.flags |= is.remoteEnded;
    this.#trailers = trailers;
    if ((this.flags & is.discarding) !== 0) this.settle();
    else if (this.#held !== null || (this.flags & is.delivering) !== 0 || !this.taken)
      this.flags |= is.endHeld;
    else this.#tellEnd();
  }

  /** Whether bytes can be handed on at once. */
  protected get flowing(): boolean {
    return this.taken && !this.paused && this.#held === null;
  }

  /** Body bytes that came so far. */
  protected get receivedBytes(): number {
    return this.#receivedBytes;
  }

  pause(): void {
    this.flags |= is.paused;
  }

  resume(): void {
    this.flags &= ~is.paused;
    this.release();
  }

  /** Somebody takes the body (again): what was held goes first. */
  protected release(): void {
    if ((this.flags & (is.delivering | is.closed)) !== 0) return;
    this.flags |= is.delivering;
    while (this.#held !== null && this.taken && !this.paused && !this.closed) {
      const { bytes, start, end } = this.#held.first;
      this.#credit += end - start;
      this.#held.drop(end - start);
      if (this.#held.length === 0) this.#held = null;
      this.onData(bytes, start, end);
      letGo(bytes);
    }
    this.flags &= ~is.delivering;
    if (this.closed) return;
    if (this.#hoard !== null) this.#weigh();
    if (this.#held === null && (this.flags & is.endHeld) !== 0 && this.taken) {
      this.flags &= ~is.endHeld;
      this.#tellEnd();
    } else this.#grant();
  }

  /** Nobody will take the body: what was held is let go. */
  protected discard(): void {
    this.flags |= is.discarding;
    if (this.#held !== null) {
      this.#credit += this.#held.length;
      this.#held.discard();
      this.#held = null;
      this.#weigh();
    }
    this.flags &= ~is.endHeld;
    this.#grant();
  }

  #tellEnd(): void {
    this.onEnd(this.#trailers);
    this.settle();
  }

  /** WINDOW_UPDATE, once it is worth one. A paused stream grants nothing. */
  #grant(): void {
    if ((this.flags & (is.closed | is.remoteEnded | is.paused)) !== 0) return;
    if (this.#credit * 2 < this.#window) return;
    this.#grow();
    this.#receiveWindow += this.#credit;
    this.wire.writeWindowUpdate(this.id, this.#credit);
    this.#credit = 0;
  }

  /** The peer learned only now with what window streams begin here. */
  changeWindow(change: number): void {
    this.#window += change;
    this.#receiveWindow += change;
  }

  /** Half of the window was taken within a moment: more of it would be used. */
  #grow(): void {
    const { shard, profile } = this.wire;
    const nowMs = shard.clock.now();
    const soon = nowMs - this.#grantedMs < limits.h2WindowGrowMs;
    this.#grantedMs = nowMs;
    if (!soon || this.#held !== null || this.#window >= profile.streamWindowBytesMax) return;
    const more = shard.buffered.lend(this.#window, profile.streamWindowBytesMax);
    this.#window += more;
    this.#lent += more;
    this.#credit += more;
  }

  // ------------------------------------------------------------------------------------------ what waits in it

  #weigh(): void {
    const bytes = (this.#held?.capacity ?? 0) + (this.#queue?.capacity ?? 0);
    this.wire.shard.buffered.weigh((this.#hoard ??= new Hoard(this)), bytes);
  }

  abstract giveWay(limit: string): void;

  /** Whether what waits in it came from the peer, and nobody on this side takes it. */
  protected get isHeld(): boolean {
    return this.#held !== null;
  }

  #letGoAll(): void {
    this.#held?.discard();
    this.#queue?.discard();
    this.#held = this.#queue = null;
    if (this.#hoard !== null) this.#weigh();
  }

  // ----------------------------------------------------------------------------------------------- body out

  get queuedBytes(): number {
    return this.#queue === null ? 0 : this.#queue.length;
  }

  /** Sends or queues; false when the writer should wait. */
  protected send(bytes: Uint8Array, start: number, end: number): boolean {
    const { sender, output } = this.wire;
    let at = start;
    if (this.queuedBytes === 0 && this.open) at = sender.send(this, bytes, start, end);
    if (at < end) this.#enqueue(bytes, at, end);
    else if (output.hasRoom) return true;
    this.flags |= is.starved;
    if (this.queuedBytes === 0 || this.sendWindow > 0) sender.wait(this);
    return false;
  }

  /** False while the stream has not begun on the wire. */
  protected get open(): boolean {
    return true;
  }

  #enqueue(bytes: Uint8Array, start: number, end: number): void {
    if (this.#queue === null) this.#sentMs = this.wire.shard.clock.now();
    (this.#queue ??= new ByteQueue()).push(bytes, start, end);
    this.#weigh();
  }

  /** No more body; trailers, when there are any, end the stream. */
  protected sendEnd(trailers: Fields | null): void {
    if (this.localEnded || this.closed) return;
    this.flags |= is.localEnded;
    if (this.queuedBytes === 0 && this.open) return this.#writeEnd(trailers);
    this.flags |= is.endQueued;
    this.#trailersQueued = trailers instanceof HeadFields ? trailers.copy() : trailers;
  }

  #writeEnd(trailers: Fields | null): void {
    if ((this.flags & is.headOnly) !== 0) return this.settle();
    if (trailers !== null && trailers.count > 0) this.wire.writeTrailers(this, trailers);
    else this.wire.sender.endStream(this);
    this.settle();
  }

  /** Its turn in the line: sends up to `quantum` bytes of what is queued, then whatever was owed behind them. */
  takeTurn(quantum: number): void {
    const { sender } = this.wire;
    let left = quantum;
    while (left > 0 && this.#queue !== null) {
      const { bytes, start, end } = this.#queue.first;
      const at = sender.send(this, bytes, start, Math.min(end, start + left));
      if (at === start) break;
      left -= at - start;
      this.#sentMs = this.wire.shard.clock.now();
      this.#queue.drop(at - start);
      if (this.#queue.length === 0) this.#queue = null;
      if (at === end) letGo(bytes);
    }
    if (this.#hoard !== null) {
      if (left < quantum) this.wire.shard.buffered.moved(this.#hoard);
      this.#weigh();
    }
    if (this.queuedBytes > 0) {
      if (this.sendWindow > 0) sender.wait(this);
      return;
    }
    this.catchUp();
  }

  /** Nothing is queued any more: the end that waited, or a word to the writer. */
  protected catchUp(): void {
    if ((this.flags & is.endQueued) !== 0) {
      const trailers = this.#trailersQueued;
      this.flags &= ~(is.endQueued | is.starved);
      this.#trailersQueued = null;
      return this.#writeEnd(trailers);
    }
    if ((this.flags & is.starved) === 0) return;
    this.flags &= ~is.starved;
    this.onWritable();
  }

  /** More window from the peer. False: more than there can be. */
  widen(increment: number): boolean {
    this.sendWindow += increment;
    if (this.sendWindow > maxInt31) return false;
    if (this.queuedBytes > 0 && this.sendWindow > 0) this.wire.sender.wait(this);
    return true;
  }

  /** Whether its peer has taken nothing of what waits, for too long. */
  isStalled(nowMs: number): boolean {
    return this.queuedBytes > 0 && nowMs - this.#sentMs > limits.writeStallMs;
  }

  // ------------------------------------------------------------------------------------------------- its end

  /** Ended on the wire in the direction towards the peer. */
  protected get sentAll(): boolean {
    return (this.flags & (is.localEnded | is.endQueued)) === is.localEnded;
  }

  /** Closes it once both sides have ended. */
  protected settle(): void {
    if (!this.sentAll) return;
    if ((this.flags & (is.closed | is.remoteEnded | is.endHeld)) !== is.remoteEnded) return;
    this.wire.forget(this);
    this.onClosed();
  }

  /** The peer reset a stream whose own side it had ended: true when that only means that it wants no more. */
  peerStopped(): boolean {
    return false;
  }

  /** Nothing more is sent; what came is still handed on. */
  protected stopSending(): void {
    this.wire.sender.leave(this);
    this.flags = (this.flags | is.localEnded) & ~(is.endQueued | is.starved);
    this.#queue?.discard();
    this.#queue = null;
    if (this.#hoard !== null) this.#weigh();
    this.#trailersQueued = null;
    this.settle();
  }

  /** Lets go of what is queued and held. Called by the connection, which forgets it. */
  drop(): void {
    this.flags = (this.flags | is.closed) & ~(is.endHeld | is.endQueued | is.starved);
    this.#letGoAll();
    if (this.#lent > 0) this.wire.shard.buffered.giveBack(this.#lent);
    this.#lent = 0;
    this.#trailersQueued = null;
    if (this.#trailers !== null) this.wire.shard.giveFields(this.#trailers);
    this.#trailers = null;
  }
}
