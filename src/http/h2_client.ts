/**
 * The client side of one HTTP/2 connection: many requests at a time, each answer checked as strictly as a request, and after a
 * failure the truth about whether the request may be sent again (RFC 9113 section 8.7).
 */
import type { Socket, SocketError, SocketHandler } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import type { Flag, Outcome, Repeat } from "../model/outcome.ts";
import type { FieldEdits } from "../wire/fields.ts";
import { errorCodes, errorName, maxInt31, prefaceText } from "../wire/h2/frames.ts";
import type { ClientConnection, ClientStream, OutgoingRequest, ResponseSink } from "./exchange.ts";
import { Http2Call, type CallWire } from "./h2_call.ts";
import { codeOf, Http2Connection } from "./h2_connection.ts";
import type { Http2Options } from "./h2_link.ts";
import type { Http2Stream } from "./h2_stream.ts";

/** A reset is not early any more, however long the head of its stream was under way. */
const resetLateMs = limits.h2ResetEarlyMs + limits.h2WatchMs;

export interface Http2ClientOptions extends Http2Options {
  /** Whom it leads to, for words: `orders.default at 10.0.0.2:7445`. */
  readonly peer: string;
  /** Requests that it is given before the server has said how many it takes; default: `h2StreamsEarlyMax`. */
  readonly streamsEarly?: number;
  /** Takes a request again, after it took none. */
  readonly onRoom: (connection: Http2Client) => void;
  /** The server said, for the first time or anew, how many requests it takes: `capacity`. */
  readonly onCapacity?: (connection: Http2Client) => void;
  /** Gone, or will take no request any more. Called once. */
  readonly onRetired: (connection: Http2Client) => void;
  /** The socket is gone, with all that was under way. Called once, last. */
  readonly onClosed?: (connection: Http2Client) => void;
  /** The peer checks our certificate: a new connection that it closes without a word was refused, not lost. */
  readonly identityAtStake?: boolean;
  /** How long it is kept while nothing uses it; null: `h2ClientIdleMs`. */
  readonly keptMs?: () => number | null;
}

/** Speaks HTTP/2 on a dialled socket, by prior knowledge or after ALPN: set its `handler` there. */
export class Http2Client extends Http2Connection implements ClientConnection, CallWire {
  carried = 0;
  protected readonly framesPerTurnMax = limits.h2AnswerFramesPerTurnMax;
  #nextId = 1;
  #retired = false;
  /** Calls that must know the server's SETTINGS first. */
  #early: Http2Call[] = [];
  /** The last start took the last place. */
  #full = false;
  #roomDue = false;

  constructor(
    socket: Socket,
    readonly options: Http2ClientOptions,
  ) {
    super(socket, options, false);
    this.output.text(prefaceText);
    this.writer.opening(this.profile, false);
  }

  /** What the socket calls. */
  get handler(): SocketHandler {
    return this;
  }

  protected get idleMs(): number {
    return this.options.keptMs?.() ?? limits.h2ClientIdleMs;
  }

