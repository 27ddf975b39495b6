/**
 * What the policies that saw a request are asked about the rest of its exchange: which endpoints they prefer, what becomes of the
 * answer, and, once, that it is over. They are those versions that saw the request, however long it lasts.
 */
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import { serviceKey } from "../model/service.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import type { PolicyFailure, PolicyRecord } from "../telemetry/record.ts";
import type { StreamEvent } from "../wire/event_stream.ts";
import { isGrpc } from "../wire/grpc.ts";
import { mergeEdits, noEdits, type FieldEdits, type Fields } from "../wire/fields.ts";
import type { AnswerVerdict, EventsVerdict } from "./answer_verdict.ts";
import { askPolicy, failsOpen, isAskedAt, policyRecord, type Around } from "./ask_policy.ts";
import { ChunkCalls } from "./chunk_calls.ts";
import type { Failed, Said } from "./heard.ts";
import { bodyBytesFor, bodyWritten, isShown, wroteUnseen, type BodySeen } from "./bodies.ts";
import { bytesOf, type OtherStatus, type Rewritten } from "./decision.ts";
import type { Hook } from "./hooks.ts";
import type { PolicyCall } from "./policy_call.ts";
import type { PolicyChunk, PolicyEndpoint, PolicySummary } from "./sdk.ts";

const hooksOfRest = ["pick", "onResponse", "onEvent", "onChunk", "onEnd"] as const satisfies readonly Hook[];

/** The head of an answer as policies see it; `fields` may be read later. */
export interface SeenAnswer {
  readonly status: number;
  readonly fields: Fields;
  readonly endpoint: string;
  readonly ms: number;
  readonly instanceMs: number;
  /** Where one of them wants to see it. */
  readonly body?: BodySeen;
}

/** null: none of them is asked about anything more. */
export function laterHooks(
  around: Around,
  ran: readonly PolicyBinding[],
  call: PolicyCall,
): LaterHooks | null {
  // What sees requests alone has seen nothing of a connection.
  if (call.hook === "onConnection") {
    const saw = ran.filter((binding) => isAskedAt(binding, "onConnection"));
    return saw.some((binding) => isAskedAt(binding, "onEnd")) ? new LaterHooks(around, saw, call) : null;
  }
  return ran.some((binding) => hooksOfRest.some((hook) => isAskedAt(binding, hook)))
    ? new LaterHooks(around, ran, call)
    : null;
}

export class LaterHooks {
  #ended = false;
  /** It was told that one of them failed on an event. */
  #eventsFailed = false;
  #chunks: ChunkCalls | null = null;

  constructor(
    private readonly around: Around,
    private readonly ran: readonly PolicyBinding[],
    private readonly call: PolicyCall,
  ) {
    const { held } = around;
    for (const binding of ran) held.set(binding, (held.get(binding) ?? 0) + 1);
  }

  has(hook: "pick" | "onResponse" | "onEvent" | "onChunk"): boolean {
    return this.ran.some((binding) => isAskedAt(binding, hook));
  }

  /** The last policy that is asked decides. `done` hears ids of endpoints, the first the dearest; null: as without it. */
  pick(
    endpoints: readonly PolicyEndpoint[],
    done: (ids: readonly string[] | null, records: readonly PolicyRecord[]) => void,
  ): void {
    const binding = this.ran.findLast((each) => isAskedAt(each, "pick"));
    const shown = endpoints.slice(0, limits.policyEndpointsMax);
    if (binding === undefined) return done(null, []);
    const askedMs = this.around.clock.now();
    const call: PolicyCall = { ...this.call, hook: "pick", about: shown };
    askPolicy(this.around, binding, call, (said) => {
      const failed = said.do === "failed";
      const what = failed
        ? ({ action: "error", failure: said.failure, reason: said.reason } as const)
        : ({ action: "next", said: said.do === "prefer" ? (said.ids[0] ?? "") : "" } as const);
      done(said.do === "prefer" ? said.ids : null, [
        policyRecord(this.around, binding, "pick", askedMs, what),
      ]);
    });
  }

  /** The longest body of an answer that one of them wants to see, in bytes; 0: none does. */
  get bodyBytes(): number {
    return bodyBytesFor(this.ran, "response");
  }

