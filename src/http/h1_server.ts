/**
 * The server side of one HTTP/1 connection: requests in, exchanges out, one at a time and in order. Owns framing,
 * keep-alive, pipelining, tunnels and every timer of the connection; what to answer is the handler's business.
 */
import type { Socket, SocketError, SocketHandler } from "../../runtime/contract.ts";
import { WheelEntry } from "../base/timer_wheel.ts";
import { limits } from "../model/limits.ts";
import type { Problem } from "../wire/h1/grammar.ts";
import { RequestParser } from "../wire/h1/request_head.ts";
import { BodyPace, slowBodyText } from "./body_pace.ts";
import { BodyReader } from "./body_reader.ts";
import { Carry } from "./carry.ts";
import type { ConnectionInfo } from "./exchange.ts";
import { untaken, type Hoarder } from "./buffered.ts";
import { Http1Exchange, type Http1Wire } from "./h1_exchange.ts";
import { writeRefusal } from "./h1_refusal.ts";
import type { Http1ServerOptions } from "./h1_server_options.ts";
import { Output } from "./output.ts";
import type { Shard } from "./shard.ts";

/** What the connection waits for; each has its own time limit. */
type Phase = "first-byte" | "head" | "body" | "idle" | "answer" | "half-closed" | "lingering" | "tunnel";

/** Serves HTTP/1 on an accepted socket: set the result as its handler. */
export class Http1Server extends WheelEntry implements SocketHandler, Http1Wire, Hoarder {
  readonly output: Output;
  readonly #parser: RequestParser;
  readonly #body = new BodyReader();
  readonly #pace = new BodyPace();
  /** Body bytes of the request under way, and when the last of them, or of its answer, passed. */
  #bodyBytes = 0;
  #progressMs = 0;
  #exchange: Http1Exchange | null = null;
  #phase: Phase = "first-byte";
  /** Bytes that came and could not be used yet. */
  readonly #carry: Carry;
  #paused = false;
  #processing = false;
  #retiring = false;
  #lastIsNext = false;
  #inputEnded = false;
  #closed = false;
  #tunnelEnded = false;

  constructor(
    readonly socket: Socket,
    readonly options: Http1ServerOptions,
  ) {
    super();
    this.output = new Output(socket, options.shard, this);
    this.#carry = new Carry(options.shard.buffered, this);
    this.#parser = new RequestParser({ hostOptional: options.hostOptional === true });
    this.#wait("first-byte", limits.firstByteMs);
  }

  /** Takes no request after the one under way; closes at once when there is none. `softly`: the next one may come still, and is the last. */
  retire(softly = false): void {
    if (softly) return void (this.#lastIsNext = true);
    this.#retiring = true;
    if (this.#exchange === null && this.#carry.empty) this.#finish();
  }

  get retiring(): boolean {
    return this.#retiring || this.#lastIsNext;
  }

  destroy(): void {
    this.socket.reset();
  }

  /** The client takes nothing of its answer, or sends what cannot be used, and much waits for others too. */
  giveWay(limit: string): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    this.options.onLimit?.(limit);
    this.output.discard();
    this.#carry.drop();
    this.socket.reset();
    exchange?.clientLeft(untaken.detail);
  }

  // --------------------------------------------------------------------------------------- socket callbacks

  data(chunk: Uint8Array): void {
    const { shard } = this.options;
    shard.enter();
    if (this.#phase !== "lingering") {
      if (!this.#carry.empty) this.#process(this.#carry.takeWith(chunk), true);
      else this.#process(chunk, false);
    }
    shard.leave();
  }

  drain(): void {
    const { shard } = this.options;
    shard.enter();
    if (this.output.drained()) this.#exchange?.sink?.writable();
    shard.leave();
  }

  end(): void {
    const { shard } = this.options;
    shard.enter();
    this.#inputEnded = true;
    this.#ended();
    shard.leave();
  }

  close(error: SocketError | null): void {
    const { shard } = this.options;
    this.#closed = true;
    shard.wheel.forget(this);
    shard.enter();
    this.output.discard();
    this.#carry.drop();
    this.#exchange?.clientLeft(error === null ? "the client closed the connection" : error.message);
    this.#exchange = null;
    this.options.onClosed?.();
    shard.leave();
  }

  expired(): void {
    switch (this.#phase) {
      case "first-byte":
      case "idle":
        if (this.output.pendingBytes > 0) return this.socket.reset();
        return this.#finish();
      case "lingering":
        return this.socket.destroy();
      case "tunnel":
        return;
      case "answer":
        // The client takes nothing of its answer.
        if (this.output.pendingBytes === 0) return;
        this.options.onLimit?.("writeStallMs");
        return this.socket.reset();
      case "half-closed":
        return this.#clientLeft();
      case "head":
        return this.#tooSlow("headMs", "the head of the request did not arrive in time");
      case "body":
        return this.#lookAtBody();
    }
  }

  /** About once a second while the body of a request comes. */
  #lookAtBody(): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    const nowMs = this.options.shard.clock.now();
    const silentMs = nowMs - this.#progressMs;
    // The client takes nothing of its answer, so nobody can take more of its body.
    if (this.output.pendingBytes > 0 && silentMs >= limits.writeStallMs) {
      this.options.onLimit?.("writeStallMs");
      return this.socket.reset();
    }
    // Once its answer has begun it is a stream both ways, which has no floor.
    const bytes = exchange.started ? Number.POSITIVE_INFINITY : this.#bodyBytes;
    const limit = this.#pace.look(nowMs, exchange.awaitsBody, bytes, this.#progressMs);
    if (limit !== null) return this.#tooSlow(limit, slowBodyText(limit));
    const leftMs = limits.bodyProgressMs - silentMs;
    this.#wait("body", leftMs > 0 ? Math.min(limits.bodyWatchMs, leftMs) : limits.bodyWatchMs);
  }

  #tooSlow(limit: string, reason: string): void {
    const { shard } = this.options;
    shard.enter();
    this.#refuse({ status: 408, reason, limit });
    shard.leave();
  }

