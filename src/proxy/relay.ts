/**
 * Carries one exchange to an upstream and its answer back: attempts, replay of small bodies, backpressure both ways,
 * cancellation both ways, the idle timer of the answer, and one record at the end. Whom to try is the owner's decision.
 */
import type {
  ClientStream,
  OutgoingRequest,
  RequestSink,
  ResponseHead,
  ResponseSink,
  ServerExchange,
} from "../http/exchange.ts";
import type { Http1Client } from "../http/h1_client.ts";
import type { Shard } from "../http/shard.ts";
import { WheelEntry } from "../base/timer_wheel.ts";
import { limits } from "../model/limits.ts";
import type { Outcome, Repeat } from "../model/outcome.ts";
import type { ExchangeRecord, Recorder } from "../telemetry/record.ts";
import { noEdits, type FieldEdits, type Fields } from "../wire/fields.ts";
import { errorField, repeatField, rescue } from "./rescue.ts";
import type { Pool, Taker } from "./upstream/pool.ts";

/** Chooses where an attempt goes and hears how it went. */
export interface RelayOwner {
  /** Where the next attempt goes, or why there is none. Told apart from an outcome by `acquire`. */
  route(relay: Relay): Pool | Outcome;
  /** An attempt ended: null when its answer's head came. `latencyMs` since it began. */
  attempted(relay: Relay, outcome: Outcome | null, latencyMs: number): void;
  /** Whether one more attempt may be made after this outcome, which is safe to repeat. */
  mayRetry(relay: Relay): boolean;
  /** Over, in whatever way. Called once, before the record is finished. */
  finished(relay: Relay): void;
}

export interface RelayOptions {
  readonly shard: Shard;
  readonly recorder: Recorder;
  readonly owner: RelayOwner;
  readonly exchange: ServerExchange;
  readonly record: ExchangeRecord;
  readonly requestEdits: FieldEdits;
  readonly responseEdits: FieldEdits;
  readonly authority: string;
  readonly target: string;
  /** Safe to send twice whatever the method says. */
  readonly idempotent: boolean;
  /** Answers may be silent for long. */
  readonly stream: boolean;
  readonly requestTimeoutMs: number | null;
  /** The client is another proxy. */
  readonly fromMesh: boolean;
  /** The upstream is another proxy, whose word about repeating counts. */
  readonly toMesh: () => boolean;
}

const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

export class Relay extends WheelEntry implements RequestSink, Taker {
  attempts = 0;
  gone = false;
  #stream: ClientStream | null = null;
  #answer: Answer | null = null;
  #started = false;
  #accepted = false;
  #requestEnded = false;
  #trailers: Fields | null = null;
  /** Body so far, for a second attempt; null once it is too large. */
  #replay: Uint8Array[] | null = [];
  #replayBytes = 0;
  #attemptMs = 0;
  #timesOutAtMs = 0;
  #over = false;

  constructor(readonly options: RelayOptions) {
    super();
  }

  begin(): void {
    const { shard, requestTimeoutMs } = this.options;
    if (requestTimeoutMs !== null) this.#timesOutAtMs = shard.clock.now() + requestTimeoutMs;
    this.#armIdle();
    shard.tick();
    this.#attempt();
  }

  // ------------------------------------------------------------------------------------------ attempts

