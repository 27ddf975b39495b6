/** `service-defaults` and `service-resolver`: what the calls of a service go by, and its subsets. */
import { serviceKey } from "../../model/service.ts";
import { AnyCase, type ConsulEntry } from "./consul_entry.ts";
import { durationText, labelOf, saying, type Target, type Written } from "./target.ts";

export function readServiceDefaults(
  { origin, name, fields }: ConsulEntry,
  target: Target,
  outside: ReadonlyMap<string, Written>,
): void {
  const draft = target.service(name, origin);
  draft.protocol = fields.text("Protocol") ?? draft.protocol;
  if (fields.has("Destination"))
    readDestination(fields.inner("Destination"), draft, outside.get(serviceKey(name)));
  for (const field of [
    "MeshGateway",
    "Expose",
    "TransparentProxy",
    "Mode",
    "ExternalSNI",
    "EnvoyExtensions",
    "BalanceInboundConnections",
    "MutualTLSMode",
  ])
    fields.loss(field, "it configures another proxy");
  const put = (group: string, said: Written): void => target.traffic(name, group, said, origin);
  put("limits", { connections: fields.number("MaxInboundConnections") || undefined });
  const ms = fields.number("LocalConnectTimeoutMs");
  if (ms !== undefined)
    fields.loss("LocalConnectTimeoutMs", "an app is connected to within timeouts.connect of its callers");
  const request = fields.number("LocalRequestTimeoutMs");
  put("timeouts", { request: durationText(request || undefined) });
  readRates(fields.inner("RateLimits"), put);
  const upstreams = fields.inner("UpstreamConfig");
  if (upstreams.has("Overrides") || upstreams.has("Defaults"))
    readUpstreams(upstreams, target, name.namespace);
}

/** `tls`: what a terminating gateway says of the way there; undefined: none passes anything on to it. */
function readDestination(
  destination: AnyCase,
  draft: ReturnType<Target["service"]>,
  tls: Written | undefined,
): void {
  if (tls === undefined)
    return destination.origin.refuse(
      destination.fields.path,
      "no terminating-gateway of these documents names it, so nobody says whether the way there is TLS: write kind: External",
    );
  const port = destination.number("Port");
  draft.port = port ?? null;
  const endpoints = destination
    .words("Addresses")
    .map((address) => `${address.includes(":") ? `[${address}]` : address}:${port}`);
  draft.external = { endpoints, ...tls };
  destination.note(
    "Addresses",
    `callers ask for ${draft.name.name}.mesh here, and not for these addresses: each caller's own proxy goes there`,
  );
}

type Put = (group: string, said: Written) => void;

function readRates(rates: AnyCase, put: Put): void {
  const instance = rates.inner("InstanceLevel");
  const perSecond = instance.number("RequestsPerSecond");
  const burst = instance.number("RequestsMaxBurst");
  const keys = instance.list("Routes").flatMap((route) => {
    const exact = route.text("PathExact");
    const prefix = route.text("PathPrefix");
    route.refuse("PathRegex", "a rate is for exact paths here, or for those below one");
    if (exact === undefined && prefix?.endsWith("/") !== true && route.has("PathPrefix"))
      route.loss("PathPrefix", `here ${prefix} and all below it, and not what goes on within the segment`);
    const below =
      prefix === undefined
        ? []
        : [...(prefix.endsWith("/") ? [] : [prefix]), `${prefix.replace(/\/$/, "")}/*`];
    const rate = route.number("RequestsPerSecond");
    const paths = exact === undefined ? below : [exact];
    return paths.length === 0 || rate === undefined
      ? []
      : [{ paths, rate: `${rate}/s`, ...saying({ burst: route.number("RequestsMaxBurst") }) }];
  });
  put("rateLimit", {
    total:
      perSecond === undefined
        ? undefined
        : burst === undefined
          ? `${perSecond}/s`
          : { rate: `${perSecond}/s`, burst },
    keys: keys.length === 0 ? undefined : keys,
  });
}

