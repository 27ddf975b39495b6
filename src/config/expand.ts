/** From what operators write to the model: defaults filled in, sugar expanded, names resolved to their namespace. */
import type {
  AccessDocument,
  AccessRule,
  Backend,
  Document,
  HeaderMatch,
  HealthCheck,
  HttpRouteDocument,
  MachineDocument,
  MachineService,
  PathMatch,
  PolicyUse,
  RouteMatch,
  RouteRule,
  ServiceDocument,
  TlsRouteDocument,
  Upstream,
} from "../model/document.ts";
import { limits } from "../model/limits.ts";
import { defaultNamespace, type ServiceName } from "../model/service.ts";
import type { ReadDocument } from "./read_document.ts";
import type { Written } from "./schema.ts";

export function expandDocument(read: Exclude<ReadDocument, { kind: "Machine" }>): Document {
  switch (read.kind) {
    case "Service":
      return expandService(read.value);
    case "HTTPRoute":
      return expandRoute(read.value);
    case "TLSRoute":
      return expandTlsRoute(read.value);
    case "Access":
      return expandAccess(read.value);
  }
}

/** `orders` in the namespace around it, `orders.prod` in its own. */
export function resolveService(text: string, namespace: string = defaultNamespace): ServiceName {
  const [name = "", own = namespace] = text.split(".");
  return { name, namespace: own };
}

function expandService(value: Written<"Service">): ServiceDocument {
  return {
    kind: "Service",
    name: value.name,
    namespace: value.namespace ?? defaultNamespace,
    port: value.port,
    protocol: value.protocol ?? "detect",
    transport: value.transport ?? "shared",
    subsets: value.subsets ?? {},
    health: expandHealth(value.health),
    balance: value.balance ?? "ewma",
    stream: value.stream ?? false,
    escapedSlashes: value.escapedSlashes ?? "keep",
    ...(value.upgrades === undefined ? {} : { upgrades: value.upgrades }),
    policies: expandPolicies(value.policies),
  };
}

function expandHealth(value: Written<"Service">["health"]): HealthCheck | null {
  if (value === undefined) return null;
  return { http: value.http ?? null, everyMs: value.every ?? limits.probeEveryMs };
}

function expandPolicies(value: Written<"Service">["policies"]): PolicyUse[] {
  return (value ?? []).map((each) => ({ use: each.use, with: each.with ?? {} }));
}

type WrittenRule = Written<"HTTPRoute">["rules"][number];
type WrittenMatch = NonNullable<WrittenRule["match"]>;

function expandRoute(value: Written<"HTTPRoute">): HttpRouteDocument {
  const namespace = value.namespace ?? defaultNamespace;
  return {
    kind: "HTTPRoute",
    name: value.name,
    namespace,
    service: resolveService(value.service, namespace),
    order: value.order ?? 0,
    rules: value.rules.map((rule, at) => expandRule(rule, at, namespace)),
  };
}

function expandRule(rule: WrittenRule, at: number, namespace: string): RouteRule {
  const requestMs = rule.timeouts?.request ?? 0;
  return {
    name: rule.name ?? `rule-${at}`,
    matches: (rule.matches ?? [rule.match ?? {}]).map(expandMatch),
    backends: expandBackends(rule, namespace),
    // 0s means none (GEP-2257).
    requestTimeoutMs: requestMs === 0 ? null : requestMs,
    policies: expandPolicies(rule.policies),
    idempotent: rule.idempotent ?? false,
  };
}

function expandTlsRoute(value: Written<"TLSRoute">): TlsRouteDocument {
  const namespace = value.namespace ?? defaultNamespace;
  return {
    kind: "TLSRoute",
    name: value.name,
    namespace,
    service: resolveService(value.service, namespace),
    hostnames: value.hostnames,
    backends: expandBackends(value, namespace),
  };
}