  // -------------------------------------------------------------------------------------- used by the exchange

  get shard(): Shard {
    return this.options.shard;
  }

  get connection(): ConnectionInfo {
    return this.options.connection;
  }

  /** The body may flow (again). */
  continueBody(): void {
    if (this.#processing) return;
    const carry = this.#carry.take();
    if (carry !== null) this.#process(carry, true);
    if (this.#carry.empty) this.#resume();
    if (this.#inputEnded && this.#carry.empty) this.#ended();
  }

  /** The answer has been written whole. */
  answered(exchange: Http1Exchange, persistent: boolean): void {
    if (this.#exchange !== exchange) return;
    if (!persistent || this.#retiring || !this.#body.done) {
      this.#exchange = null;
      return this.#finish();
    }
    this.#exchange = null;
    if (this.#inputEnded && this.#carry.empty) return this.#finish();
    this.#wait("idle", limits.keepAliveInboundMs);
    if (this.#processing) return;
    const carry = this.#carry.take();
    if (carry !== null) this.#process(carry, true);
    if (this.#carry.empty) this.#resume();
  }

  /** From now on bytes pass both ways as they are. */
  becomeTunnel(): void {
    this.#phase = "tunnel";
    this.options.shard.wheel.disarm(this);
    this.#body.begin("until-close", 0);
  }

  /** Right after the end of a tunnel's answer. */
  tunnelAnswered(): void {
    this.output.finish();
    this.#tunnelEnded = true;
    if (this.#inputEnded) this.#exchange = null;
  }

  /** The client must see that its answer is not whole. */
  cut(): void {
    this.#exchange = null;
    this.output.flush();
    this.output.discard();
    this.socket.reset();
  }

  // --------------------------------------------------------------------------------------------- input

  #process(source: Uint8Array, owned: boolean): void {
    this.#processing = true;
    let at = 0;
    let requests = 0;
    const end = source.length;
    while (at < end && !this.#closed && this.#phase !== "lingering") {
      const exchange = this.#exchange;
      if (exchange === null) {
        if (this.#retiring && requests === 0 && this.#phase !== "head") break;
        if (requests++ === limits.requestsPerTurnMax) {
          this.#carry.keep(source, at, owned);
          this.#processing = false;
          this.#pause();
          this.options.shard.clock.soon(this.#again);
          return;
        }
        const next = this.#parser.parse(source, at, end);
        if (next < 0) {
          this.#refuse(this.#parser.problem as Problem);
          break;
        }
        if (next === 0) {
          if (this.#phase !== "head") this.#wait("head", limits.headMs);
          this.#carry.keep(source, at, owned);
          this.#processing = false;
          // It may have been paused behind the request before, and the rest of this one must come.
          this.#resume();
          return;
        }
        at = next;
        this.#begin();
        continue;
      }
      if (this.#body.done) break;
      const next = this.#body.read(source, at, end, exchange);
      if (this.#body.problem !== null) {
        this.#refuse(this.#body.problem);
        at = end;
        break;
      }
      if (this.#body.done) this.#bodyEnded();
      if (next === at && !this.#body.done) break;
      at = next;
    }
    this.#processing = false;
    if (at < end && !this.#closed && this.#phase !== "lingering") {
      this.#carry.keep(source, at, owned);
      if (this.#exchange === null && !this.#retiring) this.#again();
      else this.#pause();
    }
  }

  readonly #again = (): void => {
    if (this.#closed) return;
    const { shard } = this.options;
    shard.enter();
    const carry = this.#carry.take();
    if (carry !== null) this.#process(carry, true);
    if (this.#carry.empty) this.#resume();
    shard.leave();
  };

  #begin(): void {
    const parser = this.#parser;
    const exchange = new Http1Exchange(this, parser);
    this.#exchange = exchange;
    const tunnelAsked = parser.upgrade !== null;
    if (parser.framing.chunked) this.#body.begin("chunked", 0);
    else this.#body.begin("length", parser.contentLength);
    // What follows a request for a tunnel waits until it is known whether there will be one.
    if (tunnelAsked && this.#body.done) exchange.holding = true;
    if (this.#body.done) this.#wait("answer", limits.writeStallMs);
    else this.#beginBody();
    this.options.handler(exchange);
  }

  #beginBody(): void {
    this.#bodyBytes = 0;
    this.#progressMs = this.options.shard.clock.now();
    this.#pace.begin(this.#progressMs);
    this.#wait("body", limits.bodyWatchMs);
  }

  #bodyEnded(): void {
    if (this.#phase === "body") this.#wait("answer", limits.writeStallMs);
    this.#exchange?.bodyEnded(this.#body.trailers);
  }

  /** The client's FIN, or the end of what it sent before. */
  #ended(): void {
    if (!this.#carry.empty && this.#exchange !== null) return;
    const exchange = this.#exchange;
    if (this.#phase === "tunnel") {
      if (exchange === null) return;
      this.#body.done = true;
      exchange.bodyEnded(null);
      if (this.#tunnelEnded) this.#exchange = null;
    } else if (exchange === null) this.#finish();
    else if (!this.#body.done) {
      this.#exchange = null;
      exchange.clientLeft("the client closed the connection inside its request body");
      if (!exchange.finished || exchange.started) this.socket.reset();
      else this.#refuse({ status: 400, reason: "the request body ended too soon", limit: null });
    } else if (exchange.endIsLeaving) this.#clientLeft();
    else if (this.#phase === "answer" && !exchange.started) this.#wait("half-closed", limits.halfClosedMs);
  }

  /** A client that closed a connection and one that closed its side alone look alike: only the other one waits for its answer. */
  #clientLeft(): void {
    const { shard } = this.options;
    const exchange = this.#exchange;
    if (exchange === null || (exchange.started && !exchange.endIsLeaving))
      return this.#wait("answer", limits.writeStallMs);
    shard.enter();
    this.#exchange = null;
    exchange.clientLeft("the client closed the connection before all of its answer came");
    this.socket.reset();
    shard.leave();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  #resume(): void {
    if (!this.#paused || this.#closed) return;
    this.#paused = false;
    this.socket.resume();
  }

  // --------------------------------------------------------------------------------------------- ending

  #wait(phase: Phase, delayMs: number): void {
    this.#phase = phase;
    const { shard } = this.options;
    shard.wheel.arm(this, delayMs);
    shard.tick();
  }

  /** Progress of a body or an answer: the time limit starts again. */
  progressed(bodyBytes: number): void {
    this.#bodyBytes += bodyBytes;
    if (this.#phase === "body") this.#progressMs = this.options.shard.clock.now();
    else if (this.#phase === "answer") this.options.shard.wheel.arm(this, limits.writeStallMs);
  }

  /** Answers a request that is no valid one, then closes without losing the answer. */
  #refuse(problem: Problem): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    if (problem.limit !== null) this.options.onLimit?.(problem.limit);
    const started = exchange?.started === true;
    exchange?.clientLeft(`the request was refused: ${problem.reason}`);
    if (started) return this.cut();
    writeRefusal(this.output, problem, this.options.shard.date());
    this.#finish();
  }

  /** FIN after what is written; then wait a little for the client's own end, so that it can read. */
  #finish(): void {
    this.output.finish();
    this.#carry.drop();
    if (this.#inputEnded) return this.#wait("lingering", limits.writeStallMs);
    this.#resume();
    this.#wait("lingering", limits.lingerMs);
  }
}
