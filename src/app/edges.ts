/**
 * Who called whom between two readings of the same proxies: requests, what became of them, how long they took. An edge is a
 * service that calls and one that is called; the calling side counts what its apps saw, retries within.
 */
import type { MetricSeries, MetricsReading } from "../model/reading.ts";
import { hasFailed, quantileOf } from "../telemetry/golden.ts";

/** Metrics that edges are made of. */
export const edgeMetrics: readonly string[] = [
  "heddle_requests_total",
  "heddle_request_duration_seconds",
  "heddle_request_bytes_total",
  "heddle_response_bytes_total",
  "heddle_tcp_open",
];

export interface Edge {
  readonly direction: string;
  /** Key of the calling service; "" when nobody proved to be one. */
  readonly from: string;
  readonly to: string;
  /** Routes apart only where asked for. */
  readonly route: string;
  readonly perSecond: number;
  /** 0 to 1; null: no request. */
  readonly success: number | null;
  /** Seconds: an upper bound of the bucket; null: no request; Infinity: above the last one. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  /** Of the requests: `yes`, `no`, `some`; "" without any. */
  readonly tls: "yes" | "no" | "some" | "";
  readonly tcpOpen: number;
  readonly bytesPerSecond: number;
  /** Identities aside, all that is counted since the proxies started. */
  readonly total: number;
}

/** Two readings of one proxy, the older one first. */
export type Pair = readonly [before: MetricsReading, after: MetricsReading];

interface Sum {
  readonly direction: string;
  readonly from: string;
  readonly to: string;
  readonly route: string;
  requests: number;
  total: number;
  failed: number;
  secure: number;
  bytes: number;
  tcpOpen: number;
  perSecond: number;
  bounds: readonly number[];
  counts: number[];
}

/** Of several proxies together. `routes`: each route of an edge apart. */
export function edgesOf(pairs: readonly Pair[], routes = false): Edge[] {
  const sums = new Map<string, Sum>();
  for (const [before, after] of pairs) addPair(sums, before, after, routes);
  return [...sums.values()]
    .filter(({ total, tcpOpen }) => total > 0 || tcpOpen > 0)
    .map(edgeOf)
    .sort((a, b) => b.perSecond - a.perSecond || (keyOf(a) < keyOf(b) ? -1 : 1));
}

function addPair(
  sums: Map<string, Sum>,
  before: MetricsReading,
  after: MetricsReading,
  routes: boolean,
): void {
  const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1_000);
  const was = new Map(before.series.map((each) => [seriesKey(each), each]));
  for (const series of after.series) {
    const sum = sumOf(sums, series, routes);
    const old = was.get(seriesKey(series));
    const grown = series.value - (old?.value ?? 0);
    switch (series.name) {
      case "heddle_requests_total":
        sum.requests += grown;
        sum.perSecond += grown / seconds;
        sum.total += series.value;
        if (hasFailed(series.labels)) sum.failed += grown;
        if (series.labels["tls"] === "true") sum.secure += grown;
        break;
      case "heddle_request_duration_seconds":
        addCounts(sum, series, old);
        break;
      case "heddle_tcp_open":
        sum.tcpOpen += series.value;
        break;
      default:
        sum.bytes += grown / seconds;
    }
  }
}

function sumOf(sums: Map<string, Sum>, { labels }: MetricSeries, routes: boolean): Sum {
  const { direction = "", service = "", peer = "", route = "" } = labels;
  const own = { direction, from: peer, to: service, route: routes ? route : "" };
  const key = keyOf(own);
  const known = sums.get(key);
  if (known !== undefined) return known;
  const counted = { requests: 0, total: 0, failed: 0, secure: 0, bytes: 0, tcpOpen: 0, perSecond: 0 };
  const made: Sum = { ...own, ...counted, bounds: [], counts: [] };
  sums.set(key, made);
  return made;
}

function addCounts(sum: Sum, { bounds = [], counts = [], value }: MetricSeries, old?: MetricSeries): void {
  sum.bounds = bounds;
  const above = value - counts.reduce((all, count) => all + count, 0);
  const aboveBefore = (old?.value ?? 0) - (old?.counts ?? []).reduce((all, count) => all + count, 0);
  [...counts, above].forEach((count, at) => {
    const before = at === counts.length ? aboveBefore : (old?.counts?.[at] ?? 0);
    sum.counts[at] = (sum.counts[at] ?? 0) + count - before;
  });
}

function edgeOf(sum: Sum): Edge {
  const { direction, from, to, route, perSecond, requests, failed, secure, total, tcpOpen, bytes } = sum;
  const share = requests === 0 ? null : secure / requests;
  return {
    direction,
    from,
    to,
    route,
    perSecond,
    success: requests === 0 ? null : 1 - failed / requests,
    p50: quantileOf(sum.bounds, sum.counts, 0.5),
    p95: quantileOf(sum.bounds, sum.counts, 0.95),
    p99: quantileOf(sum.bounds, sum.counts, 0.99),
    tls: share === null ? "" : share === 1 ? "yes" : share === 0 ? "no" : "some",
    tcpOpen,
    bytesPerSecond: bytes,
    total,
  };
}

function keyOf({ direction, from, to, route }: Pick<Edge, "direction" | "from" | "to" | "route">): string {
  return `${direction}\n${from}\n${to}\n${route}`;
}

function seriesKey({ name, labels }: MetricSeries): string {
  return `${name}\n${JSON.stringify(labels)}`;
}
