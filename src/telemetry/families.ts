/** Every metric that heddle exposes: name, what it says, labels. `metrics.ts` counts, `heddle explain metrics` shows them. */

interface Plan<Kind extends "counter" | "gauge" | "histogram"> {
  readonly kind: Kind;
  readonly name: string;
  /** One sentence. */
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly bounds: readonly number[];
}

export type CounterPlan = Plan<"counter">;
export type GaugePlan = Plan<"gauge">;
export type HistogramPlan = Plan<"histogram">;
export type FamilyPlan = CounterPlan | GaugePlan | HistogramPlan;

/** Seconds: OTel's list for HTTP, with finer steps for calls inside a mesh. */
const durationBounds: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];
/** Seconds: a call that is batched with others takes microseconds, one alone some ten of them. */
const policyBounds: readonly number[] = [
  0.000_01, 0.000_025, 0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
];
/** Of whatever unit a policy has. */
const observedBounds: readonly number[] = [
  0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000,
];
/** Seconds: changes are gathered for a moment first, and a machine may have a policy to fetch. */
const pushBounds: readonly number[] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function counter(name: string, help: string, labels: readonly string[] = []): CounterPlan {
  return { kind: "counter", name, help, labels, bounds: [] };
}

export function gauge(name: string, help: string, labels: readonly string[] = []): GaugePlan {
  return { kind: "gauge", name, help, labels, bounds: [] };
}

export function histogram(
  name: string,
  help: string,
  labels: readonly string[] = [],
  bounds: readonly number[] = durationBounds,
): HistogramPlan {
  return { kind: "histogram", name, help, labels, bounds };
}

/** Tokens, as Envoy AI Gateway counts them: four times as many each. */
const tokenBounds: readonly number[] = Array.from({ length: 14 }, (_, power) => 4 ** power);
/** Seconds; those of the next three as OpenTelemetry's GenAI conventions have them. */
const generationBounds: readonly number[] = Array.from({ length: 14 }, (_, power) => 0.01 * 2 ** power);
const firstTokenBounds: readonly number[] = [
  ...[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 45],
  60,
];
const betweenTokensBounds: readonly number[] = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5,
];

/** `service` and `peer` as of all calls; the others by OpenTelemetry's semantic conventions of GenAI. */
const inference = [
  ...["service", "peer", "gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"],
];

const edge = ["direction", "service", "peer"];
const policy = ["policy", "version", "hook", "service"];