  get room(): number {
    if (this.#retired || this.closing) return 0;
    return Math.max(0, this.capacity - this.streams.size - this.#early.length);
  }

  get capacity(): number {
    const { peer, profile, options } = this;
    const taken = peer.known ? peer.streamsMax : (options.streamsEarly ?? limits.h2StreamsEarlyMax);
    return Math.min(taken, profile.streamsMax);
  }

  start(request: OutgoingRequest, edits: FieldEdits, sink: ResponseSink): ClientStream {
    const call = new Http2Call(this, request, edits, sink);
    this.carried++;
    if (this.closing) this.#loseSoon(call);
    else if (call.needsSettings && !this.peer.known) this.#early.push(call);
    else this.#begin(call);
    if (this.room === 0) this.#full = true;
    return call;
  }

  #begin(call: Http2Call): void {
    if (call.needsSettings && !this.peer.connectProtocol) {
      call.refusedHere(this.outcome("UPE", "takes no upgrades over HTTP/2", "no"));
      return;
    }
    const { excess } = call;
    if (excess !== null) return call.refusedHere(excess);
    call.id = this.rules.highestId = this.#nextId;
    call.receivedMs = this.shard.clock.now();
    this.#nextId += 2;
    this.adopt(call);
    call.writeHead();
    if (this.#nextId > maxInt31 - 2) this.retire();
  }

  #loseSoon(call: Http2Call): void {
    const { shard } = this;
    shard.clock.soon(() => {
      shard.enter();
      call.lost("UC", "had closed the connection already", "yes");
      shard.leave();
    });
  }

  retire(): void {
    if (this.#retired) return;
    this.#retireQuietly();
    this.#endWhenDone();
  }

  override destroy(): void {
    if (this.closed) return;
    super.destroy();
    this.#retireQuietly();
  }

  // -------------------------------------------------------------------------------------- used by the calls

  writeHead(call: Http2Call, endStream: boolean): void {
    this.writer.block(call, endStream);
  }

  /** A call gave up before it began. */
  dropEarly(call: Http2Call): void {
    this.#early = this.#early.filter((each) => each !== call);
    this.onForgotten();
  }

  /**
   * Nobody wants the answer of this call. Servers end a connection on which many streams are reset early, and others share this
   * one: beyond what they stand the call goes on unheard until it is answered, or is early no more.
   */
  abandon(call: Http2Call): void {
    const early = this.shard.clock.now() - call.receivedMs < resetLateMs;
    if (call.answered || !early || this.guard.mayReset()) this.resetStream(call, errorCodes.cancel);
    else call.goUnheard();
  }

  // --------------------------------------------------------------------------------------------- answers in

  protected readPreface(): number {
    return 0;
  }

  protected onBlock(streamId: number, endStream: boolean): void {
    const call = this.streams.get(streamId) as Http2Call | undefined;
    if (call === undefined) {
      if (this.rules.isIdle(streamId))
        this.fail(errorCodes.protocolError, "a head for a stream that never began");
      else this.passBy();
    } else if (call.remoteEnded) {
      this.passBy();
      this.breakStream(call, errorCodes.streamClosed, "a head behind the end of a stream");
    } else if (call.answered) this.takeTrailers(call, endStream);
    else this.#takeHead(call, endStream);
  }

  #takeHead(call: Http2Call, endStream: boolean): void {
    const head = this.decode("response");
    if (head === null) return;
    if (head.refusal?.limit != null) this.options.onLimit?.(head.refusal.limit);
    const wrong = head.malformed ?? head.refusal?.reason ?? call.problemOf(head, endStream);
    if (wrong === null) return call.takeHead(head, endStream);
    this.shard.giveFields(head.fields);
    this.breakStream(call, codeOf(head), wrong);
  }

  protected onLateData(): void {}

  protected onRead(): number {
    return 0;
  }

  /** Answers set free what requests hold: they wait for no others. */
  protected override awaitTurn(): void {
    this.shard.clock.soon(() => this.goOn());
  }

  protected onSettings(): void {
    const early = this.#early;
    this.#early = [];
    for (const call of early) this.#begin(call);
    this.options.onCapacity?.(this);
    if (this.#full && this.room > 0) this.#roomLater();
  }

  // ------------------------------------------------------------------------------------------------- its end

  protected get busy(): boolean {
    return this.streams.size + this.#early.length > 0;
  }

  protected onGoaway(lastId: number, code: number, detail: string): void {
    this.#retireQuietly();
    const words = detail === "" ? errorName(code) : `${errorName(code)}: ${detail}`;
    for (const stream of this.streams.all()) {
      if (stream.id <= lastId) continue;
      this.forget(stream);
      (stream as Http2Call).lost("UR", `took no further request (${words})`, "yes");
    }
    this.#loseEarly();
    this.#endWhenDone();
  }

  #loseEarly(): void {
    const early = this.#early;
    this.#early = [];
    for (const call of early) call.lost("UR", "took no further request", "yes");
  }

  protected onForgotten(): void {
    if (this.#retired) this.#endWhenDone();
    else if (this.#full) this.#roomLater();
  }

  /** Told once the current turn is over: what frees a place must be written before what takes it. */
  #roomLater(): void {
    if (this.#roomDue) return;
    this.#roomDue = true;
    this.shard.clock.microtask(() => {
      this.#roomDue = false;
      if (this.room === 0) return;
      this.#full = false;
      this.shard.enter();
      this.options.onRoom(this);
      this.shard.leave();
    });
  }

  #endWhenDone(): void {
    if (!this.#retired || this.busy || this.closing) return;
    this.writer.goaway(0, errorCodes.noError, "");
    this.finish();
  }

  #retireQuietly(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.options.onRetired(this);
  }

  protected override fail(code: number, detail: string): void {
    this.#retireQuietly();
    super.fail(code, detail);
    this.#loseEarly();
  }

  protected onIdle(): void {
    this.retire();
  }

  protected onDrainPing(): void {}

  /** The server will say nothing more. */
  protected onInputEnd(): void {
    this.#loseAll(null);
    this.#retireQuietly();
    this.socket.destroy();
  }

  protected onGone(error: SocketError | null): void {
    this.#loseAll(error);
    this.#retireQuietly();
    this.options.onClosed?.(this);
  }

  protected onDead(): void {
    const how = `did not answer a PING within ${limits.h2PingAnswerMs} ms`;
    for (const call of this.#takeAll()) call.lost("UR", how, call.answered ? "no" : "idempotent");
    this.destroy();
  }

  giveWay(limit: string): void {
    this.cut(limit);
    for (const call of this.#takeAll())
      call.lost("UO", "read nothing while much waited for others too", "no");
  }

  #loseAll(error: SocketError | null): void {
    const flag: Flag = error === null ? "UC" : "UR";
    const how = error === null ? "closed the connection" : `broke the connection (${error.message})`;
    const silent = error === null && !this.peer.known && this.options.identityAtStake === true;
    for (const call of this.#takeAll()) {
      if (call.answered) call.lost(flag, `${how} inside its answer`, "no");
      else if (silent)
        call.lost(
          "ID",
          "closed a new connection without a word, as it does when it refuses a certificate",
          "no",
        );
      else call.lost(flag, `${how} before it answered`, "idempotent");
    }
  }

  #takeAll(): Http2Call[] {
    const calls = [...(this.streams.all() as Http2Call[]), ...this.#early];
    this.#early = [];
    for (const call of calls) this.forget(call);
    return calls;
  }

  protected watchStream(stream: Http2Stream, nowMs: number): void {
    const late = nowMs - stream.receivedMs >= resetLateMs;
    if (late && (stream as Http2Call).unheard) this.resetStream(stream, errorCodes.cancel);
  }

  tripped(limit: string): void {
    this.options.onLimit?.(limit);
  }

  outcome(flag: Flag, detail: string, repeat: Repeat): Outcome {
    return { flag, side: "upstream", repeat, status: 502, detail: `${this.options.peer} ${detail}` };
  }
}
