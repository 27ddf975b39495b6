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
  /** A stream error: the peer broke a rule that concerns this stream alone (RFC 9113 section 5.4.2). */
  breakStream(stream: Http2Stream, code: number, detail: string): void;
  /** RST_STREAM; the stream is no more. */
  resetStream(stream: Http2Stream, code: number): void;
  /** The stream is no more. */
  forget(stream: Http2Stream): void;
  writeWindowUpdate(streamId: number, increment: number): void;
  writeTrailers(stream: Http2Stream, trailers: Fields): void;
}

export abstract class Http2Stream implements SendingStream {
  // Its place in the line of the sender.
  next: SendingStream | null = null;
  previous: SendingStream | null = null;
  inLine = false;
  /** Where the flags of its last frame stand in the output; -1 when there was none. */
  flagsAt = -1;
  sendWindow: number;
  /** The peer has sent END_STREAM. */
  remoteEnded = false;
  /** END_STREAM was written, or will be behind what is queued. */
  localEnded = false;
  /** Nothing more is sent or heard: both sides ended, or one of them reset it. */
  closed = false;
  /** When body bytes last came. */
  receivedMs: number;
  /** When body bytes last left, or began to wait. */
  sentMs = 0;
  /** Body bytes that the peer must send; -1 when nobody said. */
  protected expectedBytes = -1;
  /** Nobody wants the body: it is let pass. */
  protected discarding = false;
  #receiveWindow: number;
  #receivedBytes = 0;
  /** Taken, and not told to the peer yet. */
  #credit = 0;
  #paused = false;
  #delivering = false;
  /** What came and nobody takes yet. */
  #held: ByteQueue | null = null;
  #endHeld = false;
  #trailers: HeadFields | null = null;
  /** What was written and cannot leave yet. */
  #queue: ByteQueue | null = null;
  #endQueued = false;
  #trailersQueued: Fields | null = null;
  /** A write said that it was enough: `onWritable` is owed. */
  #starved = false;

  constructor(
    readonly wire: StreamWire,
    public id: number,
  ) {
    this.sendWindow = wire.peer.streamWindowBytes;
    this.#receiveWindow = wire.profile.streamWindowBytes;
    this.receivedMs = wire.shard.clock.now();
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
    const held = length > 0 && !this.discarding && !this.flowing;
    this.#credit += held ? flowBytes - length : flowBytes;
    if (length === 0) return this.#grant();
    if (held) return (this.#held ??= new ByteQueue()).push(source, start, end);
    if (!this.discarding) this.onData(source, start, end);
    this.#grant();
  }

  /** END_STREAM came. */
  receiveEnd(trailers: HeadFields | null): void {
    if (this.expectedBytes >= 0 && this.#receivedBytes !== this.expectedBytes) {
      if (trailers !== null) this.wire.shard.giveFields(trailers);
      return this.wire.breakStream(this, errorCodes.protocolError, "less body than Content-Length says");
    }
    this.remoteEnded = true;
    this.#trailers = trailers;
    if (this.discarding) this.settle();
    else if (this.#held !== null || this.#delivering || !this.taken) this.#endHeld = true;
    else this.#tellEnd();
  }

  /** Whether bytes can be handed on at once. */
  protected get flowing(): boolean {
    return this.taken && !this.#paused && this.#held === null;
  }

  get paused(): boolean {
    return this.#paused;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.release();
  }

  /** Somebody takes the body (again): what was held goes first. */
  protected release(): void {
    if (this.#delivering || this.closed) return;
    this.#delivering = true;
    while (this.#held !== null && this.taken && !this.#paused && !this.closed) {
      const { bytes, start, end } = this.#held.first;
      this.#credit += end - start;
      this.#held.drop(end - start);
      if (this.#held.length === 0) this.#held = null;
      this.onData(bytes, start, end);
      letGo(bytes);
    }
    this.#delivering = false;
    if (this.closed) return;
    if (this.#held === null && this.#endHeld && this.taken) {
      this.#endHeld = false;
      this.#tellEnd();
    } else this.#grant();
  }

  /** Nobody will take the body: what was held is let go. */
  protected discard(): void {
    this.discarding = true;
    if (this.#held !== null) this.#credit += this.#held.length;
    this.#held = null;
    this.#endHeld = false;
    this.#grant();
  }

  #tellEnd(): void {
    this.onEnd(this.#trailers);
    this.settle();
  }

  /** WINDOW_UPDATE, once it is worth one. A paused stream grants nothing. */
  #grant(): void {
    if (this.closed || this.remoteEnded || this.#paused) return;
    if (this.#credit * 2 < this.wire.profile.streamWindowBytes) return;
    this.#receiveWindow += this.#credit;
    this.wire.writeWindowUpdate(this.id, this.#credit);
    this.#credit = 0;
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
    this.#starved = true;
    if (this.queuedBytes === 0 || this.sendWindow > 0) sender.wait(this);
    return false;
  }

  /** False while the stream has not begun on the wire. */
  protected get open(): boolean {
    return true;
  }

  #enqueue(bytes: Uint8Array, start: number, end: number): void {
    if (this.#queue === null) this.sentMs = this.wire.shard.clock.now();
    (this.#queue ??= new ByteQueue()).push(bytes, start, end);
  }

  /** No more body; trailers, when there are any, end the stream. */
  protected sendEnd(trailers: Fields | null): void {
    if (this.localEnded || this.closed) return;
    this.localEnded = true;
    if (this.queuedBytes === 0 && this.open) return this.#writeEnd(trailers);
    this.#endQueued = true;
    this.#trailersQueued = trailers instanceof HeadFields ? trailers.copy() : trailers;
  }

  #writeEnd(trailers: Fields | null): void {
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
      this.sentMs = this.wire.shard.clock.now();
      this.#queue.drop(at - start);
      if (this.#queue.length === 0) this.#queue = null;
      if (at === end) letGo(bytes);
    }
    if (this.queuedBytes > 0) {
      if (this.sendWindow > 0) sender.wait(this);
      return;
    }
    this.catchUp();
  }

  /** Nothing is queued any more: the end that waited, or a word to the writer. */
  protected catchUp(): void {
    if (this.#endQueued) {
      const trailers = this.#trailersQueued;
      this.#endQueued = false;
      this.#trailersQueued = null;
      this.#starved = false;
      return this.#writeEnd(trailers);
    }
    if (!this.#starved) return;
    this.#starved = false;
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
    return this.queuedBytes > 0 && nowMs - this.sentMs > limits.writeStallMs;
  }

  // ------------------------------------------------------------------------------------------------- its end

  /** Ended on the wire in the direction towards the peer. */
  protected get sentAll(): boolean {
    return this.localEnded && !this.#endQueued;
  }

  /** Closes it once both sides have ended. */
  protected settle(): void {
    if (this.closed || !this.sentAll || !this.remoteEnded || this.#endHeld) return;
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
    this.localEnded = true;
    this.#queue = null;
    this.#endQueued = false;
    this.#trailersQueued = null;
    this.#starved = false;
    this.settle();
  }

  /** Lets go of what is queued and held. Called by the connection, which forgets it. */
  drop(): void {
    this.closed = true;
    this.#queue = null;
    this.#held = null;
    this.#endHeld = false;
    this.#endQueued = false;
    this.#trailersQueued = null;
    this.#starved = false;
    if (this.#trailers !== null) this.wire.shard.giveFields(this.#trailers);
    this.#trailers = null;
  }
}
