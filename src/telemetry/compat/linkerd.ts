/**
 * The series that dashboards for Linkerd ask for. Its latency ends at the first byte of the answer. Bytes are of bodies and opaque
 * connections, not of sockets.
 */
import { counter, families, gauge, histogram } from "../families.ts";
import { Metrics, type FamilyReading } from "../metrics.ts";
import type { MetricSeries } from "../../model/reading.ts";
import { isFailure, partsOf, Readings } from "./readings.ts";

/** Whose proxy tells, and of outbound calls whom they go to. */
const sides = [
  ...["direction", "deployment", "namespace"],
  ...["dst_deployment", "dst_service", "dst_namespace"],
] as const;
const tls = "tls";
const milliseconds = families.firstByteSeconds.bounds.map((bound) => Number((bound * 1_000).toPrecision(12)));

const plans = {
  requests: counter("request_total", "Finished HTTP exchanges, as Linkerd has them.", [...sides, tls]),
  responses: counter("response_total", "Answers, as Linkerd has them.", [
    ...[...sides, tls],
    ...["classification", "status_code", "grpc_status"],
  ]),
  latency: histogram(
    "response_latency_ms",
    "From request head to the head of the answer, as Linkerd has it.",
    sides,
    milliseconds,
  ),
  opened: counter("tcp_open_total", "Opaque connections begun.", [...sides, "peer"]),
  open: gauge("tcp_open_connections", "Opaque connections that are open now.", [...sides, "peer"]),
  closed: counter("tcp_close_total", "Finished opaque connections.", [...sides, "peer", tls]),
  read: counter("tcp_read_bytes_total", "Body bytes that came.", [...sides, "peer"]),
  written: counter("tcp_write_bytes_total", "Body bytes that went.", [...sides, "peer"]),
  allowed: counter("inbound_http_authz_allow_total", "Requests that access rules let in.", [
    ...["deployment", "namespace", "authz_name"],
  ]),
  denied: counter("inbound_http_authz_deny_total", "Requests that access rules refused.", [
    ...["deployment", "namespace", "authz_name"],
  ]),
} as const;

export function linkerdMetrics(all: readonly FamilyReading[]): Metrics {
  const made = new Metrics();
  const readings = new Readings(all);
  const [requests, responses] = [made.counter(plans.requests), made.counter(plans.responses)];
  for (const series of readings.of(families.requests)) {
    const { code = "", grpc_code: grpc = "" } = series.labels;
    const secured = tlsOf(series);
    requests(...sidesOf(series), secured).add(series.value);
    const ended = isFailure(series) ? "failure" : "success";
    responses(...sidesOf(series), secured, ended, code, grpc).add(series.value);
  }
  const latency = made.histogram(plans.latency);
  for (const series of readings.of(families.firstByteSeconds)) {
    const { counts = [], sum = 0, value } = series;
    latency(...sidesOf(series)).addCounted(counts, sum * 1_000, value);
  }
  for (const [from, to] of [
    [families.tcpConnectionsOpened, made.counter(plans.opened)],
    [families.tcpOpen, made.gauge(plans.open)],
    [families.requestBytes, made.counter(plans.read)],
    [families.responseBytes, made.counter(plans.written)],
  ] as const)
    for (const series of readings.of(from)) to(...sidesOf(series), peerOf(series)).add(series.value);
  const closed = made.counter(plans.closed);
  for (const series of readings.of(families.tcpConnectionsClosed))
    closed(...sidesOf(series), peerOf(series), tlsOf(series)).add(series.value);
  const [allowed, denied] = [made.counter(plans.allowed), made.counter(plans.denied)];
  for (const { labels, value } of readings.of(families.access)) {
    const { name, namespace } = partsOf(labels["service"] ?? "");
    (labels["verdict"] === "deny" ? denied : allowed)(name, namespace, labels["rule"] ?? "").add(value);
  }
  return made;
}

function sidesOf({ labels }: MetricSeries): string[] {
  const { direction = "", service = "", peer = "" } = labels;
  const [from, to] = [partsOf(peer), partsOf(service)];
  return direction === "outbound"
    ? [direction, from.name, from.namespace, to.name, to.name, to.namespace]
    : [direction, to.name, to.namespace, "", "", ""];
}

/** Which side of the proxy: inbound a client came, outbound it went to a server. */
function peerOf({ labels }: MetricSeries): string {
  return labels["direction"] === "outbound" ? "dst" : "src";
}

function tlsOf({ labels }: MetricSeries): string {
  return labels["tls"] === "true" ? "true" : "no_identity";
}
