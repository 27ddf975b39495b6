/**
 * What passes in the mesh, as proxies tell it again and again: between each two services now, of each service for an hour. Its size is
 * bounded by the limits of the dashboard, whatever proxies say. Readings come when they come: what one covers is spread over
 * the samples that it lies in, and a sample counts once no reading can add to it.
 */
import type { Clock } from "../../../runtime/contract.ts";
import type { EdgeRow, Golden } from "../../api/dashboard_messages.ts";
import { limits } from "../../model/limits.ts";
import type { TrafficEdge, TrafficReading } from "../../model/traffic_reading.ts";
import { families } from "../../telemetry/families.ts";
import { quantileOf } from "../../telemetry/golden.ts";
import { jsonNumber, TrafficSeries, type Sample } from "./traffic_series.ts";

const stepMs = limits.trafficSampleMs;
/** The newest sample, the one before it, to which readings may still add, and those that are shown as now. */
const kept = limits.trafficNowSamples + 2;
const bounds = families.requestDurationSeconds.bounds;
const trendPoints = 30;

interface Counted {
  requests: number;
  failed: number;
  secure: number;
  bytes: number;
  /** Open connections times milliseconds. */
  tcpOpenMs: number;
  readonly durations: Float64Array;
}

function nothing(): Counted {
  const durations = new Float64Array(bounds.length + 1);
  return { requests: 0, failed: 0, secure: 0, bytes: 0, tcpOpenMs: 0, durations };
}

class Edge {
  /** By number of the sample. */
  readonly samples = new Map<number, Counted>();
  spoke = 0;

  constructor(
    readonly direction: TrafficEdge["direction"],
    readonly from: string,
    readonly to: string,
  ) {}
}

export interface ServiceHistory {
  readonly now: Golden;
  readonly trend: readonly number[];
  /** null: nothing was ever counted. */
  readonly series: TrafficSeries | null;
}

export class TrafficHistory {
  readonly #edges = new Map<string, Edge>();
  readonly #series = new Map<string, TrafficSeries>();
  readonly #first: number;
  /** Samples before this one are complete, and in the series. */
  #done: number;
  /** Edges that were left out of the newest readings, by machine, and those for which there was no room. */
  readonly #left = new Map<string, number>();
  #full = 0;

  constructor(readonly clock: Pick<Clock, "now" | "wallMs">) {
    this.#first = this.#number(clock.now());
    this.#done = this.#first;
  }

