/**
 * Remembers the last requests of a proxy for `heddle why`, in memory that is bounded whatever they hold: numbers in columns, names
 * that come again by their number, all other text in one ring of bytes. Everything is copied when a record ends, which costs well below a
 * microsecond; words are made of it when somebody asks.
 */
import type { Evidence, EvidenceOfPolicy } from "../model/evidence.ts";
import { limits } from "../model/limits.ts";
import type { Flag, Outcome, Side } from "../model/outcome.ts";
import type { TraceRef } from "../model/trace_ref.ts";
import type { ExchangeRecord, PolicyRecord } from "./record.ts";
import { TextRing, type TextReader } from "./text_ring.ts";
import { TraceIndex } from "./trace_index.ts";
import { WordTable } from "./word_table.ts";

/** Fields that hold few words, by their place in a record's columns. */
const wordFields = [
  ...(["direction", "kind", "service", "source", "sourceId", "destinationId", "protocol"] as const),
  ...(["detected", "route", "endpoint", "ejected"] as const),
] as const;
const numberFields = ["startedMs", "endedMs", "firstByteMs", "bytesIn", "bytesOut", "status", "at"] as const;
const [wordCount, numberCount] = [wordFields.length, numberFields.length];
/** Beside those words: verdict and rule of access, which stand in the text. */
const columnCount = wordCount + 2;
const [hasOutcome, hasAttempts, hasPolicies, hasAccess] = [1, 2, 4, 8] as const;
const [hasTls, hasUpgrade, hasGrpc, hasTrace, hasNoRetry] = [16, 32, 64, 128, 256] as const;

export class EvidenceRing {
  readonly #size: number;
  readonly #words: Uint16Array;
  readonly #numbers: Float64Array;
  readonly #generations: Uint32Array;
  readonly #text: TextRing;
  readonly #traces: TraceIndex;
  readonly #table = new WordTable();
  /**
   * Words of the last inbound record by column, then those of the last outbound one, with their numbers: a call within one machine has
   * one of each. Every request passes here: nothing is made for it, and seldom is a word looked up.
   */
  readonly #last: (string | null)[] = new Array<string | null>(2 * columnCount).fill(null);
  readonly #lastNumbers = new Uint16Array(2 * columnCount);
  #count = 0;

  constructor(size: number = limits.evidenceRecordsMax, bytes: number = limits.evidenceBytesMax) {
    this.#size = size;
    this.#words = new Uint16Array(size * wordCount);
    this.#numbers = new Float64Array(size * numberCount);
    this.#generations = new Uint32Array(size);
    this.#traces = new TraceIndex(size);
    this.#text = new TextRing(bytes, limits.evidenceRecordBytesMax);
  }

  add(record: ExchangeRecord, endedMs: number): void {
    const slot = this.#count++ % this.#size;
    const table = this.#table;
    if (table.makeRoom()) this.#last.fill(null);
    this.#generations[slot] = table.generation;
    if (record.trace !== null) this.#traces.add(this.#count - 1, record.trace.traceId);
    const at = slot * wordCount;
    const side = record.direction === "inbound" ? 0 : columnCount;
    const words = this.#words;
    words[at] = this.#numberOf(side, record.direction);
    words[at + 1] = this.#numberOf(side + 1, record.kind);
    words[at + 2] = this.#numberOf(side + 2, record.service);
    words[at + 3] = this.#numberOf(side + 3, record.source);
    words[at + 4] = this.#numberOf(side + 4, record.sourceId);
    words[at + 5] = this.#numberOf(side + 5, record.destinationId);
    words[at + 6] = this.#numberOf(side + 6, record.protocol);
    words[at + 7] = this.#numberOf(side + 7, record.detected);
    words[at + 8] = this.#numberOf(side + 8, record.route);
    words[at + 9] = this.#numberOf(side + 9, record.endpoint);
    words[at + 10] = this.#numberOf(side + 10, record.ejected);
    const numbers = this.#numbers;
    const first = slot * numberCount;
    numbers[first] = record.startedMs;
    numbers[first + 1] = endedMs;
    numbers[first + 2] = record.firstByteMs;
    numbers[first + 3] = record.bytesIn;
    numbers[first + 4] = record.bytesOut;
    numbers[first + 5] = record.status;
    numbers[first + 6] = this.#text.begin();
    this.#writeText(record, side + wordCount);
  }