/** Of the services that this one calls: said there by the caller, here of the service that is called. */
function readUpstreams(upstreams: AnyCase, target: Target, namespace: string): void {
  upstreams.loss(
    "Defaults",
    "what calls go by is said of the service that is called: kind: Mesh has what holds for all",
  );
  for (const each of upstreams.list("Overrides")) {
    const own = each.text("Name") ?? "";
    each.ignore("Namespace", "Partition", "Peer");
    const service = { name: labelOf(own), namespace };
    const { origin } = each;
    origin.loss(each.fields.path, "it holds for the calls of one service there, and here for those of all");
    const put = (group: string, said: Written): void => target.traffic(service, group, said, origin);
    const protocol = each.text("Protocol");
    if (protocol !== undefined) target.service(service, origin).protocol ??= protocol;
    const limits = each.inner("Limits");
    put("limits", {
      connections: limits.number("MaxConnections"),
      pending: limits.number("MaxPendingRequests"),
      requests: limits.number("MaxConcurrentRequests"),
    });
    const connect = each.number("ConnectTimeoutMs");
    put("timeouts", { connect: durationText(connect) });
    const check = each.inner("PassiveHealthCheck");
    check.loss("Interval", "each answer counts at once here, not at intervals");
    check.loss("EnforcingConsecutive5xx", "an instance that fails so often is always taken out");
    put("circuitBreaking", {
      failures: check.number("MaxFailures"),
      penalty: durationText(check.duration("BaseEjectionTime")),
      ejectedPercent: check.number("MaxEjectionPercent"),
    });
    for (const field of [
      "MeshGateway",
      "EnvoyListenerJSON",
      "EnvoyClusterJSON",
      "BalanceOutboundConnections",
    ])
      each.loss(field, "it configures another proxy");
  }
}

const strategies: Readonly<Record<string, string>> = {
  random: "random",
  round_robin: "round-robin",
  least_request: "least-request",
  maglev: "maglev",
  ring_hash: "ring-hash",
};

export function readResolver({ origin, name, fields }: ConsulEntry, target: Target): void {
  const { subsets } = target.service(name, origin);
  const written = fields.inner("Subsets");
  for (const own of written.fields.names) {
    const subset = new AnyCase(written.fields.inner(own));
    subset.ignore("OnlyPassing");
    const labels = labelsIn(subset);
    if (labels !== null) subsets.set(labelOf(own), labels);
  }
  fields.loss(
    "Failover",
    "instances of other zones take over by themselves; another service does by a policy, or by weights",
  );
  const put = (group: string, said: Written): void => target.traffic(name, group, said, origin);
  put("timeouts", {
    connect: durationText(fields.duration("ConnectTimeout")),
    request: durationText(fields.duration("RequestTimeout") || undefined),
  });
  const locality = fields.inner("PrioritizeByLocality").text("Mode");
  if (locality === "none") put("zones", { prefer: "none" });
  const balancer = fields.inner("LoadBalancer");
  const policy = balancer.text("Policy") ?? "";
  balancer.inner("LeastRequestConfig").loss("ChoiceCount", "two instances are looked at here");
  const ring = balancer.inner("RingHashConfig");
  for (const field of ["MinimumRingSize", "MaximumRingSize"])
    ring.loss(field, "the ring has a size of its own here");
  const [first, ...others] = balancer.list("HashPolicies");
  for (const each of others) origin.loss(each.fields.path, "requests go by one key here, the first");
  const key = first === undefined ? undefined : keyOf(first);
  const strategy = strategies[policy];
  if (policy !== "" && strategy === undefined) balancer.loss("Policy", `${policy} has no counterpart`);
  const byKey = strategy === "maglev" || strategy === "ring-hash";
  if (byKey && key === undefined)
    balancer.loss("Policy", `${policy} goes by a key here, and none is said that it has`);
  put("balance", {
    strategy: byKey && key === undefined ? undefined : strategy,
    key: byKey ? key : undefined,
  });
}

function keyOf(policy: AnyCase): Written | undefined {
  policy.ignore("Terminal");
  const cookie = policy.inner("CookieConfig");
  for (const field of ["TTL", "Path", "Session"])
    cookie.loss(field, "the cookie is the app's own; sessionPersistence of Traffic makes one");
  if (policy.flag("SourceIP") === true) {
    policy.loss("SourceIP", "there is no key by address: caller: true is by calling service");
    return undefined;
  }
  const value = policy.text("FieldValue") ?? "";
  const field = policy.text("Field");
  return field === "header"
    ? { header: value.toLowerCase() }
    : field === "cookie"
      ? { cookie: value }
      : field === "query_parameter"
        ? { query: value }
        : undefined;
}

/** `Service.Meta.version == v2`, and several with `and`; null, and refused, for what labels cannot say. */
function labelsIn(subset: AnyCase): Readonly<Record<string, string>> | null {
  const filter = subset.text("Filter") ?? "";
  if (filter === "") return {};
  const labels: Record<string, string> = {};
  for (const part of filter.split(/\s+and\s+/)) {
    const found = /^\(?\s*Service\.Meta\.?(?:\["?([\w-]+)"?\]|([\w-]+))\s*==\s*"?([^"]*?)"?\s*\)?$/.exec(
      part.trim(),
    );
    const name = found?.[1] ?? found?.[2];
    if (name === undefined) {
      subset.refuse("Filter", `${part}: a subset is of instances with labels here, {version: v2}`);
      return null;
    }
    labels[name] = found?.[3] ?? "";
  }
  return labels;
}