  get left(): number {
    return [...this.#left.values()].reduce((sum, count) => sum + count, this.#full);
  }

  /** What counts as now: shorter while there is not more. */
  get windowMs(): number {
    return Math.min(limits.trafficNowSamples, Math.max(1, this.#done - this.#first)) * stepMs;
  }

  /** Wall clock at which the newest complete sample ends. */
  get endMs(): number {
    this.settle();
    return this.clock.wallMs() - (this.clock.now() - this.#done * stepMs);
  }

  /** A machine told; `mayTell` says of which edges it may. */
  take(machine: string, reading: TrafficReading, mayTell: (edge: TrafficEdge) => boolean): void {
    this.settle();
    const nowMs = this.clock.now();
    // What is complete stays as it is: a part of the reading that lies before is counted in what follows.
    const coveredMs = Math.max(1, Math.min(reading.coveredMs, nowMs - this.#done * stepMs));
    const sameBounds = reading.bounds.join() === bounds.join();
    if (reading.left > 0) this.#left.set(machine, reading.left);
    else this.#left.delete(machine);
    for (const told of reading.edges) {
      if (!mayTell(told)) continue;
      const edge = this.#edgeOf(told);
      if (edge === null) continue;
      edge.spoke = this.#number(nowMs);
      for (let at = this.#number(nowMs - coveredMs); at <= edge.spoke; at++) {
        const overlapMs = Math.min(nowMs, (at + 1) * stepMs) - Math.max(nowMs - coveredMs, at * stepMs);
        if (overlapMs <= 0) continue;
        const counted = edge.samples.get(at) ?? nothing();
        edge.samples.set(at, counted);
        addPart(counted, told, { overlapMs, part: overlapMs / coveredMs, sameBounds });
      }
    }
  }

  /** Of a machine that is gone. */
  forget(machine: string): void {
    this.#left.delete(machine);
  }

  /** Takes into the series what is complete. */
  settle(): void {
    const complete = this.#number(this.clock.now()) - 1;
    if (complete <= this.#done) return;
    // After a long silence there is nothing in between.
    for (let at = Math.max(this.#done, complete - kept); at < complete; at++) this.#close(at);
    this.#done = complete;
    for (const [key, edge] of this.#edges) {
      for (const at of edge.samples.keys()) if (at < complete - kept) edge.samples.delete(at);
      if (complete - edge.spoke > limits.trafficSamplesMax) this.#edges.delete(key);
    }
    if (this.#edges.size < limits.trafficEdgesMax) this.#full = 0;
    for (const [key, series] of this.#series) if (series.isOver(complete)) this.#series.delete(key);
  }

  /** Each two services once: as the caller's proxy counts it, else as the callee's does. */
  edges(): EdgeRow[] {
    this.settle();
    return this.#best([...this.#edges.values()]).map((edge) => this.#rowOf(edge));
  }

  service(key: string): ServiceHistory {
    this.settle();
    const best = this.#best([...this.#edges.values()].filter(({ to }) => to === key));
    const series = this.#series.get(key) ?? null;
    series?.put(this.#done - 1, null);
    const now = this.#goldenOf(sumOf(best.map((edge) => this.#nowOf(edge))), this.windowMs);
    return { now, trend: series?.trend(trendPoints) ?? [], series };
  }

  /** Every service that is known by its traffic, with all that is to say of it. */
  services(): Map<string, ServiceHistory> {
    this.settle();
    const byCallee = Map.groupBy(this.#best([...this.#edges.values()]), ({ to }) => to);
    const keys = new Set([...byCallee.keys(), ...this.#series.keys()]);
    return new Map(
      [...keys].map((key) => {
        const series = this.#series.get(key) ?? null;
        series?.put(this.#done - 1, null);
        const counted = sumOf((byCallee.get(key) ?? []).map((edge) => this.#nowOf(edge)));
        const now = this.#goldenOf(counted, this.windowMs);
        return [key, { now, trend: series?.trend(trendPoints) ?? [], series }];
      }),
    );
  }

  #number(ms: number): number {
    return Math.floor(ms / stepMs);
  }

  #edgeOf({ direction, from, to }: TrafficEdge): Edge | null {
    const key = `${direction}\n${from}\n${to}`;
    const known = this.#edges.get(key);
    if (known !== undefined) return known;
    if (this.#edges.size >= limits.trafficEdgesMax) {
      this.#full++;
      return null;
    }
    const made = new Edge(direction, from, to);
    this.#edges.set(key, made);
    return made;
  }

  /** One sample of all services. */
  #close(at: number): void {
    const telling = [...this.#edges.values()].filter(({ samples }) => samples.has(at));
    for (const [key, edges] of Map.groupBy(this.#best(telling), ({ to }) => to)) {
      const series = this.#seriesOf(key, at);
      if (series === null) continue;
      const counted = sumOf(edges.map(({ samples }) => samples.get(at) ?? nothing()));
      const golden = this.#goldenOf(counted, stepMs);
      series.put(at, sampleOf(golden));
    }
  }

  #seriesOf(key: string, at: number): TrafficSeries | null {
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size >= limits.trafficServicesMax) return null;
    // Nothing was counted of it since this began to listen.
    const made = new TrafficSeries(Math.max(this.#first, at - limits.trafficSamplesMax + 1));
    this.#series.set(key, made);
    return made;
  }

  #best(edges: readonly Edge[]): readonly Edge[] {
    const outbound = new Set(
      edges.filter(({ direction }) => direction === "outbound").map(({ from, to }) => `${from}\n${to}`),
    );
    return edges.filter(
      ({ direction, from, to }) => direction === "outbound" || !outbound.has(`${from}\n${to}`),
    );
  }

  #nowOf({ samples }: Edge): Counted {
    const counted: Counted[] = [];
    for (let at = this.#done - limits.trafficNowSamples; at < this.#done; at++) {
      const sample = samples.get(at);
      if (sample !== undefined) counted.push(sample);
    }
    return sumOf(counted);
  }

  #rowOf(edge: Edge): EdgeRow {
    const counted = this.#nowOf(edge);
    const { direction: seenBy, from, to } = edge;
    const secure = counted.requests > 0 ? jsonNumber(counted.secure / counted.requests) : null;
    return { from, to, seenBy, secure, ...this.#goldenOf(counted, this.windowMs) };
  }

  #goldenOf({ requests, failed, bytes, tcpOpenMs, durations }: Counted, windowMs: number): Golden {
    const quantile = (share: number): number | null => jsonNumber(quantileOf(bounds, durations, share));
    return {
      rate: jsonNumber((requests * 1_000) / windowMs) ?? 0,
      success: requests > 0 ? jsonNumber(1 - failed / requests) : null,
      p50: quantile(0.5),
      p95: quantile(0.95),
      p99: quantile(0.99),
      bytesPerSecond: jsonNumber((bytes * 1_000) / windowMs) ?? 0,
      tcpOpen: jsonNumber(tcpOpenMs / windowMs) ?? 0,
    };
  }
}

interface Part {
  readonly overlapMs: number;
  readonly part: number;
  /** Another version may have other buckets: its times are not known. */
  readonly sameBounds: boolean;
}

function addPart(counted: Counted, told: TrafficEdge, { overlapMs, part, sameBounds }: Part): void {
  counted.requests += told.requests * part;
  counted.failed += told.failed * part;
  counted.secure += told.secure * part;
  counted.bytes += told.bytes * part;
  counted.tcpOpenMs += told.tcpOpen * overlapMs;
  if (!sameBounds) return;
  for (let at = 0; at < counted.durations.length; at++)
    counted.durations[at] = (counted.durations[at] as number) + (told.durations[at] ?? 0) * part;
}

function sumOf(all: readonly Counted[]): Counted {
  const [only] = all;
  if (only !== undefined && all.length === 1) return only;
  const sum = nothing();
  for (const each of all) {
    sum.requests += each.requests;
    sum.failed += each.failed;
    sum.secure += each.secure;
    sum.bytes += each.bytes;
    sum.tcpOpenMs += each.tcpOpenMs;
    for (let at = 0; at < sum.durations.length; at++)
      sum.durations[at] = (sum.durations[at] as number) + (each.durations[at] as number);
  }
  return sum;
}

function sampleOf({ rate, success, p50, p95, p99, bytesPerSecond, tcpOpen }: Golden): Sample {
  const number = (value: number | null): number => value ?? NaN;
  return {
    ...{ rate, bytesPerSecond, tcpOpen },
    ...{ success: number(success), p50: number(p50), p95: number(p95), p99: number(p99) },
  };
}
