/** From what operators write to the model: defaults filled in, sugar expanded, names resolved to their namespace. */
import { limits } from "../model/limits.ts";
import type {
  AccessDocument,
  AccessRule,
  Backend,
  Document,
  HeaderMatch,
  HealthCheck,
  HttpRouteDocument,
  MachineDocument,
  PathMatch,
  PolicyUse,
  RouteMatch,
  RouteRule,
  ServiceDocument,
} from "../model/document.ts";
import { defaultNamespace, type ServiceName } from "../model/service.ts";
import type { Issue } from "./issue.ts";
import { issueAt } from "./read_document.ts";
import type { Kind, Written } from "./schema.ts";
import type { YamlDocument } from "./yaml_file.ts";

export interface Expandable {
  readonly source: YamlDocument;
  readonly kind: Kind;
  readonly value: Written<Kind>;
}

export function expandDocument(expandable: Expandable, issues: Issue[]): Document | null {
  switch (expandable.kind) {
    case "Service":
      return expandService(expandable.value as Written<"Service">);
    case "HTTPRoute":
      return expandRoute(expandable.value as Written<"HTTPRoute">, expandable.source, issues);
    case "Access":
      return expandAccess(expandable.value as Written<"Access">);
    default:
      return null;
  }
}

/** `orders` in the namespace around it, `orders.prod` in its own. */
export function resolveService(text: string, namespace: string): ServiceName {
  const [name = "", own = namespace] = text.split(".");
  return { name, namespace: own };
}

function expandService(value: Written<"Service">): ServiceDocument {
  return {
    kind: "Service",
    name: value.name,
    namespace: value.namespace ?? defaultNamespace,
    port: value.port,
    protocol: value.protocol,
    subsets: value.subsets ?? {},
    health: expandHealth(value.health),
    balance: value.balance ?? "ewma",
    stream: value.stream ?? false,
    policies: expandPolicies(value.policies),
  };
}

function expandHealth(
  value: { readonly http?: string | undefined; readonly every?: number | undefined } | undefined,
): HealthCheck | null {
  return value === undefined
    ? null
    : { http: value.http ?? null, everyMs: value.every ?? limits.probeEveryMs };
}

function expandPolicies(
  value: readonly { readonly use: string; readonly with?: Record<string, unknown> | undefined }[] | undefined,
): PolicyUse[] {
  return (value ?? []).map((each) => ({ use: each.use, with: each.with ?? {} }));
}

function expandRoute(value: Written<"HTTPRoute">, source: YamlDocument, issues: Issue[]): HttpRouteDocument {
  const namespace = value.namespace ?? defaultNamespace;
  const names = new Set<string>();
  const rules = value.rules.map((rule, at): RouteRule => {
    const name = rule.name ?? `rule-${at}`;
    if (names.has(name))
      issues.push(
        issueAt(source, ["rules", at, "name"], `rules[${at}].name: "${name}" names two rules of this route`),
      );
    names.add(name);
    if (rule.match !== undefined && rule.matches !== undefined) {
      issues.push(
        issueAt(source, ["rules", at, "match"], `rules[${at}]: match and matches exclude each other`),
      );
    }
    if (rule.split !== undefined && rule.backends !== undefined) {
      issues.push(
        issueAt(source, ["rules", at, "split"], `rules[${at}]: split and backends exclude each other`),
      );
    }
    const written = rule.matches ?? (rule.match === undefined ? [{}] : [rule.match]);
    const backends = expandBackends(rule, namespace);
    if (backends.length > 0 && backends.every((each) => each.weight === 0)) {
      issues.push(
        issueAt(source, ["rules", at], `rules[${at}]: all weights are 0, so nothing could be answered`),
      );
    }
    return {
      name,
      matches: written.map((match) => expandMatch(match)),
      backends,
      requestTimeoutMs:
        rule.timeouts?.request === undefined || rule.timeouts.request === 0 ? null : rule.timeouts.request,
      policies: expandPolicies(rule.policies),
      idempotent: rule.idempotent ?? false,
    };
  });
  return {
    kind: "HTTPRoute",
    name: value.name,
    namespace,
    service: resolveService(value.service, namespace),
    order: value.order ?? 0,
    rules,
  };
}

type WrittenRule = Written<"HTTPRoute">["rules"][number];
type WrittenMatch = NonNullable<WrittenRule["match"]>;

function expandBackends(rule: WrittenRule, namespace: string): Backend[] {
  if (rule.backends !== undefined) {
    return rule.backends.map((each) => ({
      service: resolveService(each.service, namespace),
      subset: each.subset ?? null,
      weight: each.weight ?? 1,
    }));
  }
  return Object.entries(rule.split ?? {}).map(([target, weight]) => {
    const [service = "", subset] = target.split("/");
    return { service: resolveService(service, namespace), subset: subset ?? null, weight };
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
  if (typeof path !== "string") return path;
  if (path.startsWith("= ")) return { type: "Exact", value: path.slice(2) };
  if (path.startsWith("~ ")) return { type: "RegularExpression", value: path.slice(2) };
  return { type: "PathPrefix", value: path };
}

/** Of equal names only the first counts (Gateway API). */
function expandHeaders(headers: WrittenMatch["headers"]): HeaderMatch[] {
  if (headers === undefined) return [];
  const listed = Array.isArray(headers)
    ? headers
    : Object.entries(headers).map(([name, value]) => ({ type: "Exact" as const, name, value }));
  const seen = new Set<string>();
  return listed
    .map((each) => ({ ...each, name: each.name.toLowerCase() }))
    .filter((each) => !seen.has(each.name) && seen.add(each.name));
}

function expandAccess(value: Written<"Access">): AccessDocument {
  const namespace = value.namespace ?? defaultNamespace;
  const rules = (written: Written<"Access">["allow"]): AccessRule[] =>
    (written ?? []).map((each) => ({
      from: each.from,
      methods: each.methods ?? [],
      paths: each.paths ?? [],
    }));
  return {
    kind: "Access",
    name: value.name,
    namespace,
    service: resolveService(value.service, namespace),
    mode: value.mode ?? "enforce",
    deny: rules(value.deny),
    allow: rules(value.allow),
  };
}

export function expandMachine(expandable: Expandable, issues: Issue[]): MachineDocument | null {
  const value = expandable.value as Written<"Machine">;
  const seen = new Set<string>();
  const services = (value.services ?? []).map((each, at) => {
    const service = resolveService(each.service, defaultNamespace);
    const key = `${service.name}.${service.namespace}`;
    if (seen.has(key)) {
      issues.push(
        issueAt(
          expandable.source,
          ["services", at, "service"],
          `services[${at}].service: "${each.service}" stands here twice; one machine runs one instance of a service`,
        ),
      );
    }
    seen.add(key);
    return {
      service,
      host: each.host ?? "127.0.0.1",
      port: each.port,
      health: expandHealth(each.health),
      labels: each.labels ?? {},
      httpPort: each.httpPort ?? null,
      upstreams: (each.upstreams ?? []).map((upstream) => {
        const colon = upstream.bind?.lastIndexOf(":") ?? -1;
        const host = upstream.bind === undefined ? "127.0.0.1" : upstream.bind.slice(0, colon);
        const port = upstream.bind === undefined ? null : Number(upstream.bind.slice(colon + 1));
        return { service: resolveService(upstream.service, service.namespace), host, port };
      }),
    };
  });
  return { kind: "Machine", name: value.name ?? "", address: value.address ?? null, services };
}
