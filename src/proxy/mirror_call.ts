/**
 * Copies of requests for mirrors. A copy is gathered while the request passes, and sent once all of it has come, on connections and to
 * endpoints as any call; nobody gets its answer. It takes no place among the calls of its client, and has bounds of its own: whatever
 * becomes of it, the request that it is a copy of neither waits nor fails.
 */
import { ByteQueue } from "../base/byte_queue.ts";
import type { RequestHead, RequestSink, ResponseHead, ServerExchange } from "../http/exchange.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import type { FieldEdits, Fields } from "../wire/fields.ts";
import { isGrpc } from "../wire/grpc.ts";
import type { AttemptAnswer, CallHere, CallSink } from "./attempt/call_sink.ts";
import type { HttpAttemptsOwner } from "./attempt/attempts_owner.ts";
import { HttpAttempts } from "./attempt/http_attempts.ts";
import { RequestBody, type BodyTap } from "./attempt/request_body.ts";
import { callHere } from "./call_here.ts";
import { Deadlines } from "./deadline/deadlines.ts";
import { outcomes } from "./failure/outcomes.ts";
import { isRequestId } from "./fields/request_id.ts";
import { CallRecord } from "./record/call_record.ts";
import type { Leaving } from "./rewrite/leaving.ts";
import type { Flow } from "./share/flow.ts";
import type { Caller, LiveEndpoint, LiveMirror, Target } from "./state/live_service.ts";
import type { OutboundSource } from "./state/outbound_source.ts";

/** The request that is copied. */
export interface Mirrored {
  readonly exchange: ServerExchange;
  readonly source: OutboundSource;
  readonly record: CallRecord;
  readonly caller: Caller;
  readonly flow: Flow;
  readonly leaving: Leaving;
}

/** What gathers copies for those mirrors whose share it falls into; null where there is none. Before its body is taken. */
export function mirrorTap(mirrors: readonly LiveMirror[], mirrored: Mirrored): MirrorTap | null {
  const { parts, key } = mirrored.source;
  const { request } = mirrored.exchange;
  const targets = mirrors.filter(({ share }) => share === 1 || parts.random.unit() < share);
  // What is no request with an end cannot be sent twice.
  if (targets.length === 0 || request.upgrade !== null) return null;
  const tooLong = request.contentLength > limits.mirrorBodyBytesMax;
  if (tooLong || parts.mirrors.taken + targets.length > limits.mirrorsMax) {
    parts.recorder.limitTripped(tooLong ? "mirrorBodyBytesMax" : "mirrorsMax", `outbound ${key}`);
    return null;
  }
  parts.mirrors.taken += targets.length;
  return new MirrorTap(
    mirrored,
    targets.map(({ target }) => target),
  );
}

export class MirrorTap implements BodyTap {
  /** What the heads of the copies are: the one that came is reused when it has been answered. */
  readonly #head: RequestHead;
  readonly #leaving: Leaving;
  readonly #requestId: string;
  #kept: ByteQueue | null = new ByteQueue();

  constructor(
    readonly mirrored: Mirrored,
    readonly targets: readonly Target[],
  ) {
    const { exchange, leaving, record, source } = mirrored;
    const { method, target, path, authority, fields, contentLength, version, nominated } = exchange.request;
    const requestId = `${record.requestId}-mirror`;
    this.#requestId = isRequestId(requestId) ? requestId : source.parts.ids.next();
    const said = { method, target, path, authority, contentLength, version, nominated };
    this.#head = { ...said, fields: fields.copy(), upgrade: null, expectContinue: false };
    this.#leaving = leaving.copyOf(this.#head, this.#requestId);
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    const kept = this.#kept;
    if (kept === null) return;
    const { parts, key } = this.mirrored.source;
    const { buffered } = parts.shard;
    if (kept.length + end - start > limits.mirrorBodyBytesMax || buffered.tight) {
      parts.recorder.limitTripped("mirrorBodyBytesMax", `outbound ${key}`);
      return this.close();
    }
    const before = kept.capacity;
    kept.push(bytes, start, end);
    buffered.count(kept.capacity - before);
  }

