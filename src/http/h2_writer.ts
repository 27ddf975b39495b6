/**
 * Frames that an HTTP/2 connection sends beside DATA, and the bound on those that wait for a peer who reads nothing: what a peer
 * makes us say must not gather for ever (RFC 9113 section 10.5).
 */
import { copyBytes } from "../base/bytes.ts";
import { limits } from "../model/limits.ts";
import { frameFlags, frameHeaderBytes, frameTypes, put32, putFrameHeader } from "../wire/h2/frames.ts";
import { headBuffer } from "../wire/h2/head_buffer.ts";
import { openingFrames, type PeerSettings, type Profile } from "../wire/h2/settings.ts";
import type { SendingStream } from "./h2_sender.ts";
import type { Output } from "./output.ts";

/** Small frames are built here and copied at once. */
const scratch = new Uint8Array(32);
const pingBytes = 8;

export class FrameWriter {
  /** Set by the owner: nothing more is written. */
  stopped = false;
  #queuedControl = 0;
  #queuedFrames = 0;

  constructor(
    readonly output: Output,
    readonly peer: PeerSettings,
    /** Too much waits; the name of the limit. */
    readonly onFull: (limit: string) => void,
  ) {}

  /** SETTINGS of this side and the window of its connection. */
  opening(profile: Profile, server: boolean): void {
    const frames = openingFrames(profile, server);
    this.output.bytes(frames, 0, frames.length);
  }

  settingsAck(): void {
    this.#control(frameTypes.settings, frameFlags.ack, 0, 0);
  }

  /** A PING whose payload begins with `mark`, the rest zero. */
  ping(mark: number): void {
    scratch.fill(0, frameHeaderBytes, frameHeaderBytes + pingBytes);
    scratch[frameHeaderBytes] = mark;
    this.#control(frameTypes.ping, 0, 0, pingBytes);
  }

  /** Gives back the payload of a PING. */
  pong(source: Uint8Array, start: number): void {
    copyBytes(scratch, frameHeaderBytes, source, start, start + pingBytes);
    this.#control(frameTypes.ping, frameFlags.ack, 0, pingBytes);
  }

  reset(streamId: number, code: number): void {
    put32(scratch, frameHeaderBytes, code);
    this.#control(frameTypes.rstStream, 0, streamId, 4);
  }

  windowUpdate(streamId: number, increment: number): void {
    put32(scratch, frameHeaderBytes, increment);
    this.#control(frameTypes.windowUpdate, 0, streamId, 4);
  }

  /** `detail` in ASCII, for whoever reads logs on the other side. */
  goaway(lastId: number, code: number, detail: string): void {
    if (this.stopped) return;
    const frame = new Uint8Array(frameHeaderBytes + 8 + detail.length);
    let at = putFrameHeader(frame, 0, 8 + detail.length, frameTypes.goaway, 0, 0);
    at = put32(frame, at, lastId);
    at = put32(frame, at, code);
    for (let index = 0; index < detail.length; index++) frame[at + index] = detail.charCodeAt(index);
    this.output.bytes(frame, 0, frame.length);
  }

  /** The block in `headBuffer` as HEADERS, and CONTINUATION where one frame is too short. */
  block(stream: SendingStream, endStream: boolean): void {
    if (this.stopped) return;
    const { output } = this;
    if (output.blocked && ++this.#queuedFrames > limits.h2QueuedFramesMax)
      return this.onFull("h2QueuedFramesMax");
    const { bytes, end } = headBuffer;
    const length = end - frameHeaderBytes;
    const flags = endStream ? frameFlags.endStream : 0;
    stream.flagsAt = -1;
    if (length > this.peer.frameBytesMax) return this.#split(stream.id, flags);
    putFrameHeader(bytes, 0, length, frameTypes.headers, flags | frameFlags.endHeaders, stream.id);
    output.bytes(bytes, 0, end);
  }

  #split(streamId: number, flags: number): void {
    const { bytes, end } = headBuffer;
    const most = this.peer.frameBytesMax;
    for (let at = frameHeaderBytes; at < end; at += most) {
      const until = Math.min(end, at + most);
      const first = at === frameHeaderBytes;
      const marks = (first ? flags : 0) | (until === end ? frameFlags.endHeaders : 0);
      const type = first ? frameTypes.headers : frameTypes.continuation;
      // Its header stands where the piece before it was, or in the room in front.
      putFrameHeader(bytes, at - frameHeaderBytes, until - at, type, marks, streamId);
      this.output.bytes(bytes, at - frameHeaderBytes, until);
    }
  }

  /** The kernel took what waited. */
  drained(): void {
    this.#queuedControl = this.#queuedFrames = 0;
  }

  /** The frame whose payload stands in `scratch` already. */
  #control(type: number, flags: number, streamId: number, length: number): void {
    if (this.stopped) return;
    if (this.output.blocked && ++this.#queuedControl > limits.h2QueuedControlFramesMax)
      return this.onFull("h2QueuedControlFramesMax");
    const end = putFrameHeader(scratch, 0, length, type, flags, streamId) + length;
    this.output.bytes(scratch, 0, end);
  }
}