function expandBackends(rule: Pick<WrittenRule, "backends" | "split">, namespace: string): Backend[] {
  if (rule.backends !== undefined) {
    return rule.backends.map((each) => ({
      service: resolveService(each.service, namespace),
      subset: each.subset ?? null,
      weight: each.weight ?? 1,
    }));
  }
  return Object.entries(rule.split ?? {}).map(([target, weight]) => {
    const [service = "", subset = null] = target.split("/");
    return { service: resolveService(service, namespace), subset, weight };
  });
}

function expandMatch(match: WrittenMatch): RouteMatch {
  return {
    path: expandPath(match.path),
    method: match.method ?? null,
    headers: expandHeaders(match.headers),
  };
}

function expandPath(path: WrittenMatch["path"]): PathMatch {
  if (path === undefined) return { type: "PathPrefix", value: "/" };
  if (typeof path !== "string") return pathMatch(path.type ?? "PathPrefix", path.value);
  if (path.startsWith("= ")) return pathMatch("Exact", path.slice(2));
  if (path.startsWith("~ ")) return pathMatch("RegularExpression", path.slice(2));
  return pathMatch("PathPrefix", path);
}

/** A prefix matches whole segments, so a slash at its end says nothing and must not make it look longer. */
function pathMatch(type: PathMatch["type"], value: string): PathMatch {
  const plain = type === "PathPrefix" && value.length > 1 && value.endsWith("/") ? value.slice(0, -1) : value;
  return { type, value: plain };
}

/** Of equal names only the first counts (Gateway API). */
function expandHeaders(headers: WrittenMatch["headers"]): HeaderMatch[] {
  const listed: HeaderMatch[] = Array.isArray(headers)
    ? headers.map((each) => ({
        type: each.type ?? "Exact",
        name: each.name.toLowerCase(),
        value: each.value,
      }))
    : Object.entries(headers ?? {}).map(([name, value]) => ({
        type: "Exact",
        name: name.toLowerCase(),
        value,
      }));
  const seen = new Set<string>();
  return listed.filter((each) => !seen.has(each.name) && seen.add(each.name));
}

function expandAccess(value: Written<"Access">): AccessDocument {
  const namespace = value.namespace ?? defaultNamespace;
  return {
    kind: "Access",
    name: value.name,
    namespace,
    service: resolveService(value.service, namespace),
    mode: value.mode ?? "enforce",
    deny: expandAccessRules(value.deny),
    allow: expandAccessRules(value.allow),
  };
}

function expandAccessRules(rules: Written<"Access">["allow"]): AccessRule[] {
  return (rules ?? []).map((each) => ({
    from: each.from,
    methods: each.methods ?? [],
    paths: each.paths ?? [],
  }));
}

export function expandMachine(value: Written<"Machine">): MachineDocument {
  return {
    kind: "Machine",
    name: value.name ?? "",
    address: value.address ?? null,
    services: (value.services ?? []).map(expandMachineService),
  };
}

function expandMachineService(value: NonNullable<Written<"Machine">["services"]>[number]): MachineService {
  const service = resolveService(value.service);
  return {
    service,
    host: value.host ?? "127.0.0.1",
    port: value.port,
    health: expandHealth(value.health),
    labels: value.labels ?? {},
    httpPort: value.httpPort ?? null,
    proxyProtocol: value.proxyProtocol === undefined ? null : value.proxyProtocol === "v1" ? 1 : 2,
    upstreams: (value.upstreams ?? []).map((each): Upstream => {
      const target = resolveService(each.service, service.namespace);
      const proxyProtocol = each.proxyProtocol ?? false;
      return { service: target, ...expandBind(each.bind), proxyProtocol };
    }),
  };
}

function expandBind(bind: string | undefined): { host: string; port: number | null } {
  if (bind === undefined) return { host: "127.0.0.1", port: null };
  const colon = bind.lastIndexOf(":");
  const host = bind.slice(0, colon).replace(/^\[|\]$/g, "");
  return { host: host === "localhost" ? "127.0.0.1" : host, port: Number(bind.slice(colon + 1)) };
}