  /** In reverse: the policy that saw the request last sees its answer first. */
  answered(
    answer: SeenAnswer,
    done: (verdict: AnswerVerdict, records: readonly PolicyRecord[]) => void,
  ): void {
    const asked = this.ran.filter((binding) => isAskedAt(binding, "onResponse")).toReversed();
    const { status, endpoint, ms, instanceMs, fields, body } = answer;
    const about = { status, endpoint, ms, instanceMs, grpcStatus: fields.get("grpc-status") };
    const { body: _ofRequest, ...known } = this.call;
    const call: PolicyCall = { ...known, hook: "onResponse", fields, about };
    new AnswerEvaluation(
      this.around,
      asked,
      body === undefined ? call : { ...call, body },
      answer,
      done,
    ).ask();
  }

  /** Events of the answer, in the order in which policies see answers; each sees what the one before it left. */
  events(
    events: readonly StreamEvent[],
    done: (verdict: EventsVerdict, records: readonly PolicyRecord[]) => void,
  ): void {
    const asked = this.ran.filter((binding) => isAskedAt(binding, "onEvent")).toReversed();
    const left = events.map((event): Passing => ({ now: event, changed: false }));
    const records: PolicyRecord[] = [];
    this.#showEvents(
      asked,
      0,
      left,
      (verdict) => {
        // A stream may last for ever, and fail with each event: it is told once.
        const told = this.#eventsFailed || records.length === 0 ? [] : records.slice(0, 1);
        this.#eventsFailed ||= records.length > 0;
        done(verdict, told);
      },
      records,
    );
  }

  /** There are events that nobody can read here. What becomes of the answer where one of them fails closed; null: it goes on. */
  unread(reason: string): { readonly refusal: Outcome | null; readonly records: readonly PolicyRecord[] } {
    const records: PolicyRecord[] = [];
    const nowMs = this.around.clock.now();
    for (const binding of this.ran.filter((each) => isAskedAt(each, "onEvent")).toReversed()) {
      const what = { action: "error", failure: "unanswered", reason } as const;
      records.push(policyRecord(this.around, binding, "onEvent", nowMs, what));
      if (!failsOpen(this.around, binding)) return { refusal: noAnswer(binding, this.call), records };
    }
    // A stream may last for ever, and have many of them: it is told once.
    const told = this.#eventsFailed ? [] : records;
    this.#eventsFailed = true;
    return { refusal: null, records: told };
  }

  #showEvents(
    asked: readonly PolicyBinding[],
    index: number,
    all: readonly Passing[],
    done: (verdict: EventsVerdict) => void,
    records: PolicyRecord[],
  ): void {
    const binding = asked[index];
    const shown = all.filter(({ now }) => now !== null);
    if (binding === undefined || shown.length === 0)
      return done({ do: "next", events: all.map(({ now, changed }) => (changed ? now : 0)) });
    const about = shown.map(({ now }) => now);
    const askedMs = this.around.clock.now();
    askPolicy(this.around, binding, { ...this.call, hook: "onEvent", about }, (said) => {
      if (said.do === "events" && said.events.length === shown.length)
        for (const [at, each] of shown.entries()) change(each, said.events[at] ?? null);
      else if (said.do !== "next") {
        const failed = said.do === "failed" ? said : otherEvents;
        const { failure, reason } = failed;
        if (failed === otherEvents) this.around.host.trip(binding.hash, reason);
        const what = { action: "error", failure, reason } as const;
        records.push(policyRecord(this.around, binding, "onEvent", askedMs, what));
        if (!failsOpen(this.around, binding))
          return done({ do: "error", outcome: noAnswer(binding, this.call) });
      }
      this.#showEvents(asked, index + 1, all, done, records);
    });
  }

  /** Bytes of a body on their way: nobody waits for what policies do with them. */
  passes(of: PolicyChunk["of"], bytes: Uint8Array, start: number, end: number): void {
    if (this.#ended) return;
    this.#chunks ??= new ChunkCalls(this.around, this.ran, this.call);
    this.#chunks.take(of, bytes, start, end);
  }

  /** Once, whatever ended it. */
  ended(summary: PolicySummary): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#chunks?.end();
    const call: PolicyCall = { ...this.call, hook: "onEnd", about: summary };
    for (const binding of this.ran) {
      if (!isAskedAt(binding, "onEnd")) this.#letGo(binding);
      else askPolicy(this.around, binding, call, () => this.#letGo(binding));
    }
  }

  #letGo(binding: PolicyBinding): void {
    const { held } = this.around;
    const left = (held.get(binding) ?? 1) - 1;
    if (left > 0) held.set(binding, left);
    else held.delete(binding);
  }
}

