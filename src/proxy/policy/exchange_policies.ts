/**
 * What policies are asked about an exchange after they saw its request: which endpoints they prefer, what becomes of its answer,
 * and that it is over. Made only where one of them wants to know.
 */
import type { Shard } from "../../http/shard.ts";
import type { ResponseHead } from "../../http/exchange.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import { bodyByHead, bodyInFull, isEncoded, unreadBody, type BodySeen } from "../../policy/bodies.ts";
import type { LaterHooks } from "../../policy/later_hooks.ts";
import type { AnswerVerdict, EventsVerdict } from "../../policy/answer_verdict.ts";
import { noEdits, type FieldEdits } from "../../wire/fields.ts";
import type { StreamEvent } from "../../wire/event_stream.ts";
import type { PolicyRecord } from "../../telemetry/record.ts";
import type { CallRecord } from "../record/call_record.ts";
import type { LiveEndpoint } from "../state/live_service.ts";

/** An answer that waits until they have decided. */
export interface Held {
  readonly head: ResponseHead;
  /** `then` hears once of all of its body, or that it is longer than `most` bytes; null: it broke off. */
  gather(most: number, then: (whole: Uint8Array | "too long" | null) => void): void;
}

/** What a request asks for whose answer policies want to read: they see nothing of what is compressed. */
export const unencoded: FieldEdits = { remove: [], set: ["accept-encoding", "identity"], add: [] };

/** How long it took until the head of an answer came: since its request came, and since its instance had all of that. */
export interface AnswerTimes {
  readonly ms: number;
  readonly instanceMs: number;
}

export class ExchangePolicies {
  readonly picks: boolean;
  /** One of them wants to see events. */
  readonly readsEvents: boolean;
  /** The longest body of an answer that one of them wants to see; 0: none does. */
  readonly bodyBytes: number;
  /** One of them wants to see bytes on their way. */
  readonly seesChunks: boolean;
  /** One of them wants to see answers. */
  readonly seesAnswers: boolean;

  constructor(
    readonly shard: Shard,
    readonly record: CallRecord,
    readonly later: LaterHooks,
  ) {
    this.picks = later.has("pick");
    this.readsEvents = later.has("onEvent");
    this.seesChunks = later.has("onChunk");
    this.seesAnswers = later.has("onResponse");
    this.bodyBytes = this.seesAnswers ? later.bodyBytes : 0;
  }

  /** Whether one of them looks at this answer of the service. */
  sees({ tunnel }: ResponseHead): boolean {
    return this.seesAnswers && !tunnel;
  }

  /** `done` hears the preferred of them, the dearest first; null: they leave it to the balancer. */
  pick(endpoints: readonly LiveEndpoint[], done: (preferred: readonly LiveEndpoint[] | null) => void): void {
    const nowMs = this.shard.clock.now();
    const shown = endpoints.map(({ id, weight, zone, endpoint, load }) => {
      const { labels } = endpoint;
      return {
        id,
        weight,
        zone,
        labels,
        inflight: load.pending,
        ewmaMs: load.at(nowMs) / (load.pending + 1),
      };
    });
    this.later.pick(shown, (ids, records) => {
      this.#heard(records, () => {
        const preferred = ids?.flatMap((id) => endpoints.filter((each) => each.id === id)) ?? [];
        done(preferred.length === 0 ? null : preferred);
      });
    });
  }

  /** Whether they see bodies or events of answers: what is compressed they cannot read. */
  get reads(): boolean {
    return this.readsEvents || this.bodyBytes > 0;
  }

  /** What is held is a copy: its head may be another's by the time that they decide. `done` hears so, too, where it broke meanwhile. */
  answered(held: Held, times: AnswerTimes, done: (verdict: AnswerVerdict) => void): void {
    const { record, shard, bodyBytes } = this;
    const { status, fields, contentLength } = held.head;
    const ask = (body: BodySeen | null): void => {
      const head = { status, fields, endpoint: record.endpoint, ...times };
      const seen = body === null ? head : { ...head, body };
      this.later.answered(seen, (verdict, records) => this.#heard(records, () => done(verdict)));
    };
    if (bodyBytes === 0) return ask(null);
    const known = bodyByHead(fields, contentLength, bodyBytes);
    if (known !== null) return ask(known);
    if (shard.buffered.tight) return ask(unreadBody("left out"));
    held.gather(bodyBytes, (whole) => {
      if (whole === null) done({ do: "next", edits: noEdits });
      else ask(whole === "too long" ? unreadBody(whole) : bodyInFull(whole));
    });
  }

  /** Whether one of them looks at the events of this answer. */
  seesEvents(head: ResponseHead): boolean {
    return this.#hasEvents(head) && !isEncoded(head.fields);
  }

  #hasEvents({ fields, tunnel, whole }: ResponseHead): boolean {
    if (tunnel || whole || !this.readsEvents) return false;
    return /^text\/event-stream\s*(?:;|$)/i.test(fields.get("content-type") ?? "");
  }

  /** Why this answer does not go on: it has events that a policy wants to see, encoded so that it cannot. null: it does. */
  refusalOf(head: ResponseHead): Outcome | null {
    if (!this.#hasEvents(head) || !isEncoded(head.fields)) return null;
    return this.#unread("the events are encoded, and nobody can read them here");
  }

  /** Whether the stream ends because there is an event that is too long. */
  unread(): Outcome | null {
    return this.#unread(`an event has more than ${limits.policyEventBytesMax} bytes (policyEventBytesMax)`);
  }

  #unread(reason: string): Outcome | null {
    const { refusal, records } = this.later.unread(reason);
    this.record.policies = [...this.record.policies, ...records];
    return refusal;
  }

  events(events: readonly StreamEvent[], done: (verdict: EventsVerdict) => void): void {
    this.later.events(events, (verdict, records) => this.#heard(records, () => done(verdict)));
  }

  /** Bytes go on. */
  passes(of: "request" | "response", bytes: Uint8Array, start: number, end: number): void {
    if (this.seesChunks) this.later.passes(of, bytes, start, end);
  }

  /** It is over, and its record says how. */
  ended(): void {
    const { record, shard } = this;
    const { status, outcome, bytesIn, bytesOut, startedMs, firstByteMs, endpoint, attempts } = record;
    this.later.ended({
      ...{ status, bytesIn, bytesOut, endpoint },
      flag: outcome?.flag ?? "",
      ms: shard.clock.now() - startedMs,
      ttfbMs: firstByteMs === 0 ? null : firstByteMs - startedMs,
      retries: Math.max(0, attempts.length - 1),
    });
  }

  #heard(records: readonly PolicyRecord[], then: () => void): void {
    this.shard.enter();
    this.record.policies = [...this.record.policies, ...records];
    then();
    this.shard.leave();
  }
}
