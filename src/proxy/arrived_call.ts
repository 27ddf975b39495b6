/**
 * What policies of the server's side do with a call that arrived, for `inbound.ts`, which says when: they are asked about its request,
 * which may wait with its body, and about its answer, and may give one themselves.
 */
import type { ClientStream, OutgoingRequest, ResponseHead } from "../http/exchange.ts";
import type { Outcome } from "../model/outcome.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import type { GivenAnswer } from "../policy/answer_verdict.ts";
import type { PolicyVerdict } from "../policy/verdict.ts";
import type { FieldEdits, Fields } from "../wire/fields.ts";
import { isGrpc } from "../wire/grpc.ts";
import { noFields } from "../wire/head_fields.ts";
import { readTarget } from "../wire/target.ts";
import { headWith, HeldAnswer } from "./answer/held_answer.ts";
import type { CallSink } from "./attempt/call_sink.ts";
import { HeldBody } from "./attempt/held_body.ts";
import { HeldRequest } from "./attempt/held_request.ts";
import { outcomes } from "./failure/outcomes.ts";
import { errorText, speaksGrpc } from "./failure/rescue.ts";
import { WatchedStream } from "./policy/watched_stream.ts";
import { askAtServer, type ArrivedRequest } from "./policy/ask_policies.ts";
import { unencoded, type ExchangePolicies } from "./policy/exchange_policies.ts";
import type { CallRecord } from "./record/call_record.ts";
import { changed, givenHead, withBody } from "./rewrite/arriving.ts";
import { withEdits } from "./rewrite/leaving.ts";
import type { InboundService } from "./state/live_service.ts";
import type { ProxyParts } from "./state/proxy_parts.ts";

export abstract class ArrivedCall implements ArrivedRequest {
  /** What policies of this side are asked about the rest of it; null: nothing. */
  policies: ExchangePolicies | null = null;
  finished = false;
  /** While they look at the head of its answer. */
  protected held: HeldAnswer | null = null;
  /** Of the request, where policies see it first. */
  protected body: HeldRequest | null = null;
  protected stream: ClientStream | null = null;
  /** How long the caller still waits since it began, in milliseconds; null: as long as it takes. */
  deadlineMs: number | null = null;
  /** A policy sent it: policies here may ask nobody about it. */
  ofPolicy = false;

  constructor(
    readonly parts: Pick<ProxyParts, "shard" | "recorder" | "shedder" | "policies" | "calls">,
    readonly service: InboundService,
    readonly record: CallRecord,
    /** As the app gets it. */
    protected request: OutgoingRequest,
    protected edits: FieldEdits,
    readonly sink: CallSink,
  ) {}

  /** Policies let it pass. */
  protected abstract enterGate(): void;
  /** False: it was refused. */
  protected abstract isLetIn(): boolean;
  protected abstract finish(outcome: Outcome | null): void;
  abstract failed(outcome: Outcome): void;
  abstract data(bytes: Uint8Array, start: number, end: number): void;
  abstract end(trailers: Fields | null): void;

  protected ask(bindings: readonly PolicyBinding[]): void {
    const { method, authority, target } = this.request;
    const fields = (this.request.fields ?? noFields).copy();
    const { service } = this.service.local;
    const head = { hook: "onRequest", method, authority, target, fields, service } as const;
    const { deadlineMs, parts, record, ofPolicy } = this;
    const late = deadlineMs === null ? {} : { deadlineMs };
    const services = ofPolicy ? {} : { services: parts.calls(service, record.requestId) };
    askAtServer(parts, bindings, record, { ...head, ...late, ...services }, this);
  }

  get bodyLength(): number {
    return this.request.contentLength;
  }

  hold(most: number, then: Parameters<ArrivedRequest["hold"]>[1]): void {
    const held = new HeldBody(this.parts.shard.buffered, most, then);
    this.body = new HeldRequest(held, () => this.sink.writable());
    // There is no app yet that would say so.
    if (this.request.expectContinue) this.sink.informational(100, noFields);
    this.sink.started(this.body);
  }

  #rewriteBody(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.body?.body.replace(bytes);
    [this.request, this.edits] = withBody(this.request, this.edits, bytes.length);
  }

  decided(verdict: PolicyVerdict): void {
    if (verdict.do === "error") return this.failed(verdict.outcome);
    if (verdict.do === "respond") return this.#give(verdict);
    this.edits = withEdits(this.edits, verdict.edits);
    if (this.policies?.reads === true) this.edits = withEdits(this.edits, unencoded);
    if (verdict.do === "next" && verdict.json !== undefined) this.#rewriteBody(verdict.json);
    if (verdict.target !== null) {
      const { local, key } = this.service;
      const read = readTarget(local, verdict.target.target);
      if (read === null) return this.failed(outcomes.badPath(key));
      this.request = changed(this.request, { target: read.target });
      this.record.path = read.path;
      // Whoever wrote the path: rules see what the app gets.
      if (!this.isLetIn()) return;
    }
    this.enterGate();
  }

  /** What a policy answers in the place of the app. */
  #give({ status, policy, headers, body }: GivenAnswer): void {
    const denial = status < 400 ? null : outcomes.policyDenied(policy, this.service.key, status);
    const { fields } = this.request;
    if (denial !== null && fields !== null && isGrpc(fields) && !speaksGrpc(headers))
      return this.failed(denial);
    const bytes = new TextEncoder().encode(body);
    this.record.status = status;
    const { sink } = this;
    const error = denial === null ? "" : errorText(denial);
    sink.head(givenHead(status, headers.set, error, bytes.length));
    if (bytes.length > 0) sink.data(bytes, 0, bytes.length);
    sink.end(null);
    this.finish(denial);
  }

  /** Whether policies see what passes. */
  protected get watches(): boolean {
    return this.policies?.seesChunks === true && this.request.upgrade === null;
  }

  protected watched(stream: ClientStream): ClientStream {
    const { policies } = this;
    return policies === null || !this.watches ? stream : new WatchedStream(stream, policies);
  }

  /** The answer waits here until they have seen its head. */
  protected show(came: ResponseHead, policies: ExchangePolicies): void {
    const held = new HeldAnswer(came, this.parts.shard.buffered, () => this.stream?.pause());
    this.held = held;
    const ms = this.parts.shard.clock.now() - this.record.startedMs;
    policies.answered(held, { ms, instanceMs: ms }, (verdict) => {
      this.held = null;
      if (this.finished) return;
      if (held.broken !== null) return this.failed(held.broken);
      if (verdict.do === "next") return this.#pass(held, held.obey(verdict));
      held.drop();
      if (!held.over) this.stream?.cancel();
      if (verdict.do === "respond") return this.#give(verdict);
      this.record.status = 0;
      this.failed(verdict.outcome);
    });
  }

  #pass(held: HeldAnswer, edits: FieldEdits): void {
    this.record.status = held.head.status;
    this.sink.head(headWith(held.head, edits));
    if (this.finished) return;
    held.replay((bytes, start, end) => this.data(bytes, start, end));
    if (held.over) this.end(held.trailers);
    // Whoever takes it pauses it again where that was too much.
    else this.stream?.resume();
  }
}