  /** Mostly the word of the record before. */
  #numberOf(column: number, word: string): number {
    if (this.#last[column] !== word) {
      this.#last[column] = word;
      this.#lastNumbers[column] = this.#table.of(word);
    }
    return this.#lastNumbers[column] as number;
  }

  /** Of this request, in the order in which they ended. */
  find(requestId: string): Evidence[] {
    const found: Evidence[] = [];
    const oldest = Math.max(0, this.#count - this.#size);
    for (let index = oldest; index < this.#count; index++) {
      const slot = index % this.#size;
      const reader = this.#readerOf(slot);
      if (reader?.startsWith(requestId) === true) found.push(this.#read(slot, reader));
    }
    return found;
  }

  /** Of this trace, in the order in which they ended. */
  findTrace(traceId: string): Evidence[] {
    const found: Evidence[] = [];
    const oldest = Math.max(0, this.#count - this.#size);
    for (const index of this.#traces.find(traceId, oldest)) {
      const slot = index % this.#size;
      const reader = this.#readerOf(slot);
      const evidence = reader === null ? null : this.#read(slot, reader);
      if (evidence?.trace?.traceId === traceId) found.push(evidence);
    }
    return found;
  }

  /** null: newer ones have taken its place. */
  #readerOf(slot: number): TextReader | null {
    if (!this.#table.knows(this.#generations[slot] as number)) return null;
    return this.#text.read(this.#numbers[slot * numberCount + 6] as number);
  }

  // --------------------------------------------------------------------- what the ring of bytes holds of a record

  /** `column`: where the words of access are remembered. */
  #writeText(record: ExchangeRecord, column: number): void {
    const text = this.#text;
    const { requestId, method, path, upgrade, grpc, outcome, attempts, policies, access, tls } = record;
    text.text(requestId);
    text.short(
      (outcome === null ? 0 : hasOutcome) |
        (attempts.length === 0 ? 0 : hasAttempts) |
        (policies.length === 0 ? 0 : hasPolicies) |
        (access === null ? 0 : hasAccess) |
        (tls ? hasTls : 0) |
        (upgrade === "" ? 0 : hasUpgrade) |
        (grpc === "" ? 0 : hasGrpc) |
        (record.trace === null ? 0 : hasTrace) |
        (record.noRetry === "" ? 0 : hasNoRetry),
    );
    text.text(method);
    text.text(path);
    if (upgrade !== "") text.text(upgrade);
    if (grpc !== "") text.text(grpc);
    if (record.trace !== null) writeTrace(text, record.trace);
    if (access !== null) {
      text.short(this.#numberOf(column, access.verdict));
      text.short(this.#numberOf(column + 1, access.rule));
    }
    if (record.noRetry !== "") this.#word(record.noRetry);
    if (outcome !== null) this.#writeOutcome(outcome);
    if (attempts.length > 0) this.#writeAttempts(attempts);
    if (policies.length > 0) this.#writePolicies(policies);
  }

  #word(word: string): void {
    this.#text.short(this.#table.of(word));
  }

  #writeOutcome({ flag, side, detail }: Outcome): void {
    this.#word(flag);
    this.#word(side);
    this.#text.text(detail);
  }

  #writeAttempts(attempts: ExchangeRecord["attempts"]): void {
    const count = Math.min(attempts.length, limits.evidenceAttemptsMax);
    this.#text.short(count);
    for (let at = 0; at < count; at++) {
      const { endpoint, ms, result } = attempts[at] as ExchangeRecord["attempts"][number];
      this.#word(endpoint);
      this.#word(result);
      this.#text.long(ms * 1_000);
    }
  }

  #writePolicies(policies: readonly PolicyRecord[]): void {
    const count = Math.min(policies.length, limits.evidencePoliciesMax);
    this.#text.short(count);
    for (let at = 0; at < count; at++) {
      const { name, hash, hook, action, failure, said, reason, us } = policies[at] as PolicyRecord;
      this.#word(name);
      this.#word(hash);
      this.#word(hook);
      this.#word(action);
      this.#word(failure ?? "");
      this.#text.text(said);
      this.#text.text(reason);
      this.#text.long(us);
    }
  }

  // ---------------------------------------------------------------------------------------------- and its way back

  #read(slot: number, reader: TextReader): Evidence {
    const generation = this.#generations[slot] as number;
    const wordAt = (index: number): string => this.#table.word(generation, index);
    const field = (name: (typeof wordFields)[number]): string =>
      wordAt(this.#words[slot * wordCount + wordFields.indexOf(name)] as number);
    const number = (name: (typeof numberFields)[number]): number =>
      this.#numbers[slot * numberCount + numberFields.indexOf(name)] as number;
    const word = (): string => wordAt(reader.short());
    const many = <Item>(item: () => Item): Item[] => Array.from({ length: reader.short() }, item);
    const requestId = reader.text();
    const flags = reader.short();
    const has = (flag: number): boolean => (flags & flag) !== 0;
    const [method, path] = [reader.text(), reader.text()];
    const upgrade = has(hasUpgrade) ? reader.text() : "";
    const grpc = has(hasGrpc) ? reader.text() : "";
    const trace = has(hasTrace) ? traceIn(reader) : null;
    const access = has(hasAccess) ? { verdict: word(), rule: word() } : null;
    const noRetry = has(hasNoRetry) ? word() : "";
    const outcome = has(hasOutcome)
      ? { flag: word() as Flag, side: word() as Side, detail: reader.text() }
      : null;
    const attempts = has(hasAttempts)
      ? many(() => ({ endpoint: word(), result: word(), ms: reader.long() / 1_000 }))
      : [];
    const policies = has(hasPolicies) ? many(() => policyOf(word, reader)) : [];
    const [startedMs, firstByteMs] = [number("startedMs"), number("firstByteMs")];
    return {
      direction: field("direction") as Evidence["direction"],
      kind: field("kind") as Evidence["kind"],
      requestId,
      startedMs,
      durationMs: number("endedMs") - startedMs,
      firstByteMs: firstByteMs > 0 ? firstByteMs - startedMs : null,
      service: field("service"),
      source: field("source"),
      sourceId: field("sourceId"),
      destinationId: field("destinationId"),
      tls: has(hasTls),
      method,
      path,
      protocol: field("protocol"),
      detected: field("detected"),
      upgrade,
      grpc,
      route: field("route"),
      status: number("status"),
      outcome,
      bytesIn: number("bytesIn"),
      bytesOut: number("bytesOut"),
      endpoint: field("endpoint"),
      attempts,
      noRetry,
      ejected: field("ejected"),
      policies,
      access,
      trace,
    };
  }
}

