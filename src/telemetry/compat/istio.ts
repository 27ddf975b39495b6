/**
 * The series that dashboards for Istio ask for. Sizes are sums alone, since heddle has no buckets of them; of a service that speaks HTTP
 * all bytes count as its requests', of others as opaque.
 */
import { counter, families, histogram } from "../families.ts";
import { Metrics, type FamilyReading } from "../metrics.ts";
import type { MetricSeries } from "../../model/reading.ts";
import { edgeKey, partsOf, Readings } from "./readings.ts";

const sides = [
  ...["reporter", "source_workload", "source_workload_namespace", "source_canonical_service", "source_app"],
  ...["destination_workload", "destination_workload_namespace", "destination_canonical_service"],
  ...["destination_app", "destination_service", "destination_service_name", "destination_service_namespace"],
] as const;
const securedSides = [...sides, "connection_security_policy"];
const milliseconds = families.requestDurationSeconds.bounds.map((bound) =>
  Number((bound * 1_000).toPrecision(12)),
);

const plans = {
  requests: counter("istio_requests_total", "Finished HTTP exchanges, as Istio has them.", [
    ...securedSides,
    ...["request_protocol", "response_code", "grpc_response_status", "response_flags"],
  ]),
  duration: histogram(
    "istio_request_duration_milliseconds",
    "From request head to the end of the answer, as Istio has it.",
    sides,
    milliseconds,
  ),
  requestBytes: histogram("istio_request_bytes", "Body bytes towards the service.", sides, []),
  responseBytes: histogram("istio_response_bytes", "Body bytes from the service.", sides, []),
  opened: counter("istio_tcp_connections_opened_total", "Opaque connections begun.", sides),
  closed: counter("istio_tcp_connections_closed_total", "Finished opaque connections.", securedSides),
  received: counter(
    "istio_tcp_received_bytes_total",
    "Bytes of opaque connections, towards the service.",
    sides,
  ),
  sent: counter("istio_tcp_sent_bytes_total", "Bytes of opaque connections, from the service.", sides),
} as const;

export function istioMetrics(all: readonly FamilyReading[]): Metrics {
  const made = new Metrics();
  const readings = new Readings(all);
  const requests = made.counter(plans.requests);
  const counts = new Map<string, number>();
  for (const series of readings.of(families.requests)) {
    const { code = "", grpc_code: grpc = "", flags = "" } = series.labels;
    counts.set(edgeKey(series), (counts.get(edgeKey(series)) ?? 0) + series.value);
    requests(
      ...sidesOf(series),
      securityOf(series),
      grpc === "" ? "http" : "grpc",
      ...[code, grpc, flags === "" ? "-" : flags],
    ).add(series.value);
  }
  const duration = made.histogram(plans.duration);
  for (const series of readings.of(families.requestDurationSeconds)) {
    const { counts: below = [], sum = 0, value } = series;
    duration(...sidesOf(series)).addCounted(below, sum * 1_000, value);
  }
  for (const [from, size, bytes] of [
    [families.requestBytes, made.histogram(plans.requestBytes), made.counter(plans.received)],
    [families.responseBytes, made.histogram(plans.responseBytes), made.counter(plans.sent)],
  ] as const)
    for (const series of readings.of(from)) {
      const count = counts.get(edgeKey(series));
      if (count === undefined) bytes(...sidesOf(series)).add(series.value);
      else size(...sidesOf(series)).addCounted([], series.value, count);
    }
  const opened = made.counter(plans.opened);
  for (const series of readings.of(families.tcpConnectionsOpened))
    opened(...sidesOf(series)).add(series.value);
  const closed = made.counter(plans.closed);
  for (const series of readings.of(families.tcpConnectionsClosed))
    closed(...sidesOf(series), securityOf(series)).add(series.value);
  return made;
}

function sidesOf({ labels }: MetricSeries): string[] {
  const { direction, service = "", peer = "" } = labels;
  const [from, to] = [partsOf(peer), partsOf(service)];
  const host = to.name === "unknown" ? "unknown" : hostOf(to);
  return [
    ...[direction === "outbound" ? "source" : "destination"],
    ...[from.name, from.namespace, from.name, from.name],
    ...[to.name, to.namespace, to.name, to.name, host, to.name, to.namespace],
  ];
}

function hostOf({ name, namespace }: ReturnType<typeof partsOf>): string {
  return namespace === "default" ? `${name}.mesh` : `${name}.${namespace}.mesh`;
}

function securityOf({ labels }: MetricSeries): string {
  return labels["tls"] === "true" ? "mutual_tls" : "none";
}
