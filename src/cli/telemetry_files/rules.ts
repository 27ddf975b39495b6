/** Rules for Prometheus: what dashboards ask again and again, and when somebody should look. */
import { stringify } from "yaml";
import { families } from "../../telemetry/families.ts";

const { requestDurationSeconds, endpoints, attempts, limitTrips, loopDelaySeconds } = families;
const { otlpDropped, accessLogDropped, faults, policiesQuarantined } = families;
const { identityExpirySeconds, configAgeSeconds, retryBudgetLeft } = families;

const rate = (metric: string, by: string): string => `sum by (${by}) (rate(${metric}[5m]))`;
const ended = `${requestDurationSeconds.name}_count`;

const quantile = (share: number): string =>
  `histogram_quantile(${share}, ${rate(`${requestDurationSeconds.name}_bucket{direction="outbound"}`, "service, le")})`;

const recording = [
  { record: "heddle:requests:rate5m", expr: rate(`${ended}{direction="outbound"}`, "service") },
  {
    record: "heddle:success:ratio5m",
    expr: `1 - (${rate(`${ended}{direction="outbound",class="failure"}`, "service")} or 0 * heddle:requests:rate5m) / (heddle:requests:rate5m > 0)`,
  },
  { record: "heddle:duration_seconds:p50_5m", expr: quantile(0.5) },
  { record: "heddle:duration_seconds:p95_5m", expr: quantile(0.95) },
  { record: "heddle:duration_seconds:p99_5m", expr: quantile(0.99) },
];

interface Alert {
  readonly name: string;
  readonly expr: string;
  readonly for: string;
  readonly severity: "warning" | "critical";
  readonly summary: string;
  /** What to type. */
  readonly next: string;
}

/** What every heddle process has. */
const own = `{heddle_mode!=""}`;
const perEndpoint = `sum by (instance, service) (${endpoints.name})`;

const alerts: readonly Alert[] = [
  {
    name: "HeddleDown",
    expr: `up${own} == 0`,
    for: "2m",
    severity: "critical",
    summary: "{{ $labels.instance }} does not tell its metrics",
    next: "heddle status",
  },
  {
    name: "HeddleRequestsFail",
    expr: "heddle:success:ratio5m < 0.95 and heddle:requests:rate5m > 0.1",
    for: "5m",
    severity: "critical",
    summary: "Of the requests to {{ $labels.service }} {{ $value | humanizePercentage }} end well",
    next: "heddle stat {{ $labels.service }}; heddle tap {{ $labels.service }} --flag any",
  },
  {
    name: "HeddleNoReadyEndpoint",
    expr: `sum by (instance, service) (${endpoints.name}{state="ready"}) == 0 and ${perEndpoint} > 0`,
    for: "1m",
    severity: "critical",
    summary: "{{ $labels.instance }} has no instance of {{ $labels.service }} to call",
    next: "heddle status",
  },
  {
    name: "HeddleEndpointsEjected",
    expr: `sum by (instance, service) (${endpoints.name}{state="ejected"}) / ${perEndpoint} > 0.3`,
    for: "5m",
    severity: "warning",
    summary:
      "{{ $labels.instance }} has taken out {{ $value | humanizePercentage }} of {{ $labels.service }}",
    next: "heddle status",
  },
  {
    name: "HeddleManyRetries",
    expr: `${rate(attempts.name, "instance, service")} / ${rate(`${attempts.name}{cause="first"}`, "instance, service")} > 1.2`,
    for: "10m",
    severity: "warning",
    summary:
      "Calls of {{ $labels.instance }} to {{ $labels.service }} take {{ $value | humanize }} tries each",
    next: "heddle stat {{ $labels.service }}",
  },
  {
    name: "HeddleRetryBudgetSpent",
    expr: `${retryBudgetLeft.name} < 1`,
    for: "10m",
    severity: "warning",
    summary: "{{ $labels.instance }} may send nothing to {{ $labels.service }} again",
    next: "heddle stat {{ $labels.service }}",
  },
  {
    name: "HeddleCertificateEnds",
    expr: `${identityExpirySeconds.name} < 4 * 3600`,
    for: "10m",
    severity: "critical",
    summary:
      "{{ $labels.id }} on {{ $labels.instance }} ends in {{ $value | humanizeDuration }} and is not renewed",
    next: "heddle check",
  },
  {
    name: "HeddleControllerUnreached",
    expr: `${configAgeSeconds.name} > 600`,
    for: "1m",
    severity: "warning",
    summary: "{{ $labels.instance }} has heard nothing of the controller for {{ $value | humanizeDuration }}",
    next: "heddle check",
  },
  {
    name: "HeddlePolicyQuarantined",
    expr: `${policiesQuarantined.name} > 0`,
    for: "1m",
    severity: "warning",
    summary: "{{ $labels.instance }} has put aside {{ $value }} versions of policies that failed too often",
    next: "heddle check",
  },
  {
    name: "HeddleLimitTrips",
    expr: `sum by (instance, limit) (rate(${limitTrips.name}{listener=~"inbound.*"}[5m])) > 0`,
    for: "10m",
    severity: "warning",
    summary: "{{ $labels.instance }} ends or refuses what others send it, by {{ $labels.limit }}",
    next: "heddle explain {{ $labels.limit }}",
  },
  {
    name: "HeddleEventLoopLate",
    expr: `histogram_quantile(0.99, sum by (instance, le) (rate(${loopDelaySeconds.name}_bucket[5m]))) > 0.1`,
    for: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} has more to do than its processor can",
    next: "heddle top",
  },
  {
    name: "HeddleTelemetryLost",
    expr: `sum by (instance, signal) (rate(${otlpDropped.name}[5m])) > 0`,
    for: "10m",
    severity: "warning",
    summary: "{{ $labels.signal }} of {{ $labels.instance }} do not reach their receiver",
    next: "heddle explain heddle_otlp_dropped_total",
  },
  {
    name: "HeddleLogLinesLost",
    expr: `sum by (instance, limit) (rate(${accessLogDropped.name}[5m])) > 0`,
    for: "10m",
    severity: "warning",
    summary: "{{ $labels.instance }} loses lines of its access log, by {{ $labels.limit }}",
    next: "heddle explain {{ $labels.limit }}",
  },
  {
    name: "HeddleFault",
    expr: `increase(${faults.name}[15m]) > 0`,
    for: "0m",
    severity: "critical",
    summary: "{{ $labels.instance }} met a bug of heddle",
    next: "heddle bugreport",
  },
];

export function rulesFile(): string {
  const rules = alerts.map(({ name, expr, severity, summary, next, ...rest }) => ({
    alert: name,
    expr,
    for: rest.for,
    labels: { severity },
    annotations: { summary, next },
  }));
  const groups = [
    { name: "heddle-recorded", rules: recording },
    { name: "heddle", rules },
  ];
  return `# Recorded series and alerts of heddle, for rule_files of Prometheus.\n${stringify({ groups }, { lineWidth: 0 })}`;
}