function policyOf(word: () => string, reader: TextReader): EvidenceOfPolicy {
  const [name, hash, hook, action, failure] = [word(), word(), word(), word(), word()];
  return {
    name,
    hash,
    hook,
    action,
    failure,
    said: reader.text(),
    reason: reader.text(),
    us: reader.long(),
  };
}

/** In one text: where it stands comes before its state, which may hold anything. */
const [isSampled, isRandom, hasParent] = [1, 2, 4] as const;

function writeTrace(text: TextRing, { traceId, spanId, parentId, sampled, random, state }: TraceRef): void {
  text.short((sampled ? isSampled : 0) | (random ? isRandom : 0) | (parentId === "" ? 0 : hasParent));
  text.hex(traceId);
  text.hex(spanId);
  if (parentId !== "") text.hex(parentId);
  text.text(state);
}

function traceIn(reader: TextReader): TraceRef {
  const flags = reader.short();
  return {
    traceId: reader.hex(32),
    spanId: reader.hex(16),
    parentId: (flags & hasParent) === 0 ? "" : reader.hex(16),
    sampled: (flags & isSampled) !== 0,
    random: (flags & isRandom) !== 0,
    state: reader.text(),
  };
}

/** Of a record that ended then; null: it is under way. */
export function evidenceOf(record: ExchangeRecord, endedMs: number | null): Evidence {
  const { outcome, access, firstByteMs, startedMs, policies } = record;
  // Named one by one: every span begins here, and to copy what is left over of a record costs more.
  return {
    direction: record.direction,
    kind: record.kind,
    requestId: record.requestId,
    startedMs,
    durationMs: endedMs === null ? null : endedMs - startedMs,
    firstByteMs: firstByteMs > 0 ? firstByteMs - startedMs : null,
    service: record.service,
    source: record.source,
    sourceId: record.sourceId,
    destinationId: record.destinationId,
    tls: record.tls,
    method: record.method,
    path: record.path,
    protocol: record.protocol,
    detected: record.detected,
    upgrade: record.upgrade,
    grpc: record.grpc,
    route: record.route,
    status: record.status,
    outcome: outcome === null ? null : { flag: outcome.flag, side: outcome.side, detail: outcome.detail },
    bytesIn: record.bytesIn,
    bytesOut: record.bytesOut,
    endpoint: record.endpoint,
    attempts: record.attempts.slice(),
    noRetry: record.noRetry,
    ejected: record.ejected,
    policies: policies.map(({ failure, ...each }) => ({ ...each, failure: failure ?? "" })),
    access: access === null ? null : { ...access },
    trace: record.trace,
  };
}
