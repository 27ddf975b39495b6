/**
 * Access log: one JSON line per kept record. Kept are errors, denials, slow exchanges, upgrades, what took an endpoint out, and a sample that both proxies of
 * a call choose alike. Lines are gathered and written together. What is gathered between two writes is bounded: for the sample
 * tightly, for what must be kept generously. Beyond it lines are dropped and counted by the limit that did it.
 */
import { limits } from "../model/limits.ts";
import type { ExchangeRecord, PolicyRecord } from "./record.ts";

export interface AccessLogOptions {
  /** Share of unremarkable exchanges that is kept, 0 to 1. */
  readonly sampleRatio: number;
  /** From here on an exchange counts as slow, milliseconds. */
  readonly slowMs: number;
  readonly write: (text: string) => void;
  readonly wallMs: () => number;
}

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

  constructor(readonly options: AccessLogOptions) {}

  /** Lines that were lost so far because more came between two writes than this limit lets gather. */
  droppedBy(limit: AccessLogLimit): number {
    return this.#dropped[limit];
  }

  record(record: ExchangeRecord, durationMs: number): void {
    const { slowMs, sampleRatio } = this.options;
    if (isRemarkable(record, durationMs, slowMs)) this.#gather(record, durationMs, "accessLogKeptBytes");
    else if (this.#sampled(record.requestId, sampleRatio))
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
    const line = accessLine(record, durationMs, this.options.wallMs());
    this.#lines.push(line);
    this.#bytes[limit] += line.length + 1;
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
function accessLine(record: ExchangeRecord, durationMs: number, wallMs: number): string {
  return JSON.stringify(lineOf(record, durationMs, wallMs));
}

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
    route: record.route || undefined,
    attempts: record.attempts.length > 1 ? record.attempts : undefined,
    ejected: record.ejected || undefined,
    tls: record.tls,
    request_id: record.requestId || undefined,
    policies: record.policies.length > 0 ? record.policies.map(policyText) : undefined,
    access: record.access ?? undefined,
  };
}

/** `heddle explain log` says what each means. */
export type AccessLogField = keyof ReturnType<typeof lineOf>;

function policyText({ name, hash, hook, action, failure, said, reason, us }: PolicyRecord): object {
  const words = [action, failure ?? said].filter((word) => word !== "");
  return { name, hash, hook, decision: words.join(" "), reason: reason || undefined, us };
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
