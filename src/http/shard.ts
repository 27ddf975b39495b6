/**
 * What the drivers of one data-plane shard share: the clock, two timer wheels, the gathering of output until the end of a
 * turn, and spare output buffers. Shards share nothing with each other.
 */
import type { Clock } from "../../runtime/contract.ts";
import { ownNumbers, type SharedNumbers } from "../base/shared_numbers.ts";
import type { TimerWheel, WheelEntry } from "../base/timer_wheel.ts";
import { limits } from "../model/limits.ts";
import { HeadFields } from "../wire/head_fields.ts";
import { Buffered } from "./buffered.ts";
import { TurnQueue } from "./turn_queue.ts";
import { TurningWheel } from "./turning_wheel.ts";

/** Something that gathered output and hands it to the kernel when the turn ends. */
export interface Flushable {
  flush(): void;
}

const spareBuffersMax = 64;
const spareFieldsMax = 256;
/** Heads that grew beyond it are not worth keeping. */
const spareFieldBytesMax = 4096;

export class Shard {
  readonly #wheel: TurningWheel;
  /** For what operators and callers count in milliseconds. It turns only while something stands in it. */
  readonly #fineWheel: TurningWheel;
  /** What waits here for peers that do not take it. */
  readonly buffered: Buffered;
  /** HTTP/2 connections that have more requests than a turn takes. */
  readonly turns: TurnQueue;
  /** And those of clients that have time: they leave no room for their answers, or reset most of what they open. */
  readonly slowed: TurnQueue;
  /** Streams under way that began without room for their answers. */
  windowlessStreams = 0;
  /** Connections that stay behind their GOAWAY for a while. */
  calming = 0;
  #depth = 0;
  #dirty: Flushable[] = [];
  #shared: Flushable[] = [];
  #sharedSoon = false;
  #spare: Uint8Array[] = [];
  #spareFields: HeadFields[] = [];
  #soon = false;
  #lookDue = false;
  #dateSecond = 0;
  #dateText = "";
  #dateLine = "";
  #turnMs = 0;
  /** The host's clock, but standing still during a turn: asking the time costs nothing there. */
  readonly clock: Clock;

  constructor(
    host: Clock,
    bufferedBytesMax: number = limits.bufferedBytesMax,
    /** What this event loop goes by together with others of its machine; default: it is the only one. */
    readonly numbers: SharedNumbers = ownNumbers,
  ) {
    this.clock = {
      now: () => (this.#depth > 0 ? this.#turnMs : host.now()),
      wallMs: () => host.wallMs(),
      after: (delayMs, call, background) => host.after(delayMs, call, background),
      soon: (call) => host.soon(call),
      microtask: (call) => host.microtask(call),
    };
    this.#host = host;
    this.buffered = new Buffered({
      nowMs: () => this.clock.now(),
      bytesMax: bufferedBytesMax,
      numbers,
      look: () => this.#lookLater(),
    });
    this.turns = new TurnQueue(
      (call) => host.soon(call),
      limits.h2WaitingRequestsPerTurnMax,
      limits.h2LocalRequestsPerTurnMax,
    );
    this.slowed = new TurnQueue(
      (call) => {
        const many = this.windowlessStreams > limits.h2WindowlessStreamsMax;
        host.after(many ? limits.h2SlowedLongTickMs : limits.h2SlowedTickMs, call);
      },
      limits.h2SlowedRequestsPerTickMax,
      1,
    );
    this.#wheel = new TurningWheel(this, host, limits.timerTickMs);
    this.#fineWheel = new TurningWheel(this, host, limits.timerFineTickMs);
  }

  readonly #host: Clock;

  /** A callback of the host begins. Pair with `leave`. */
  enter(): void {
    if (this.#depth++ === 0) this.#turnMs = this.#host.now();
  }

  /** The callback ends: what it wrote leaves now. */
  leave(): void {
    if (--this.#depth !== 0) return;
    if (this.#dirty.length > 0) this.flush();
    if (this.buffered.due) this.#relieve();
  }

  /** Before any other callback of the host. */
  #relieve(): void {
    this.enter();
    this.buffered.relieve();
    this.#depth--;
    this.flush();
  }

  /** What others let go of is noticed by nothing that happens here. */
  #lookLater(): void {
    if (this.#lookDue) return;
    this.#lookDue = true;
    this.#host.after(limits.sharedPlacesLookMs, () => {
      this.#lookDue = false;
      this.enter();
      this.leave();
      if (this.buffered.isAwaited) this.#lookLater();
    });
  }

  /** Flushed once all callbacks of this turn of the event loop had theirs: what many of them share leaves in one write. */
  markShared(output: Flushable): void {
    this.#shared.push(output);
    if (this.#sharedSoon) return;
    this.#sharedSoon = true;
    this.clock.soon(this.#flushShared);
  }

  readonly #flushShared = (): void => {
    this.#sharedSoon = false;
    this.enter();
    const shared = this.#shared;
    // What a flush itself writes to another shared connection waits for the next turn.
    this.#shared = [];
    for (let at = 0; at < shared.length; at++) (shared[at] as Flushable).flush();
    this.leave();
  };

  /** Flushed when the current callback ends, or soon when none is running. */
  markDirty(output: Flushable): void {
    this.#dirty.push(output);
    if (this.#depth === 0 && !this.#soon) {
      this.#soon = true;
      this.#host.microtask(this.#flushLater);
    }
  }

  readonly #flushLater = (): void => {
    this.#soon = false;
    this.flush();
  };

  flush(): void {
    const dirty = this.#dirty;
    for (let at = 0; at < dirty.length; at++) (dirty[at] as Flushable).flush();
    dirty.length = 0;
  }

  /** The coarse one, of what takes long or may come late. */
  get wheel(): TimerWheel {
    return this.#wheel.wheel;
  }

  /** Keeps the coarse wheel turning while something is armed. Call after arming. */
  tick(): void {
    this.#wheel.tick();
  }

  /** Arms it where ticks are fine enough for such a delay, and keeps that wheel turning. */
  arm(entry: WheelEntry, delayMs: number): void {
    const turning = delayMs < limits.timerFineMs ? this.#fineWheel : this.#wheel;
    turning.wheel.arm(entry, delayMs);
    turning.tick();
  }

  takeBuffer(): Uint8Array {
    return this.#spare.pop() ?? new Uint8Array(limits.bufferHighBytes);
  }

  giveBuffer(buffer: Uint8Array): void {
    if (this.#spare.length < spareBuffersMax) this.#spare.push(buffer);
  }

  /** For a head that lives as long as its stream. Give it back then. */
  takeFields(): HeadFields {
    return this.#spareFields.pop() ?? new HeadFields();
  }

  giveFields(fields: HeadFields): void {
    // Interned fields are everybody's.
    if (fields.interned === fields) return;
    const worth = fields.bytes.length <= spareFieldBytesMax && this.#spareFields.length < spareFieldsMax;
    if (worth) this.#spareFields.push(fields);
  }

  /** IMF-fixdate of now (RFC 9110 section 5.6.7). */
  date(): string {
    const second = Math.floor(this.clock.wallMs() / 1000);
    if (second !== this.#dateSecond) {
      this.#dateSecond = second;
      this.#dateText = new Date(second * 1000).toUTCString();
      this.#dateLine = `date: ${this.#dateText}\r\n`;
    }
    return this.#dateText;
  }

  /** The whole Date field with its line end. */
  dateField(): string {
    this.date();
    return this.#dateLine;
  }
}
