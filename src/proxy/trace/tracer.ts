/**
 * Decides which requests are traced, and keeps their spans. Head sampling is by the parent where there is one, else by the trace's id,
 * so that every proxy decides alike. What was not sampled and turns out to be worth it (an error, slow, retried, denied) is kept all
 * the same, and the other proxies of its trace are told, which have the rest of it in their memory still.
 */
import type { Random } from "../../../runtime/contract.ts";
import { last32Bits } from "../../base/bytes.ts";
import { limits } from "../../model/limits.ts";
import type { KeepReason, TraceSettings } from "../../model/telemetry.ts";
import type { Fields } from "../../wire/fields.ts";
import { readTraceContext, type TraceContext } from "../../wire/trace_context.ts";
import type { ExchangeRecord } from "../../telemetry/record.ts";
import type { Hop } from "../../telemetry/trace/span.ts";
import type { KeptTraces } from "./kept_traces.ts";
import { TraceIds } from "./trace_ids.ts";
import type { TraceRef } from "../../model/trace_ref.ts";

/** What the pipelines ask. */
export interface Tracing {
  /** Where the span of a request that comes stands; null: nothing is traced, and what it carries goes on untouched. */
  begin(fields: Fields): TraceRef | null;
  /** Of a hop that is caused by another one in this process. */
  below(trace: TraceRef | null): TraceRef | null;
  /** Whether the proxy that a request came from is to be told, with the answer, that its trace is kept. */
  isKept(trace: TraceRef | null): boolean;
  /** Whether requests say their trace in the form of B3 too. */
  readonly tellsB3: boolean;
}

export interface TracerOptions {
  readonly random: Random;
  /** Milliseconds since 1970 of what was then on the clock that never jumps. */
  readonly wallAt: (monotonicMs: number) => number;
  /** A hop whose span is kept. */
  readonly keep: (hop: Hop) => void;
  /** Hops of a trace that ended before it was known that it is kept, and were not sampled. */
  readonly remembered: (traceId: string) => readonly Hop[];
  /** A trace that was not sampled is kept: the proxy before this endpoint (an instance's id) has a part of it. */
  readonly tell: (endpoint: string, traceId: string) => void;
  /** What other event loops of this machine keep. Default: there are none. */
  readonly shared?: KeptTraces | null;
}

export class Tracer implements Tracing {
  /** What other event loops keep too; null: there are none. */
  readonly #shared: KeptTraces | null;
  tellsB3 = false;
  #settings: TraceSettings | null = null;
  #reasons: ReadonlySet<KeepReason> = new Set();
  readonly #ids: TraceIds;
  /** Traces that are kept though they were not sampled, the newest. */
  readonly #kept = new Set<string>();

  constructor(readonly options: TracerOptions) {
    this.#ids = new TraceIds(options.random);
    this.#shared = options.shared ?? null;
  }

  /** Without a receiver nothing is traced. */
  set settings(settings: TraceSettings) {
    this.#settings = settings.endpoint === null ? null : settings;
    this.#reasons = new Set(settings.keep);
    this.tellsB3 = this.#settings?.propagate.includes("b3") === true;
  }

  begin(fields: Fields): TraceRef | null {
    const settings = this.#settings;
    if (settings === null) return null;
    const parent = readTraceContext(fields);
    const spanId = this.#ids.span();
    if (parent === null) {
      const traceId = this.#ids.trace();
      const sampled = isSampled(traceId, settings.samplePercent);
      return { traceId, spanId, parentId: "", sampled, random: true, state: "" };
    }
    const { traceId, spanId: parentId, random, state } = parent;
    return { traceId, spanId, parentId, sampled: decided(parent, settings), random, state };
  }

  below(trace: TraceRef | null): TraceRef | null {
    if (trace === null) return null;
    const { traceId, sampled, random, state } = trace;
    return { traceId, spanId: this.#ids.span(), parentId: trace.spanId, sampled, random, state };
  }

  /** A request is over. Returns when, in milliseconds since 1970, if its span is kept; else null. */
  finish(record: ExchangeRecord, endedMs: number): number | null {
    const { trace } = record;
    const settings = this.#settings;
    if (trace === null || settings === null) return null;
    const known = trace.sampled || record.keep || this.#isKnown(trace.traceId);
    if (!known && !this.#isWorthIt(record, endedMs - record.startedMs, settings)) return null;
    const wallMs = this.options.wallAt(endedMs);
    this.options.keep(hopOf(record, trace, endedMs, wallMs));
    if (!trace.sampled)
      this.#keepWhole(trace.traceId, record.direction === "outbound" ? record.endpoint : "");
    return wallMs;
  }

  isKept(trace: TraceRef | null): boolean {
    return trace !== null && !trace.sampled && this.#isKnown(trace.traceId);
  }

  #isKnown(traceId: string): boolean {
    return (this.#kept.size > 0 && this.#kept.has(traceId)) || this.#shared?.has(traceId) === true;
  }

  /** Another proxy keeps this trace. */
  keepTrace(traceId: string): void {
    if (this.#settings !== null) this.#keepWhole(traceId, "");
  }

  /** `endpoint`: the one that has a part of it and does not know yet; "": none. */
  #keepWhole(traceId: string, endpoint: string): void {
    if (endpoint !== "") this.options.tell(endpoint, traceId);
    if (this.#kept.has(traceId)) return;
    if (this.#kept.size >= limits.keptTracesMax) {
      const [oldest] = this.#kept;
      if (oldest !== undefined) this.#kept.delete(oldest);
    }
    this.#kept.add(traceId);
    this.#shared?.add(traceId);
    for (const hop of this.options.remembered(traceId)) {
      this.options.keep(hop);
      const { direction, endpoint: to } = hop.facts;
      if (direction === "outbound" && to !== "") this.options.tell(to, traceId);
    }
  }

  #isWorthIt(record: ExchangeRecord, durationMs: number, { slowMs }: TraceSettings): boolean {
    const reasons = this.#reasons;
    if (reasons.has("error") && (record.status >= 500 || record.outcome !== null || isGrpcError(record)))
      return true;
    if (reasons.has("slow") && durationMs >= slowMs) return true;
    if (reasons.has("retried") && record.attempts.length > 1) return true;
    return reasons.has("denied") && record.access?.verdict === "deny";
  }
}

/** `wallMs`: what the wall clock said when it ended. */
function hopOf(facts: ExchangeRecord, trace: TraceRef, endedMs: number, wallMs: number): Hop {
  const { startedMs, firstByteMs } = facts;
  return {
    facts,
    trace,
    startMs: wallMs - (endedMs - startedMs),
    endMs: wallMs,
    firstByteMs: firstByteMs > 0 ? firstByteMs - startedMs : null,
  };
}

/** Where nothing is traced. */
export const noTracing: Tracing = {
  begin: () => null,
  below: () => null,
  isKept: () => false,
  tellsB3: false,
};

function decided({ sampled, traceId }: TraceContext, { samplePercent }: TraceSettings): boolean {
  return sampled ?? isSampled(traceId, samplePercent);
}

/** By the last 32 bits of the id, as every proxy does. */
function isSampled(traceId: string, percent: number): boolean {
  return percent >= 100 || last32Bits(traceId) < (percent / 100) * 2 ** 32;
}

/** What is the server's fault: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
function isGrpcError({ grpc }: ExchangeRecord): boolean {
  return grpc === "2" || grpc === "4" || grpc === "13" || grpc === "14" || grpc === "15";
}
