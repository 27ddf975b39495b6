/**
 * The life of an HTTP/2 connection from its socket's point of view: the phases to its end, what it says on the way (GOAWAY, PING),
 * and what time does to it. What frames mean is the business of `Http2Connection`, which is one of these.
 */
import type { Socket, SocketError, SocketHandler } from "../../runtime/contract.ts";
import { WheelEntry } from "../base/timer_wheel.ts";
import { limits } from "../model/limits.ts";
import { overLimit, type Fault } from "../wire/h2/frame_rules.ts";
import { errorCodes, maxInt31 } from "../wire/h2/frames.ts";
import { PeerSettings, type Profile } from "../wire/h2/settings.ts";
import type { Hoarder } from "./buffered.ts";
import { following, phases, type Phase } from "./h2_phase.ts";
import { ConnectionWatch } from "./h2_watch.ts";
import { FrameWriter } from "./h2_writer.ts";
import { Output } from "./output.ts";
import type { Shard } from "./shard.ts";

export interface Http2Options {
  readonly shard: Shard;
  readonly profile: Profile;
  /** A limit of the limits table ended a request or the connection. */
  readonly onLimit?: (limit: string) => void;
}

/** First byte of the payload of our PINGs: asking whether somebody is there, or before the last GOAWAY. */
export const pings = { alive: 1, drain: 2 } as const;

export abstract class Http2Link extends WheelEntry implements SocketHandler, Hoarder {
  readonly shard: Shard;
  readonly profile: Profile;
  readonly output: Output;
  readonly peer = new PeerSettings();
  readonly writer: FrameWriter;
  readonly openedMs: number;
  /** The peer sent its FIN. */
  protected inputEnded = false;
  protected readonly watch: ConnectionWatch;
  readonly #onLimit: ((limit: string) => void) | undefined;
  #phase: Phase = phases.open;

  constructor(
    readonly socket: Socket,
    { shard, profile, onLimit }: Http2Options,
  ) {
    super();
    this.shard = shard;
    this.profile = profile;
    this.#onLimit = onLimit;
    this.output = new Output(socket, shard, this, true);
    this.writer = new FrameWriter(this.output, this.peer, (limit) => this.cut(limit));
    this.openedMs = shard.clock.now();
    this.watch = new ConnectionWatch(shard, this);
    this.watch.begin();
  }

  abstract data(chunk: Uint8Array): void;
  /** Its peer reads nothing, and much waits for others too. */
  abstract giveWay(limit: string): void;
  /** Whether something is under way. */
  protected abstract readonly busy: boolean;
  /** Whether the peer owes an answer, or more of something. */
  protected abstract readonly isOwed: boolean;
  /** SETTINGS of either side are under way. */
  protected abstract readonly isHandshaking: boolean;
  /** When the header block that is not whole began, in time in which it was read; -1: none is under way. */
  protected abstract readonly headSinceMs: number;
  /** Highest stream of the peer that was acted on. */
  protected abstract readonly lastTakenId: number;
  /** How long it may be unused. */
  protected abstract readonly idleMs: number;
  /** Nothing more is read. */
  protected abstract stopReading(): void;
  /** The kernel takes more. */
  protected abstract onRoom(): void;
  /** Every stream ends, by no fault of its peer's. */
  protected abstract breakAll(code: number, detail: string): void;
  /** About once a second while something is under way. `excusedMs`: of the last while so much was not read. */
  protected abstract onLook(nowMs: number, excusedMs: number): void;
  protected abstract onIdle(): void;
  /** The PING before the last GOAWAY came back, or will not. */
  protected abstract onDrainPing(): void;
  /** The peer's FIN. */
  protected abstract onInputEnd(): void;
  /** No answer to a PING: whoever was there is not. */
  protected abstract onDead(): void;
  /** The socket is gone. Called once, last. */
  protected abstract onGone(error: SocketError | null): void;

  /** Nothing more is read, and nothing new begins: it ends, or has ended. */
  protected get closing(): boolean {
    return this.#phase !== phases.open;
  }

  /** The socket is gone. */
  protected get closed(): boolean {
    return this.#phase === phases.closed;
  }

  #enter(phase: Phase): void {
    if (this.#phase === phases.calming) this.shard.calming--;
    this.#phase = following(this.#phase, phase);
    if (phase === phases.calming) this.shard.calming++;
    this.stopReading();
    this.writer.stopped = true;
  }

  // ------------------------------------------------------------------------------------- socket callbacks

  drain(): void {
    const { shard, output } = this;
    shard.enter();
    const goOn = output.drained();
    this.watch.tookOutput();
    if (!output.blocked) this.writer.drained();
    if (goOn) this.onRoom();
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
    this.#enter(phases.closed);
    shard.wheel.forget(this);
    shard.enter();
    this.output.discard();
    this.onGone(error);
    shard.leave();
  }