export const families = {
  requests: counter("heddle_requests_total", "Finished HTTP exchanges.", [
    ...edge,
    "route",
    "code",
    "grpc_code",
    "flags",
    "tls",
  ]),
  requestDurationSeconds: histogram(
    "heddle_request_duration_seconds",
    "From request head to the end of the answer.",
    [...edge, "route", "class"],
  ),
  firstByteSeconds: histogram("heddle_first_byte_seconds", "From request head to the head of the answer.", [
    ...edge,
    "route",
  ]),
  requestBytes: counter("heddle_request_bytes_total", "Body bytes towards the service.", edge),
  responseBytes: counter("heddle_response_bytes_total", "Body bytes from the service.", edge),
  tcpConnectionsOpened: counter("heddle_tcp_connections_opened_total", "Opaque connections begun.", edge),
  tcpOpen: gauge("heddle_tcp_open", "Opaque connections that are open now.", edge),
  tcpConnectionsClosed: counter("heddle_tcp_connections_closed_total", "Finished opaque connections.", [
    ...edge,
    "tls",
    "reason",
  ]),
  outsideConnections: counter(
    "heddle_outside_connections_total",
    "Connections of intercepted units to what is not in the mesh, by where they went.",
    ["peer", "address", "verdict"],
  ),
  clearConnections: gauge(
    "heddle_clear_connections",
    "Connections that other machines made to a port of an intercepted unit in clear text, around the mesh, as the firewall counts them.",
    ["service", "address"],
  ),
  attempts: counter("heddle_attempts_total", "Tries to reach an endpoint.", ["service", "cause", "result"]),
  ejections: counter(
    "heddle_ejections_total",
    "Endpoints that circuit breaking took out: after a streak of failures, without a connection (connect), or by their rate of successes.",
    ["service", "reason"],
  ),
  zoneAttempts: counter(
    "heddle_zone_attempts_total",
    "Tries to reach an endpoint, by the zone in which its machine stands.",
    ["service", "zone"],
  ),
  genAiTokens: histogram(
    "gen_ai_client_token_usage",
    "Tokens of calls to language models: of prompts (input, and those of them from a cache: cached_input), and of answers (output, and those of them of reasoning).",
    [...inference, "gen_ai_token_type"],
    tokenBounds,
  ),
  genAiDurationSeconds: histogram(
    "gen_ai_client_operation_duration_seconds",
    "From the request to a language model to the end of its answer.",
    [...inference, "error_type"],
    generationBounds,
  ),
  genAiFirstTokenSeconds: histogram(
    "gen_ai_server_time_to_first_token_seconds",
    "From the request to a language model to the first content of its answer.",
    inference,
    firstTokenBounds,
  ),
  genAiBetweenTokensSeconds: histogram(
    "gen_ai_server_time_per_output_token_seconds",
    "Between two tokens of a streamed answer, on average: from its first content to its last, by one token less than it has.",
    inference,
    betweenTokensBounds,
  ),
  access: counter("heddle_access_total", "Verdicts of access rules.", ["service", "verdict", "rule"]),
  protocolDetected: counter(
    "heddle_protocol_detected_total",
    "Connections to services without a declared protocol, by what they turned out to speak and what told it.",
    ["service", "protocol", "by"],
  ),
  dnsQueries: counter(
    "heddle_dns_queries_total",
    "Questions of DNS, by type and by how they were answered.",
    ["type", "result"],
  ),
  requestsOpen: gauge("heddle_requests_open", "HTTP exchanges that are under way now.", edge),
  limitTrips: counter("heddle_limit_trips_total", "Times a limit ended, refused or slowed something.", [
    "limit",
    "listener",
  ]),
  accessLogDropped: counter(
    "heddle_access_log_dropped_total",
    "Lines of logs that were lost: more came than this limit lets gather between two writes, or lets wait for a slow reader.",
    ["limit"],
  ),
  endpoints: gauge("heddle_endpoints", "Endpoints of a destination by state.", ["service", "state"]),
  retryBudgetLeft: gauge("heddle_retry_budget_left", "Retries that a destination may cost now.", ["service"]),
  rateSlicePerSecond: gauge(
    "heddle_rate_slice_per_second",
    "This machine's part of a rate that the mesh shares, in requests a second.",
    ["service"],
  ),
  concurrencyLimit: gauge(
    "heddle_concurrency_limit",
    "Requests that the instances of a service here serve at a time, as it is now, where its Traffic document says concurrency.",
    ["service"],
  ),
  concurrencyRequests: gauge(
    "heddle_concurrency_requests",
    "Requests that are served under that limit now (serving), or wait for their turn (waiting).",
    ["service", "state"],
  ),
  prioritiesServed: gauge(
    "heddle_priorities_served",
    "1 for each priority of requests that is served now; 0 while the event loop is too late for it.",
    ["priority"],
  ),
  streamsOpen: gauge("heddle_streams_open", "Streams that are open now, from the head of their answer on.", [
    "direction",
    "service",
    "kind",
  ]),
  policyDurationSeconds: histogram(
    "heddle_policy_duration_seconds",
    "From asking a policy to its decision.",
    policy,
    policyBounds,
  ),
  policyDecisions: counter("heddle_policy_decisions_total", "Decisions of policies.", [
    ...policy,
    "decision",
  ]),
  policyErrors: counter("heddle_policy_errors_total", "Evaluations of policies that failed.", [
    ...policy,
    "kind",
  ]),
  policyCpuSeconds: counter("heddle_policy_cpu_seconds_total", "CPU time of the threads that run policies.", [
    "policy",
    "version",
  ]),
  policyCounted: counter(
    "heddle_policy_counted_total",
    "What policies count by themselves (`context.count`).",
    ["policy", "name", "labels"],
  ),
  policyObserved: histogram(
    "heddle_policy_observed",
    "What policies observe by themselves (`context.observe`), in units of their own.",
    ["policy", "name", "labels"],
    observedBounds,
  ),
  policyLinesDropped: counter(
    "heddle_policy_lines_dropped_total",
    "Lines of policies that were too many for the log.",
    ["policy"],
  ),
  policyHostSealed: gauge(
    "heddle_policy_host_sealed",
    "1 while each process of policies runs under its whole seal.",
  ),
  policyHostStarts: counter(
    "heddle_policy_host_starts_total",
    "How often a process of policies was started.",
  ),
  policiesQuarantined: gauge(
    "heddle_policies_quarantined",
    "Policy versions that failed too often to be asked, those on trial included.",
  ),
  identityExpirySeconds: gauge("heddle_identity_expiry_seconds", "Seconds until a certificate ends.", ["id"]),
  configAgeSeconds: gauge(
    "heddle_config_age_seconds",
    "Since the controller last said that the configuration is current; while it is away, since it was saved.",
  ),
  configVersion: gauge("heddle_config_version", "1 for the snapshot in force.", ["version"]),
  faults: counter("heddle_faults_total", "Broken invariants, each a bug."),
  buildInfo: gauge("heddle_build_info", "Always 1.", ["mode", "version"]),
  shards: gauge("heddle_shards", "Processes that carry the traffic of a proxy of several event loops."),
  shardsEnded: counter(
    "heddle_shards_ended_total",
    "Such processes that ended by a fault, a hang or a signal: what they had open was lost, others took their places.",
  ),
  loopDelaySeconds: histogram("heddle_loop_delay_seconds", "How late a timer of the event loop fires."),
  otlpSent: counter(
    "heddle_otlp_sent_total",
    "What a receiver of OpenTelemetry took: spans (traces), points (metrics), lines of the access log (logs).",
    ["signal"],
  ),
  otlpDropped: counter(
    "heddle_otlp_dropped_total",
    "What no receiver has: too many waited (full), it does not take them (refused), or it could not for too long (late).",
    ["signal", "reason"],
  ),
  configPushSeconds: histogram(
    "heddle_config_push_seconds",
    "From a revision of documents to its snapshot on the way to a machine (sent), and in force there (acknowledged).",
    ["stage"],
    pushBounds,
  ),
  nodesConnected: gauge("heddle_nodes_connected", "Machines whose proxy is connected."),
  registryRevision: gauge("heddle_registry_revision", "Revision of the store."),
  identityRenewals: counter("heddle_identity_renewals_total", "Renewals of certificates.", ["result"]),
  processResidentMemoryBytes: gauge("process_resident_memory_bytes", "Resident memory."),
  processCpuSeconds: counter("process_cpu_seconds_total", "CPU time, user and system."),
  processOpenFds: gauge("process_open_fds", "Open descriptors."),
  processStartTimeSeconds: gauge("process_start_time_seconds", "When the mode started, since 1970."),
} as const;