  /** All of it came: the copies go. */
  end(trailers: Fields | null): void {
    const kept = this.#kept;
    if (kept === null) return;
    this.#kept = null;
    const body: MirrorBody = { kept, trailers: trailers?.copy() ?? null, users: this.targets.length };
    for (const target of this.targets) {
      const leaving = this.#leaving.copyOf(this.#head, this.#requestId);
      const copy = new MirrorCall(this.mirrored, this.#head, leaving, body, this.#requestId);
      // In a turn of its own: nothing of it is done before the request itself is on its way.
      this.mirrored.source.parts.shard.clock.soon(() => copy.begin(target));
    }
  }

  /** It is over, whether all of it came or not. */
  close(): void {
    if (this.#kept === null) return;
    const { parts } = this.mirrored.source;
    parts.shard.buffered.count(-this.#kept.capacity);
    parts.mirrors.taken -= this.targets.length;
    this.#kept = null;
  }
}

interface MirrorBody {
  readonly kept: ByteQueue;
  readonly trailers: Fields | null;
  /** Copies that are not over. */
  users: number;
}

/** The copy, as attempts see the exchange that they are for. */
class CopiedExchange implements ServerExchange {
  finished = false;

  constructor(
    readonly request: RequestHead,
    readonly connection: ServerExchange["connection"],
    readonly body: MirrorBody,
  ) {}

  accept(sink: RequestSink): void {
    const { kept, trailers } = this.body;
    kept.forEach((bytes, start, end) => sink.data(bytes, start, end));
    sink.end(trailers);
  }

  watch(): void {}

  refusesHead(): null {
    return null;
  }

  inform(): void {}
  respond(): void {}

  write(): boolean {
    return true;
  }

  end(): void {}
  abort(): void {}
  pause(): void {}
  resume(): void {}
  liftTimeouts(): void {}

  leavesByClosing(): void {}
  keepUpgrade(): void {}
}

class MirrorCall extends Deadlines implements HttpAttemptsOwner<HttpAttempts>, AttemptAnswer {
  readonly tellsFlow = false;
  readonly grpc: boolean;
  readonly maySilent = false;
  begun = false;
  readonly #record: CallRecord;
  #attempts: HttpAttempts;
  #over = false;

  constructor(
    readonly mirrored: Mirrored,
    head: RequestHead,
    readonly leaving: Leaving,
    readonly body: MirrorBody,
    requestId: string,
  ) {
    const { source, flow, record, exchange } = mirrored;
    const { shard } = source.parts;
    super(shard);
    this.grpc = head.version === "HTTP/2" && isGrpc(head.fields);
    this.#record = new CallRecord("outbound", "http", shard.clock.now());
    const { method, path, protocol, source: from, sourceId, route } = record;
    Object.assign(this.#record, { method, path, protocol, source: from, sourceId, requestId });
    this.#record.route = `${route} mirror`;
    const copied = new CopiedExchange(head, exchange.connection, body);
    const sent = new RequestBody(copied, { aborted: () => {} }, shard.buffered, false);
    this.#attempts = new HttpAttempts(source, this.#record, this, flow, leaving, sent, this);
  }

  begin(target: Target): void {
    const { parts } = this.mirrored.source;
    const { destination, rules } = target;
    const nowMs = parts.shard.clock.now();
    parts.shard.enter();
    this.#record.service = destination.key;
    parts.recorder.began(this.#record);
    const timeoutMs = Math.min(destination.timeouts.requestMs ?? limits.mirrorMs, limits.mirrorMs);
    this.setDeadlines(nowMs, timeoutMs, null, Infinity);
    // It is one copy: nothing of it is sent twice.
    const once = { ...rules, hedge: null, retry: { ...rules.retry, attemptsMax: 1 } };
    if (this.leaving.readFor(destination)) this.#attempts.first({ ...target, rules: once }, nowMs);
    else this.#end(outcomes.badPath(destination.key));
    parts.shard.leave();
  }

  callHere(here: NonNullable<LiveEndpoint["here"]>, edits: FieldEdits, sink: CallSink): CallHere {
    const { source, caller, flow } = this.mirrored;
    return callHere(source.parts, here, caller, flow, this.#record, this.leaving, edits, sink);
  }

  doubts(): boolean {
    return false;
  }

  answers({ status }: ResponseHead, failure: Outcome | null, nowMs: number): void {
    this.begun = true;
    this.#record.status = status;
    this.#record.outcome = failure;
    this.#record.firstByteMs = nowMs;
  }

  informational(): void {}

  data(_bytes: Uint8Array, start: number, end: number): boolean {
    this.#record.bytesOut += end - start;
    return true;
  }

  end(): void {}
  abort(): void {}

  began(perTryMs: number): void {
    this.setDeadline("try", perTryMs);
  }

  goesOn(attempts: HttpAttempts): void {
    this.#attempts = attempts;
  }

  ranOut(): void {
    this.late("request");
  }

  fallsBackOn(): boolean {
    return false;
  }

  unanswered(outcome: Outcome): void {
    this.refuse(outcome);
  }

  refuse(outcome: Outcome): void {
    this.#record.status = outcome.status;
    this.#end(outcome);
  }

  answered(outcome: Outcome | null): void {
    this.#end(outcome);
  }

  protected get passed(): number {
    return 0;
  }

  protected late(_kind: "request" | "try" | "idle"): void {
    const outcome = outcomes.timeout(this.#record.service, limits.mirrorMs);
    if (this.begun) this.#attempts.cancel(outcome.detail);
    else this.#attempts.abandon(outcome);
    this.#end(this.begun ? this.#record.outcome : outcome);
  }

  #end(outcome: Outcome | null): void {
    if (this.#over) return;
    this.#over = true;
    this.closeDeadlines();
    const { parts } = this.mirrored.source;
    parts.mirrors.taken--;
    if (--this.body.users === 0) parts.shard.buffered.count(-this.body.kept.capacity);
    this.#record.outcome = outcome;
    this.#record.bytesIn = this.#attempts.body.bytes;
    parts.recorder.finish(this.#record, parts.shard.clock.now());
  }
}
