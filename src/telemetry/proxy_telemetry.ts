/**
 * What the pipelines report to: turns each finished record into the golden metrics, the access log and what `heddle why` remembers. The handles of a (direction, service, source, route, status) are resolved once and then found by key.
 */
import { grpcCode } from "../model/grpc_code.ts";
import type { AccessLog } from "./access_log.ts";
import { EvidenceRing, evidenceOf } from "./evidence_ring.ts";
import type { Evidence } from "../model/evidence.ts";
import { InferenceTelemetry } from "./inference_telemetry.ts";
import { limitTrips } from "./limit_trips.ts";
import type { Bundle, Counter, Gauge, Histogram, Metrics, Resolve } from "./metrics.ts";
import { PolicyTelemetry } from "./policy_telemetry.ts";
import type { AccessVerdict, ExchangeRecord, Recorder } from "./record.ts";
import { statusLabel } from "./status_label.ts";
import { UnderWay } from "./under_way.ts";
import { families } from "./families.ts";

/** Handles of one direction, service, source and route. */
interface EdgeHandles {
  /** By status, with flag "" and tls as first seen; rarer combinations are resolved each time. */
  readonly plain: (Counter | undefined)[];
  /** Answers of gRPC by code, of those that there are. */
  readonly grpc: (Counter | undefined)[];
  readonly success: Histogram;
  readonly failure: Histogram;
  readonly firstByte: Histogram;
  readonly bytesIn: Counter;
  readonly bytesOut: Counter;
}

/** Codes that say the server failed: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const grpcFailures: ReadonlySet<number> = new Set([2, 4, 13, 14, 15]);

/** Not one of gRPC. */
const noGrpc = -1;

/** Sees each record as it ends, and keeps none. */
export type Watcher = (record: ExchangeRecord, endedMs: number) => void;

export class ProxyTelemetry implements Recorder {
  readonly #requests: Resolve<Counter>;
  readonly #duration: Resolve<Histogram>;
  readonly #firstByte: Resolve<Histogram>;
  readonly #bytesIn: Resolve<Counter>;
  readonly #bytesOut: Resolve<Counter>;
  readonly #tcpOpened: Resolve<Counter>;
  readonly #tcpOpen: Resolve<Gauge>;
  readonly #tcpClosed: Resolve<Counter>;
  readonly #attempts: Resolve<Counter>;
  readonly #zoneAttempts: Resolve<Counter>;
  readonly #ejections: Resolve<Counter>;
  readonly #outside: Resolve<Counter>;
  readonly #access: Resolve<Counter>;
  readonly #policies: PolicyTelemetry;
  readonly #inference: InferenceTelemetry;
  readonly limitTripped: (limit: string, listener: string) => void;
  readonly #detected: Resolve<Counter>;
  /** Hears of requests that are traced, and says when the wall clock had one end whose span is kept; null: there are none. */
  tracer: { finish(record: ExchangeRecord, endedMs: number): number | null } | null = null;
  /** What is under way now. */
  readonly underWay = new UnderWay();
  /** What ended. */
  readonly evidence = new EvidenceRing();
  /** null while there are none, which costs nothing. */
  #watchers: readonly Watcher[] | null = null;
  /** By service, source and route. */
  readonly #edges: Readonly<Record<ExchangeRecord["direction"], Bundle<EdgeHandles>>>;

