/**
 * The law of a connection, frame by frame (RFC 9113 sections 4 to 6 and 10.5): which frame may come where, by its header alone;
 * what the window of the connection takes; and the budgets for frames that make work. Says what is wrong, and does nothing
 * about it.
 */
import { limits } from "../../model/limits.ts";
import type { BlockReader } from "./block_reader.ts";
import type { FloodGuard } from "./flood_guard.ts";
import { wants, type Wants } from "./frame_reader.ts";
import { errorCodes, frameFlags, frameTypes } from "./frames.ts";
import type { PeerSettings, Profile } from "./settings.ts";

/** Why the connection has to end (RFC 9113 section 5.4.1). */
export interface Fault {
  /** For GOAWAY. */
  readonly code: number;
  /** In plain ASCII words. */
  readonly detail: string;
  /** The limit that was broken, by its name in the limits table; null: the peer broke the protocol. */
  readonly limit: string | null;
}

function broken(code: number, detail: string): Fault {
  return { code, detail, limit: null };
}

/** The peer costs more than it may. */
export function overLimit(limit: string): Fault {
  return { code: errorCodes.enhanceYourCalm, detail: `over the limit ${limit}`, limit };
}

const faults = {
  frameTooLong: broken(errorCodes.frameSizeError, "a frame is longer than SETTINGS allow"),
  interrupted: broken(errorCodes.protocolError, "a header block is interrupted"),
  notSettings: broken(errorCodes.protocolError, "the first frame is not SETTINGS"),
  misplaced: broken(errorCodes.protocolError, "a frame came where it may not"),
  wrongSize: broken(errorCodes.frameSizeError, "a frame has the wrong size"),
  push: broken(errorCodes.protocolError, "push was never allowed"),
  overWindow: broken(errorCodes.flowControlError, "more body than the window of the connection allows"),
  noIncrement: broken(errorCodes.protocolError, "a window grows by nothing"),
  ownDependence: broken(errorCodes.protocolError, "a stream depends on itself"),
} as const;

export class FrameRules {
  /** What is wrong, once something is: nothing that comes after it counts. */
  fault: Fault | null = null;
  /** Highest stream that was opened. All are the client's and odd: push is never allowed. */
  highestId = 0;
  /** What the peer may still send on the connection, and what was taken without telling it. */
  #receiveWindow: number;
  #credit = 0;
  /** Of the DATA frame under way. */
  #dataBytes = 0;

  constructor(
    /** Of the side that reads. */
    readonly profile: Pick<Profile, "frameBytesMax" | "connectionWindowBytes">,
    readonly peer: Pick<PeerSettings, "known">,
    readonly blocks: BlockReader,
    readonly guard: FloodGuard,
  ) {
    this.#receiveWindow = profile.connectionWindowBytes;
  }

  /** Whether the stream never began (RFC 9113 section 5.1). */
  isIdle(streamId: number): boolean {
    return streamId > this.highestId || (streamId & 1) === 0;
  }

  /**
   * A frame begins; `length` is that of its payload. `readMs`: when, by the clock of what is read; looked at for HEADERS alone.
   * `nothingMore`: `fault` says why.
   */
  begins(type: number, flags: number, streamId: number, length: number, readMs: number): Wants {
    if (length > this.profile.frameBytesMax) return this.#refuse(faults.frameTooLong);
    const { openId } = this.blocks;
    if (openId !== 0 && (type !== frameTypes.continuation || streamId !== openId))
      return this.#refuse(faults.interrupted);
    if (!this.peer.known && (type !== frameTypes.settings || (flags & frameFlags.ack) !== 0))
      return this.#refuse(faults.notSettings);
    switch (type) {
      case frameTypes.data:
        this.#dataBytes = 0;
        return this.#placed(streamId !== 0 && !this.isIdle(streamId));
      case frameTypes.headers:
        return streamId === 0 ? this.#misplaced() : this.#within(this.blocks.admit(length, readMs));
      case frameTypes.continuation:
        return openId === 0 ? this.#misplaced() : this.#within(this.blocks.admitMore(length, flags));
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
        return this.#refuse(faults.push);
      default:
        return this.#counted(this.guard.ignored()) ? wants.skipped : wants.nothingMore;
    }
  }

  /** A piece of DATA; `done`: the last one of its frame. `flowBytes`: with padding. False: `fault` says why. */
  data(bytes: number, flowBytes: number, done: boolean, endStream: boolean): boolean {
    this.#receiveWindow -= flowBytes;
    if (this.#receiveWindow < 0) return this.#breaks(faults.overWindow);
    this.#credit += flowBytes;
    this.#dataBytes += bytes;
    return !done || this.#counted(this.guard.data(this.#dataBytes, endStream));
  }

  /**
   * By how much the window of the connection opens again, in bytes; 0 while it is not worth a frame. It opens whatever streams do:
   * one that nobody reads stops no other.
   */
  takeCredit(): number {
    const credit = this.#credit;
    if (credit * 2 < this.profile.connectionWindowBytes) return 0;
    this.#receiveWindow += credit;
    this.#credit = 0;
    return credit;
  }

  /** SETTINGS or PING that wants an answer. */
  control(nowMs: number): boolean {
    return this.#counted(this.guard.control(nowMs));
  }

  /** `increment` is that of the connection's window, or of a stream's, where nothing at all is an error of the stream alone. */
  windowUpdate(streamId: number, increment: number): boolean {
    if (!this.#counted(this.guard.windowUpdate())) return false;
    return streamId !== 0 || increment !== 0 || this.#breaks(faults.noIncrement);
  }

  /** PRIORITY of a stream that depends on another one. */
  priority(streamId: number, dependsOn: number): boolean {
    if (!this.#counted(this.guard.ignored())) return false;
    return streamId !== dependsOn || this.#breaks(faults.ownDependence);
  }

  #refuse(fault: Fault): Wants {
    this.fault ??= fault;
    return wants.nothingMore;
  }

  #misplaced(): Wants {
    return this.#refuse(faults.misplaced);
  }

  #placed(right: boolean): Wants {
    return right ? wants.whole : this.#misplaced();
  }

  #sized(right: boolean): Wants {
    return right ? wants.whole : this.#refuse(faults.wrongSize);
  }

  #within(limit: string | null): Wants {
    return this.#counted(limit) ? wants.whole : wants.nothingMore;
  }

  /** `limit`: the one that a budget says is broken. */
  #counted(limit: string | null): boolean {
    return limit === null || this.#breaks(overLimit(limit));
  }

  #breaks(fault: Fault): false {
    this.fault ??= fault;
    return false;
  }
}
