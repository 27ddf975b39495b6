/** The rows of `heddle top`: each edge by route as the caller's side counts it, with what is known of the service that is called. */
import { edgeMetrics, edgesOf, type Edge, type Pair } from "../../app/edges.ts";
import type { MetricsReading } from "../../model/reading.ts";

export interface TopRow extends Edge {
  /** Attempts beyond the first, to this service from all callers. */
  readonly retriesPerSecond: number;
  /** Of the service, as the proxy sees them that sees the fewest ready. */
  readonly ready: number;
  readonly ejected: number;
  readonly endpoints: number;
}

/** Metrics that rows are made of. */
export const topMetrics: readonly string[] = [...edgeMetrics, "heddle_attempts_total", "heddle_endpoints"];

const ofEdges: ReadonlySet<string> = new Set(edgeMetrics);

export function topRows(pairs: readonly Pair[]): TopRow[] {
  const only = ({ atMs, series }: MetricsReading): MetricsReading => ({
    atMs,
    series: series.filter(({ name }) => ofEdges.has(name)),
  });
  const edges = edgesOf(
    pairs.map(([before, after]) => [only(before), only(after)] as const),
    true,
  );
  const [retries, states] = [retriesOf(pairs), statesOf(pairs)];
  return edges
    .filter(({ direction }) => direction === "outbound")
    .map((edge) => ({
      ...edge,
      retriesPerSecond: retries.get(edge.to) ?? 0,
      ...(states.get(edge.to) ?? { ready: 0, ejected: 0, endpoints: 0 }),
    }));
}

function retriesOf(pairs: readonly Pair[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [before, after] of pairs) {
    const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1_000);
    const count = (reading: MetricsReading, sign: number): void => {
      for (const { name, labels, value } of reading.series) {
        const { service = "", cause } = labels;
        if (name !== "heddle_attempts_total" || cause === "first") continue;
        sums.set(service, (sums.get(service) ?? 0) + (sign * value) / seconds);
      }
    };
    count(after, 1);
    count(before, -1);
  }
  return sums;
}

type States = Pick<TopRow, "ready" | "ejected" | "endpoints">;

function statesOf(pairs: readonly Pair[]): Map<string, States> {
  const worst = new Map<string, States>();
  for (const [, { series }] of pairs) {
    const own = new Map<string, States>();
    for (const { name, labels, value } of series) {
      if (name !== "heddle_endpoints") continue;
      const { service = "", state } = labels;
      const { ready, ejected, endpoints } = own.get(service) ?? { ready: 0, ejected: 0, endpoints: 0 };
      const isOut = state === "ejected" || state === "probing";
      own.set(service, {
        ready: ready + (state === "ready" ? value : 0),
        ejected: ejected + (isOut ? value : 0),
        endpoints: endpoints + value,
      });
    }
    for (const [service, states] of own) {
      const known = worst.get(service);
      if (known === undefined || states.ready < known.ready) worst.set(service, states);
    }
  }
  return worst;
}