const otherEvents: Failed = {
  do: "failed",
  failure: "invalid",
  reason: "it gave back another number of events",
};

/** An event on its way past policies; null: one of them dropped it. */
interface Passing {
  now: StreamEvent | null;
  changed: boolean;
}

function change(passing: Passing, to: StreamEvent | 0 | null): void {
  if (to === 0) return;
  passing.now = to;
  passing.changed = true;
}

function noAnswer({ name }: PolicyBinding, { service }: PolicyCall): Outcome {
  const detail = `the policy "${name}" of ${serviceKey(service)} failed and lets no answer through`;
  return { flag: "PE", side: "policy", repeat: "no", status: 503, detail };
}

/** Statuses whose answers have no body (RFC 9110, sections 15.3.5, 15.3.6, 15.4.5). */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304]);

class AnswerEvaluation {
  #index = 0;
  #edits: FieldEdits = noEdits;
  #more: Rewritten & OtherStatus = {};
  #askedMs = 0;
  readonly #records: PolicyRecord[] = [];

  constructor(
    private readonly around: Around,
    private readonly bindings: readonly PolicyBinding[],
    private call: PolicyCall,
    private readonly answer: Pick<SeenAnswer, "status" | "fields">,
    private readonly done: (verdict: AnswerVerdict, records: readonly PolicyRecord[]) => void,
  ) {}

  ask(): void {
    const binding = this.bindings[this.#index];
    if (binding === undefined)
      return this.done({ do: "next", edits: this.#edits, ...this.#more }, this.#records);
    this.#askedMs = this.around.clock.now();
    askPolicy(this.around, binding, this.call, (said) => this.#take(binding, said));
  }

  #take(binding: PolicyBinding, said: Said): void {
    switch (said.do) {
      case "failed":
        return this.#failed(binding, said.failure, said.reason);
      case "respond":
        this.#record(binding, { action: "respond", said: String(said.status), reason: said.reason });
        return this.done({ ...said, policy: binding.name }, this.#records);
      case "next":
        return this.#next(binding, said);
      default:
        return this.#failed(binding, "invalid", `it decided ${said.do}, which an answer does not take`);
    }
  }

  #next(binding: PolicyBinding, said: Extract<Said, { do: "next" }>): void {
    const merged = mergeEdits(this.#edits, said.edits);
    const problem =
      bytesOf(merged) > limits.policyHeadBytesMax
        ? `with those before it, it writes more than ${limits.policyHeadBytesMax} bytes of header fields`
        : this.#rewrite(binding, said);
    if (problem !== null) {
      this.around.host.trip(binding.hash, problem);
      return this.#failed(binding, "invalid", problem);
    }
    this.#edits = merged;
    if (said.failed === true) this.#more = { ...this.#more, failed: true };
    this.#record(binding, { action: "next" });
    this.#index++;
    this.ask();
  }

  /** Null, or why nothing was changed. */
  #rewrite(binding: PolicyBinding, { json, status }: Rewritten & OtherStatus): string | null {
    if (json !== undefined && !isShown(this.call, binding)) return wroteUnseen;
    if (
      status !== undefined &&
      (bodiless.has(status) || bodiless.has(this.answer.status) || isGrpc(this.answer.fields))
    )
      return `it makes ${status} of an answer that keeps its status, ${this.answer.status}`;
    if (status !== undefined) this.#more = { ...this.#more, status };
    if (json === undefined) return null;
    this.call = { ...this.call, body: bodyWritten(json) };
    this.#more = { ...this.#more, json };
    return null;
  }

  #failed(binding: PolicyBinding, failure: PolicyFailure, reason: string): void {
    this.#record(binding, { action: "error", failure, reason });
    if (failsOpen(this.around, binding)) {
      this.#index++;
      return this.ask();
    }
    this.done({ do: "error", outcome: noAnswer(binding, this.call) }, this.#records);
  }

  #record(binding: PolicyBinding, what: Pick<PolicyRecord, "action"> & Partial<PolicyRecord>): void {
    this.#records.push(policyRecord(this.around, binding, "onResponse", this.#askedMs, what));
  }
}