  constructor(
    metrics: Metrics,
    readonly accessLog: AccessLog,
  ) {
    this.#requests = metrics.counter(families.requests);
    this.#duration = metrics.histogram(families.requestDurationSeconds);
    this.#firstByte = metrics.histogram(families.firstByteSeconds);
    this.#bytesIn = metrics.counter(families.requestBytes);
    this.#bytesOut = metrics.counter(families.responseBytes);
    this.#tcpOpened = metrics.counter(families.tcpConnectionsOpened);
    this.#tcpOpen = metrics.gauge(families.tcpOpen);
    this.#tcpClosed = metrics.counter(families.tcpConnectionsClosed);
    this.#attempts = metrics.counter(families.attempts);
    this.#zoneAttempts = metrics.counter(families.zoneAttempts);
    this.#ejections = metrics.counter(families.ejections);
    this.#outside = metrics.counter(families.outsideConnections);
    this.#access = metrics.counter(families.access);
    this.#policies = new PolicyTelemetry(metrics);
    this.#inference = new InferenceTelemetry(metrics);
    this.#detected = metrics.counter(families.protocolDetected);
    this.limitTripped = limitTrips(metrics);
    const open = metrics.gauge(families.requestsOpen);
    metrics.collect(() => {
      metrics.clear("heddle_requests_open");
      for (const { kind, direction, service, source } of this.underWay)
        if (kind === "http") open(direction, service, source).add(1);
    });
    const edgesOf = (direction: string): Bundle<EdgeHandles> =>
      metrics.bundle((service, source, route) => this.#resolve(direction, service, source, route));
    this.#edges = { inbound: edgesOf("inbound"), outbound: edgesOf("outbound") };
  }

  finish(record: ExchangeRecord, endedMs: number): void {
    const seconds = (endedMs - record.startedMs) / 1000;
    // Before it is remembered: what a tracer remembers of a trace is what it has not kept.
    const keptMs = record.trace === null ? null : (this.tracer?.finish(record, endedMs) ?? null);
    if (record.kind === "http") this.#finishHttp(record, seconds, keptMs);
    else this.#finishTcp(record);
    if (record.access !== null) this.#countAccess(record.service, record.access);
    if (record.inference !== null) this.#inference.finish(record, record.inference, seconds);
    if (record.policies.length > 0)
      for (const policy of record.policies) this.#policies.finish(policy, record.service);
    this.accessLog.record(record, endedMs - record.startedMs);
    this.evidence.add(record, endedMs);
    if (this.#watchers !== null) for (const watcher of this.#watchers) watcher(record, endedMs);
    this.underWay.remove(record);
  }

  /** Returns what ends it. */
  watch(watcher: Watcher): () => void {
    this.#watchers = [...(this.#watchers ?? []), watcher];
    return () => {
      const others = this.#watchers?.filter((each) => each !== watcher) ?? [];
      this.#watchers = others.length === 0 ? null : others;
    };
  }

  /** What is known of a request, ended or under way. */
  find(requestId: string): Evidence[] {
    const open = [...this.underWay].filter((record) => record.requestId === requestId);
    return [...this.evidence.find(requestId), ...open.map((record) => evidenceOf(record, null))];
  }

  began(record: ExchangeRecord): void {
    this.underWay.add(record);
    if (record.kind === "http") return;
    const { direction, service, source } = record;
    this.#tcpOpened(direction, service, source).add(1);
    this.#tcpOpen(direction, service, source).add(1);
  }

  detected(service: string, protocol: string, by: string): void {
    this.#detected(service, protocol, by).add(1);
  }

  attempt(service: string, cause: string, result: string): void {
    this.#attempts(service, cause, result).add(1);
  }

  wentTo(service: string, zone: string): void {
    this.#zoneAttempts(service, zone).add(1);
  }

  outside(source: string, address: string, verdict: "passed" | "refused"): void {
    this.#outside(source, address, verdict).add(1);
  }

  ejected(service: string, reason: string): void {
    this.#ejections(service, reason).add(1);
  }

  /** `keptMs`: not null when its span is kept, so that others find the trace by what was counted. */
  #finishHttp(record: ExchangeRecord, seconds: number, keptMs: number | null): void {
    const handles = this.#edges[record.direction](record.service, record.source, record.route);
    const flag = record.outcome === null ? "" : record.outcome.flag;
    const [trace, wallMs] = [keptMs === null ? null : record.trace, keptMs ?? 0];
    // Whoever fills records may forget to look: no label and no key is what an app wrote.
    const grpc = record.grpc === "" ? noGrpc : grpcCode(record.grpc);
    if (flag === "") this.#plainCounter(handles, record, grpc).add(1);
    else this.#counterOf(record, flag).add(1);
    (record.status >= 500 || flag !== "" || (grpc !== noGrpc && grpcFailures.has(grpc))
      ? handles.failure
      : handles.success
    ).observe(seconds, trace, wallMs);
    if (record.firstByteMs > 0)
      handles.firstByte.observe((record.firstByteMs - record.startedMs) / 1000, trace, wallMs);
    handles.bytesIn.add(record.bytesIn);
    handles.bytesOut.add(record.bytesOut);
  }

  #countAccess(service: string, { rule, verdict }: AccessVerdict): void {
    this.#access(service, verdict, rule).add(1);
  }

  #finishTcp(record: ExchangeRecord): void {
    const reason = record.outcome === null ? "done" : record.outcome.flag;
    this.#tcpOpen(record.direction, record.service, record.source).add(-1);
    this.#tcpClosed(record.direction, record.service, record.source, String(record.tls), reason).add(1);
    this.#bytesIn(record.direction, record.service, record.source).add(record.bytesIn);
    this.#bytesOut(record.direction, record.service, record.source).add(record.bytesOut);
  }

  #plainCounter(handles: EdgeHandles, record: ExchangeRecord, grpc: number): Counter {
    const slots = grpc === noGrpc ? handles.plain : handles.grpc;
    const slot = (grpc === noGrpc ? record.status : grpc) * 2 + (record.tls ? 1 : 0);
    const known = slots[slot];
    if (known !== undefined) return known;
    const made = this.#counterOf(record, "");
    slots[slot] = made;
    return made;
  }

  #counterOf(record: ExchangeRecord, flag: string): Counter {
    const { direction, service, source, route, status, tls } = record;
    const grpc = record.grpc === "" ? "" : String(grpcCode(record.grpc));
    return this.#requests(direction, service, source, route, statusLabel(status), grpc, flag, String(tls));
  }

  #resolve(direction: string, service: string, source: string, route: string): EdgeHandles {
    return {
      plain: [],
      grpc: [],
      success: this.#duration(direction, service, source, route, "success"),
      failure: this.#duration(direction, service, source, route, "failure"),
      firstByte: this.#firstByte(direction, service, source, route),
      bytesIn: this.#bytesIn(direction, service, source),
      bytesOut: this.#bytesOut(direction, service, source),
    };
  }
}
