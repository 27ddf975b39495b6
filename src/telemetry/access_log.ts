/**
 * Access log: one JSON line per kept record. Kept are errors, denials, slow and repeated exchanges, upgrades, what took an endpoint out, what
 * the other proxy of a call keeps, and a sample that both choose alike. Lines are gathered and written together. What is gathered between two writes is bounded: for the sample
 * tightly, for what must be kept generously. Beyond it lines are dropped and counted by the limit that did it.
 */
import { limits } from "../model/limits.ts";
import type { ExchangeRecord, PolicyRecord } from "./record.ts";

export interface AccessLogOptions {
  /** Share of unremarkable exchanges that is kept, 0 to 1. */
  readonly sampleRatio: number;
  /** From here on an exchange counts as slow, milliseconds. */
  readonly slowMs: number;
  /** Takes lines, each with its end. Whoever takes entries may leave them out. */
  readonly write: (text: string) => void;
  readonly wallMs: () => number;
}

/** A record that is kept, for whoever takes more of it than its line. */
export interface AccessEntry {
  readonly record: ExchangeRecord;
  readonly line: AccessLine;
  /** The line as JSON. */
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly endedWallMs: number;
  readonly durationMs: number;
}

/** Sees each entry as it is kept, and keeps no record of it. */
export type AccessTaker = (entry: AccessEntry) => void;

/** The limits that drop lines: of the sample, and of what is always kept. */
export const accessLogLimits = ["accessLogSampleBytes", "accessLogKeptBytes"] as const;
export type AccessLogLimit = (typeof accessLogLimits)[number];

export class AccessLog {
  #lines: string[] = [];
  /** What was gathered since the last write, in characters, by the limit that bounds it. */
  readonly #bytes: Record<AccessLogLimit, number> = { accessLogSampleBytes: 0, accessLogKeptBytes: 0 };
  readonly #dropped: Record<AccessLogLimit, number> = { accessLogSampleBytes: 0, accessLogKeptBytes: 0 };
  #lastId = "";
  #lastShare = 1;
  #sampleRatio: number;
  #slowMs: number;
  /** null while there are none, which costs nothing. */
  #takers: readonly AccessTaker[] | null = null;

  constructor(readonly options: AccessLogOptions) {
    this.#sampleRatio = options.sampleRatio;
    this.#slowMs = options.slowMs;
  }

  /** Beside what is written. Returns what ends it. */
  also(taker: AccessTaker): () => void {
    this.#takers = [...(this.#takers ?? []), taker];
    return () => {
      const others = this.#takers?.filter((each) => each !== taker) ?? [];
      this.#takers = others.length === 0 ? null : others;
    };
  }

  /** As the mesh says now. */
  change({ sampleRatio, slowMs }: Pick<AccessLogOptions, "sampleRatio" | "slowMs">): void {
    this.#sampleRatio = sampleRatio;
    this.#slowMs = slowMs;
  }

  /** Lines that were lost so far because more came between two writes than this limit lets gather. */
  droppedBy(limit: AccessLogLimit): number {
    return this.#dropped[limit];
  }

