/** The question `traffic`: what was counted between local services and others since the line before, as little as tells it. */
import type { Clock } from "../../runtime/contract.ts";
import { build } from "../base/build.ts";
import { limits } from "../model/limits.ts";
import type { MetricSeries } from "../model/reading.ts";
import type { TrafficEdge, TrafficReading } from "../model/traffic_reading.ts";
import { families } from "../telemetry/families.ts";
import { hasFailed } from "../telemetry/golden.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Answering } from "./answers.ts";
import { every } from "./chores.ts";
import { edgeMetrics } from "./edges.ts";

const asked: ReadonlySet<string> = new Set([
  ...edgeMetrics,
  families.processResidentMemoryBytes.name,
  families.processCpuSeconds.name,
]);

export function trafficAnswering(metrics: Pick<Metrics, "read">, clock: Clock): Answering<"traffic"> {
  return ({ everyMs }, reply) => {
    let [before, beforeMs] = [countsOf(metrics.read(asked)), clock.now()];
    const reading = every(clock, everyMs, () => {
      const [counts, nowMs] = [countsOf(metrics.read(asked)), clock.now()];
      reply.line(readingOf(before, counts, nowMs - beforeMs));
      [before, beforeMs] = [counts, nowMs];
    });
    return () => reading.close();
  };
}

/** All that was ever counted. */
interface Counts {
  readonly edges: ReadonlyMap<string, TrafficEdge>;
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

interface Sum extends TrafficEdge {
  requests: number;
  failed: number;
  secure: number;
  bytes: number;
  tcpOpen: number;
  durations: number[];
}

function countsOf(series: readonly MetricSeries[]): Counts {
  const edges = new Map<string, Sum>();
  let [cpuSeconds, residentBytes] = [0, 0];
  for (const each of series) {
    if (each.name === families.processCpuSeconds.name) cpuSeconds = each.value;
    else if (each.name === families.processResidentMemoryBytes.name) residentBytes = each.value;
    else add(sumOf(edges, each), each);
  }
  return { edges, cpuSeconds, residentBytes };
}

function sumOf(edges: Map<string, Sum>, { labels }: MetricSeries): Sum {
  const { direction, service: to = "", peer: from = "" } = labels;
  const key = `${direction}\n${from}\n${to}`;
  const known = edges.get(key);
  if (known !== undefined) return known;
  const ends = {
    direction: direction === "inbound" ? ("inbound" as const) : ("outbound" as const),
    from,
    to,
  };
  const made: Sum = { ...ends, requests: 0, failed: 0, secure: 0, bytes: 0, tcpOpen: 0, durations: [] };
  edges.set(key, made);
  return made;
}

function add(sum: Sum, { name, labels, value, counts = [] }: MetricSeries): void {
  switch (name) {
    case families.requests.name:
      sum.requests += value;
      if (hasFailed(labels)) sum.failed += value;
      if (labels["tls"] === "true") sum.secure += value;
      break;
    case families.requestDurationSeconds.name: {
      const above = value - counts.reduce((all, count) => all + count, 0);
      [...counts, above].forEach((count, at) => (sum.durations[at] = (sum.durations[at] ?? 0) + count));
      break;
    }
    case families.tcpOpen.name:
      sum.tcpOpen += value;
      break;
    default:
      sum.bytes += value;
  }
}

function readingOf(before: Counts, after: Counts, coveredMs: number): TrafficReading {
  const grown = [...after.edges].flatMap(([key, edge]) => grownOf(edge, before.edges.get(key)));
  const edges = grown.sort((a, b) => b.requests - a.requests).slice(0, limits.trafficReadingEdgesMax);
  return {
    coveredMs,
    version: build().version,
    residentBytes: after.residentBytes,
    cpuSeconds: Math.max(0, after.cpuSeconds - before.cpuSeconds),
    bounds: families.requestDurationSeconds.bounds,
    edges,
    left: grown.length - edges.length,
  };
}

function grownOf(after: TrafficEdge, before: TrafficEdge | undefined): TrafficEdge[] {
  const [requests, bytes] = [after.requests - (before?.requests ?? 0), after.bytes - (before?.bytes ?? 0)];
  if (requests === 0 && bytes === 0 && after.tcpOpen === 0) return [];
  return [
    {
      ...after,
      requests,
      bytes,
      failed: after.failed - (before?.failed ?? 0),
      secure: after.secure - (before?.secure ?? 0),
      durations: after.durations.map((count, at) => count - (before?.durations[at] ?? 0)),
    },
  ];
}