  /** Reads on after it waited, unless nothing more is to be read for a while. */
  protected resumeReading(): void {
    if (this.#phase === phases.calming) return;
    this.watch.resumedReading();
    this.socket.resume();
  }

  // --------------------------------------------------------------------------------------------------- its end

  /** A connection error (RFC 9113 section 5.4.1). */
  protected fail(code: number, detail: string): void {
    if (this.closing) return;
    this.writer.goaway(this.lastTakenId, code, detail);
    const asksForCalm =
      code === errorCodes.enhanceYourCalm && this.shard.calming < limits.h2CalmConnectionsMax;
    if (asksForCalm) this.#calm();
    else this.#finishAs(phases.failing);
    this.breakAll(code, detail);
  }

  protected failBy({ code, detail, limit }: Fault): void {
    if (limit !== null) this.#onLimit?.(limit);
    this.fail(code, detail);
  }

  /** `limit`: the one that a budget says is broken. True: it was, and the connection has failed. */
  protected isOver(limit: string | null): boolean {
    if (limit === null) return false;
    this.failBy(overLimit(limit));
    return true;
  }

  /** The peer hears why at once and sees the end later. Nothing of it is read meanwhile. */
  #calm(): void {
    this.#enter(phases.calming);
    this.socket.pause();
    this.#endIn(limits.h2CalmMs);
  }

  /** FIN behind what is written; then a little time for the peer to read. */
  protected finish(): void {
    if (!this.closing) this.#finishAs(phases.finishing);
  }

  #finishAs(phase: Phase): void {
    this.#enter(phase);
    this.output.finish();
    this.socket.resume();
    this.#endIn(limits.lingerMs);
  }

  #endIn(delayMs: number): void {
    this.shard.wheel.arm(this, delayMs);
    this.shard.tick();
  }

  /** What was written before an orderly end still leaves, as long as the peer takes it. */
  #linger(): void {
    if (this.#phase >= phases.cut) return;
    const leaves = this.#phase === phases.finishing && this.output.pendingBytes > 0;
    if (leaves && !this.watch.isUnresponsive(this.output.blocked, 0)) return this.#endIn(limits.lingerMs);
    this.#enter(phases.cut);
    this.socket.destroy();
  }

  /** At once: whoever is there sees a reset. */
  destroy(): void {
    if (this.#phase >= phases.cut) return;
    this.#enter(phases.cut);
    this.output.discard();
    this.socket.reset();
  }

  /** The peer reads nothing of what waits for it: no word would reach it. */
  protected cut(limit: string): void {
    this.#onLimit?.(limit);
    this.destroy();
  }

  /** Says that no new stream should come; once the peer has heard it, `onDrainPing`. */
  protected beginDrain(): void {
    if (this.closing) return;
    this.watch.drainAsked();
    this.writer.goaway(maxInt31, errorCodes.noError, "");
    this.writer.ping(pings.drain);
    this.watch.begin();
  }

  protected drainAnswered(): void {
    if (this.watch.drainAnswered()) this.onDrainPing();
  }

  /** Says something that needs no answer: where nobody is any more, the kernel answers by a reset. */
  protected sound(): void {
    this.writer.ping(pings.alive);
  }

  // ------------------------------------------------------------------------------------------------- the look

  expired(): void {
    if (this.closing) return this.#linger();
    const { watch, output, isHandshaking, headSinceMs } = this;
    const excusedMs = watch.look();
    if (isHandshaking && watch.openMs > limits.h2SettingsMs) {
      this.#onLimit?.("h2SettingsMs");
      return this.fail(errorCodes.settingsTimeout, "SETTINGS did not come in time");
    }
    if (headSinceMs >= 0 && watch.readMs - headSinceMs > limits.headMs) return void this.isOver("headMs");
    if (watch.isUnresponsive(output.blocked, excusedMs)) return this.cut("writeStallMs");
    if (watch.drainOverdue) this.drainAnswered();
    this.onLook(this.shard.clock.now(), excusedMs);
    if (this.isOwed && this.profile.keepalive && this.#isDead()) {
      this.#onLimit?.("h2PingAnswerMs");
      return this.onDead();
    }
    if (this.closing) return;
    const active = isHandshaking || headSinceMs >= 0 || this.busy || output.blocked;
    if (watch.goOn(active, this.idleMs)) this.onIdle();
  }

  #isDead(): boolean {
    const alive = this.watch.alive();
    if (alive === "ask") this.writer.ping(pings.alive);
    return alive === "no";
  }
}
