/** `DestinationRule`: subsets of a service, and what its calls go by. */
import { metadataOf, serviceAt } from "./kubernetes.ts";
import type { Fields, Origin } from "./origin.ts";
import { durationText, labelOf, saying, type Target, type Written } from "./target.ts";

export function readDestinationRule(origin: Origin, target: Target): void {
  const root = origin.root();
  const { namespace, annotations } = metadataOf(root);
  annotations.ignore(...annotations.names);
  const spec = root.inner("spec");
  const host = spec.text("host") ?? "";
  const service = serviceAt(host, namespace);
  if (service === null) return spec.refuse("host", `${host} is no service of the mesh`);
  spec.loss("exportTo", "every service of the mesh sees it");
  spec.loss("workloadSelector", "it holds for every caller");
  const draft = target.service(service, origin);
  for (const subset of spec.list("subsets")) {
    const name = labelOf(subset.text("name") ?? "");
    const labels = subset.texts("labels");
    if (draft.subsets.has(name))
      subset.loss("name", `another document declares the subset ${name} of ${service.name}`);
    else draft.subsets.set(name, labels);
    subset.loss("trafficPolicy", "what calls go by is said of a whole service here");
  }
  const policy = spec.inner("trafficPolicy");
  const put = (group: string, fields: Written): void => target.traffic(service, group, fields, origin);
  readBalancing(policy.inner("loadBalancer"), put);
  readPools(policy.inner("connectionPool"), put);
  readOutliers(policy.inner("outlierDetection"), put);
  const budget = policy.inner("retryBudget");
  put("retryBudget", { percent: budget.number("percent"), min: budget.number("minRetryConcurrency") });
  if (budget.has("minRetryConcurrency"))
    budget.note("minRetryConcurrency", "retries a second here, not retries under way");
  const tls = policy.inner("tls");
  const mode = tls.text("mode");
  if (mode !== undefined && mode !== "ISTIO_MUTUAL")
    tls.origin.loss([...tls.path, "mode"], `${mode}: within the mesh there is mutual TLS and nothing else`);
  policy.loss("portLevelSettings", "a service has one port here");
  policy.loss("tunnel", "there is no counterpart");
  const proxy = policy.inner("proxyProtocol").text("version");
  if (proxy !== undefined)
    policy.loss("proxyProtocol", "it is said by the Machine document: proxyProtocol of the service");
}

type Put = (group: string, fields: Written) => void;

const strategies: Readonly<Record<string, string>> = {
  ROUND_ROBIN: "round-robin",
  LEAST_REQUEST: "least-request",
  LEAST_CONN: "least-request",
  RANDOM: "random",
};

function readBalancing(balancer: Fields, put: Put): void {
  const simple = balancer.text("simple");
  const strategy = simple === undefined ? undefined : strategies[simple];
  if (simple !== undefined && strategy === undefined && simple !== "UNSPECIFIED")
    balancer.loss("simple", `${simple} has no counterpart: the default is peak-ewma`);
  const hash = balancer.inner("consistentHash");
  const cookie = hash.inner("httpCookie");
  cookie.loss("ttl", "the cookie is the app's own; sessionPersistence of Traffic makes one");
  cookie.loss("path", "the cookie is the app's own");
  const key = saying({
    header: hash.text("httpHeaderName")?.toLowerCase(),
    cookie: cookie.text("name"),
    query: hash.text("httpQueryParameterName"),
  });
  hash.loss("useSourceIp", "there is no key by address: caller: true is by calling service");
  const maglev = hash.has("maglev");
  const ring = hash.inner("ringHash");
  ring.loss("minimumRingSize", "the ring has a size of its own here");
  hash.inner("maglev").loss("tableSize", "the table has a size of its own here");
  hash.loss("minimumRingSize", "the ring has a size of its own here");
  const warmup = balancer.inner("warmup");
  const slowStart = warmup.duration("duration") ?? balancer.duration("warmupDurationSecs");
  const locality = balancer.inner("localityLbSetting");
  if (locality.flag("enabled") === false) put("zones", { prefer: "none" });
  put("balance", {
    strategy: key === undefined ? strategy : maglev ? "maglev" : "ring-hash",
    key,
    slowStart: durationText(slowStart),
    slowStartPercent: warmup.number("minimumPercent"),
  });
}

function readPools(pool: Fields, put: Put): void {
  const tcp = pool.inner("tcp");
  const http = pool.inner("http");
  put("limits", {
    connections: tcp.number("maxConnections"),
    pending: http.number("http1MaxPendingRequests"),
    requests: http.number("http2MaxRequests"),
  });
  put("timeouts", {
    connect: durationText(tcp.duration("connectTimeout")),
    idle: durationText(http.duration("idleTimeout")),
  });
  tcp.loss("tcpKeepalive", "connections between proxies are kept alive by pings of HTTP/2");
  for (const field of ["maxConnectionDuration", "idleTimeout"])
    tcp.loss(field, "opaque connections have no limit of this kind");
  http.loss("maxRequestsPerConnection", "requests share a connection for as long as it stands");
  http.loss("maxRetries", "retries are bounded by retryBudget here");
  http.loss("maxConcurrentStreams", "streams of a connection are bounded by heddle itself");
  http.loss("h2UpgradePolicy", "all HTTP between proxies is HTTP/2");
  http.loss("useClientProtocol", "a service says what it speaks: protocol");
}

function readOutliers(outlier: Fields, put: Put): void {
  const failures =
    outlier.number("consecutive5xxErrors") ??
    outlier.number("consecutiveGatewayErrors") ??
    outlier.number("consecutiveErrors");
  put("circuitBreaking", {
    failures,
    penalty: durationText(outlier.duration("baseEjectionTime")),
    ejectedPercent: outlier.number("maxEjectionPercent"),
  });
  outlier.loss("interval", "each answer counts at once here, not at intervals");
  outlier.loss(
    "minHealthPercent",
    "no more than ejectedPercent are out, and none while the others fail as much",
  );
  outlier.loss("splitExternalLocalOriginErrors", "all failures count together");
  outlier.loss("consecutiveLocalOriginFailures", "all failures count together");
}