  record(record: ExchangeRecord, durationMs: number): void {
    if (isRemarkable(record, durationMs, this.#slowMs))
      this.#gather(record, durationMs, "accessLogKeptBytes");
    else if (this.#sampled(record.requestId, this.#sampleRatio))
      this.#gather(record, durationMs, "accessLogSampleBytes");
  }

  /** The same answer for the same id in every proxy. A call within one machine has two records, one after the other. */
  #sampled(requestId: string, ratio: number): boolean {
    if (ratio >= 1) return true;
    if (ratio <= 0) return false;
    if (requestId !== this.#lastId) {
      this.#lastId = requestId;
      this.#lastShare = shareOf(requestId);
    }
    return this.#lastShare < ratio;
  }

  #gather(record: ExchangeRecord, durationMs: number, limit: AccessLogLimit): void {
    if (this.#bytes[limit] >= limits[limit]) {
      this.#dropped[limit]++;
      return;
    }
    const endedWallMs = this.options.wallMs();
    const line = lineOf(record, durationMs, endedWallMs);
    const text = JSON.stringify(line);
    this.#lines.push(text);
    this.#bytes[limit] += text.length + 1;
    if (this.#takers !== null)
      for (const taker of this.#takers) taker({ record, line, text, endedWallMs, durationMs });
  }

  /** Writes what was gathered. */
  flush(): void {
    if (this.#lines.length === 0) return;
    this.options.write(`${this.#lines.join("\n")}\n`);
    this.#lines = [];
    for (const limit of accessLogLimits) this.#bytes[limit] = 0;
  }
}

/** Whether it is kept whatever the sample is. */
function isRemarkable(record: ExchangeRecord, durationMs: number, slowMs: number): boolean {
  if (record.outcome !== null || record.status >= 500 || durationMs >= slowMs) return true;
  if (record.upgrade !== "" || record.ejected !== "") return true;
  // What one proxy of a call keeps the other keeps as well: it says so by its answer, or by what it sends again.
  if (record.keepLine || record.attempt > 0 || record.attempts.length > 1) return true;
  if (record.access !== null && record.access.verdict !== "allow") return true;
  return record.policies.length > 0 && record.policies.some(isRemarkablePolicy);
}

/**
 * A policy answered in the place of the service, or its own code is at fault: few lines, since one that goes on failing is not asked
 * any more.
 */
function isRemarkablePolicy({ action, failure }: PolicyRecord): boolean {
  return action === "respond" || failure === "throw" || failure === "invalid";
}

/** FNV-1a, between 0 and 1. */
function shareOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0) / 0x1_0000_0000;
}

/** The fields in the order of reading: when, who, what, how it ended, where it went. */
function lineOf(record: ExchangeRecord, durationMs: number, wallMs: number) {
  return {
    ts: new Date(wallMs).toISOString(),
    direction: record.direction,
    src: record.source,
    dst: record.service,
    src_id: record.sourceId || undefined,
    dst_id: record.destinationId || undefined,
    method: record.method || undefined,
    path: record.path || undefined,
    proto: record.protocol,
    detected: record.detected || undefined,
    status: record.status || undefined,
    upgrade: record.upgrade || undefined,
    grpc: record.grpc || undefined,
    flags: record.outcome?.flag,
    side: record.outcome?.side,
    detail: record.outcome?.detail,
    dur_ms: round(durationMs),
    ttfb_ms: record.firstByteMs > 0 ? round(record.firstByteMs - record.startedMs) : undefined,
    bytes_in: record.bytesIn,
    bytes_out: record.bytesOut,
    upstream: record.endpoint || undefined,
    zone: record.zone || undefined,
    route: record.route || undefined,
    attempts: record.attempts.length > 1 ? record.attempts : undefined,
    attempt: record.attempt || undefined,
    model: record.inference?.requestModel || undefined,
    tokens_in: record.inference?.usage.input ?? undefined,
    tokens_cached: record.inference?.usage.cached ?? undefined,
    tokens_out: record.inference?.outputTokens,
    first_token_ms: firstTokenMs(record),
    no_retry: record.noRetry || undefined,
    ejected: record.ejected || undefined,
    tls: record.tls,
    request_id: record.requestId || undefined,
    trace_id: record.trace?.traceId,
    span_id: record.trace?.spanId,
    policies: record.policies.length > 0 ? record.policies.map(policyText) : undefined,
    access: record.access ?? undefined,
  };
}

export type AccessLine = ReturnType<typeof lineOf>;

/** `heddle explain log` says what each means. */
export type AccessLogField = keyof AccessLine;

function policyText({ name, hash, hook, action, failure, said, reason, us }: PolicyRecord): object {
  const words = [action, failure ?? said].filter((word) => word !== "");
  return { name, hash, hook, decision: words.join(" "), reason: reason || undefined, us };
}

function firstTokenMs({ inference, startedMs }: ExchangeRecord): number | undefined {
  if (inference === null || inference.firstContentMs === 0) return undefined;
  return round(inference.firstContentMs - startedMs);
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