  #attempt(): void {
    this.attempts++;
    this.#attemptMs = this.options.shard.clock.now();
    const pool = this.options.owner.route(this);
    if ("acquire" in pool) pool.acquire(this);
    else this.#giveUp(pool);
  }

  connected(connection: Http1Client): void {
    const { exchange, authority, target, requestEdits } = this.options;
    const { request } = exchange;
    const outgoing: OutgoingRequest = {
      method: request.method,
      target,
      authority,
      fields: request.fields,
      nominated: request.nominated,
      edits: requestEdits,
      contentLength: request.contentLength,
      upgrade: request.upgrade,
      expectContinue: request.expectContinue,
    };
    this.#answer = new Answer(this);
    const stream = connection.start(outgoing, this.#answer);
    this.#stream = stream;
    if (!this.#accepted) {
      this.#accepted = true;
      exchange.accept(this);
      return;
    }
    for (const chunk of this.#replay ?? []) stream.write(chunk);
    if (this.#requestEnded) stream.end(this.#trailers);
    else exchange.resume();
  }

  unreachable(outcome: Outcome): void {
    this.attemptFailed(outcome);
  }

  attemptFailed(outcome: Outcome): void {
    if (this.#over) return;
    const { shard, owner } = this.options;
    this.#stream = null;
    this.#answer = null;
    owner.attempted(this, outcome, shard.clock.now() - this.#attemptMs);
    if (!this.#started && this.#replay !== null && this.#isSafe(outcome.repeat) && owner.mayRetry(this))
      this.#attempt();
    else this.#giveUp(outcome);
  }

  #isSafe(repeat: Repeat): boolean {
    if (repeat !== "idempotent") return repeat === "yes";
    return this.options.idempotent || idempotentMethods.has(this.options.exchange.request.method);
  }

  #giveUp(outcome: Outcome): void {
    const { exchange, record, fromMesh } = this.options;
    record.outcome = outcome;
    if (!this.#started) record.status = outcome.status;
    rescue(exchange, outcome, record.requestId, this.#started, fromMesh);
    this.#finish();
  }

  // --------------------------------------------------------------------------------------- request side

  data(chunk: Uint8Array): void {
    this.options.record.bytesIn += chunk.length;
    this.#keepForReplay(chunk);
    if (this.#stream?.write(chunk) === false) this.options.exchange.pause();
    this.#touch();
  }

  end(trailers: Fields | null): void {
    this.#requestEnded = true;
    this.#trailers = trailers;
    this.#stream?.end(trailers);
  }

  aborted(outcome: Outcome): void {
    if (this.#over) return;
    this.options.record.outcome = outcome;
    this.#stream?.cancel();
    this.#finish();
  }

  writable(): void {
    this.#stream?.resume();
  }

  #keepForReplay(chunk: Uint8Array): void {
    if (this.#replay === null || this.#started) return;
    this.#replayBytes += chunk.length;
    if (this.#replayBytes > limits.replayBodyBytesMax) this.#replay = null;
    else this.#replay.push(chunk.slice());
  }

  // ---------------------------------------------------------------------------------------- answer side

  answerHead(head: ResponseHead): void {
    const { exchange, record, shard, owner, responseEdits } = this.options;
    const nowMs = shard.clock.now();
    owner.attempted(this, null, nowMs - this.#attemptMs);
    this.#started = true;
    this.#replay = null;
    record.status = head.status;
    record.firstByteMs = nowMs;
    const edits =
      head.nominated === null
        ? responseEdits
        : { ...responseEdits, remove: [...responseEdits.remove, ...head.nominated] };
    exchange.respond(head.status, head.fields, edits, head.contentLength);
    if (head.tunnel || isEventStream(head.fields)) this.#timesOutAtMs = Number.POSITIVE_INFINITY;
    this.#touch();
  }

  answerData(chunk: Uint8Array): void {
    this.options.record.bytesOut += chunk.length;
    if (!this.options.exchange.write(chunk)) this.#stream?.pause();
    this.#touch();
  }

  answerEnd(trailers: Fields | null): void {
    this.options.exchange.end(trailers);
    this.#finish();
  }

  inform(status: number, fields: Fields): void {
    this.options.exchange.inform(status, fields, noEdits);
  }

  requestWritable(): void {
    this.options.exchange.resume();
  }

  // ------------------------------------------------------------------------------------------- timers

  #armIdle(): void {
    const { shard, stream } = this.options;
    if (this.#timesOutAtMs > 0) {
      if (this.#timesOutAtMs === Number.POSITIVE_INFINITY) shard.wheel.disarm(this);
      else shard.wheel.arm(this, Math.max(1, this.#timesOutAtMs - shard.clock.now()));
    } else if (!stream) shard.wheel.arm(this, limits.answerIdleMs);
  }

  #touch(): void {
    if (this.#timesOutAtMs === 0 || this.#timesOutAtMs === Number.POSITIVE_INFINITY) this.#armIdle();
  }

  expired(): void {
    if (this.#over) return;
    const { shard, record, requestTimeoutMs, exchange } = this.options;
    shard.enter();
    this.#stream?.cancel();
    const timer =
      requestTimeoutMs === null
        ? `nothing moved for ${limits.answerIdleMs / 1000} s`
        : `the route allows ${requestTimeoutMs} ms`;
    const outcome: Outcome = {
      flag: "UT",
      side: "upstream",
      repeat: "no",
      status: 504,
      detail: `${record.service} took too long: ${timer}`,
    };
    if (!this.#started || !exchange.finished) this.#giveUp(outcome);
    shard.leave();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.gone = true;
    const { shard, owner, recorder, record } = this.options;
    shard.wheel.forget(this);
    owner.finished(this);
    recorder.finish(record, shard.clock.now());
  }
}

/** The answer's side of a relay: one per attempt, so that a late word of an old attempt finds nobody. */
class Answer implements ResponseSink {
  /** An answer of the other proxy that only says: send it again. Its body is read away. */
  #swallowed: Outcome | null = null;

  constructor(readonly relay: Relay) {}

  informational(status: number, fields: Fields): void {
    this.relay.inform(status, fields);
  }

  head(head: ResponseHead): void {
    if (head.status >= 502 && this.relay.options.toMesh()) {
      const repeat = head.fields.get(repeatField);
      if (repeat === "yes" || repeat === "idempotent") {
        const flag = head.fields.get(errorField) === "UR" ? "UR" : "UF";
        this.#swallowed = {
          flag,
          side: "upstream",
          repeat,
          status: head.status,
          detail: "the far proxy could not reach its app",
        };
        return;
      }
    }
    this.relay.answerHead(head);
  }

  data(chunk: Uint8Array): void {
    if (this.#swallowed === null) this.relay.answerData(chunk);
    else if (chunk.length > 0) this.#swallowed = { ...this.#swallowed, detail: firstLine(chunk) };
  }

  end(trailers: Fields | null): void {
    if (this.#swallowed === null) this.relay.answerEnd(trailers);
    else this.relay.attemptFailed(this.#swallowed);
  }

  failed(outcome: Outcome): void {
    this.relay.attemptFailed(outcome);
  }

  writable(): void {
    this.relay.requestWritable();
  }
}

/** `heddle: … .` of the far proxy's answer, without its frame. */
function firstLine(chunk: Uint8Array): string {
  const text = new TextDecoder("latin1").decode(chunk.subarray(0, 512)).split("\n")[0] as string;
  return text.replace(/^heddle: /, "").replace(/\.$/, "");
}

function isEventStream(fields: Fields): boolean {
  return fields.get("content-type")?.startsWith("text/event-stream") === true;
}
