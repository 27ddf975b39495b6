/**
 * Documents and catalog in, the snapshot of one machine out: pure, and the same bytes for the same input. A machine gets
 * only the services that its own services use, and what routes of those lead to.
 */
import { createHash } from "node:crypto";
import type {
  AccessDocument,
  AccessRule,
  Document,
  HttpRouteDocument,
  PolicyUse,
  RouteMatch,
  ServiceDocument,
} from "../model/document.ts";
import { serviceId } from "../model/identity.ts";
import { serviceKey, type Instance, type ServiceName } from "../model/service.ts";
import type {
  Access,
  CompiledAccessRule,
  CompiledBackend,
  CompiledRoute,
  Destination,
  LocalService,
  PolicyBinding,
  PolicyRef,
  Snapshot,
  TrustBundle,
} from "../model/snapshot.ts";

/** A policy that documents may use. */
export interface KnownPolicy extends PolicyRef {
  /** Services that its options may name; they are sent along. */
  readonly routesTo: (options: Readonly<Record<string, unknown>>) => readonly ServiceName[];
}

/** Everything snapshots are made of, the same for all machines. */
export interface CompileInput {
  readonly trustDomain: string;
  readonly bundle: TrustBundle;
  readonly deniedIds: readonly string[];
  readonly documents: readonly Document[];
  readonly instances: readonly Instance[];
  /** By name. */
  readonly policies: ReadonlyMap<string, KnownPolicy>;
}

export interface CompileMachine {
  readonly node: string;
  /** Services that it may be. */
  readonly services: readonly ServiceName[];
  /** Keys of services that its own services call. */
  readonly uses: readonly string[];
}

export function compileSnapshot(input: CompileInput, machine: CompileMachine): Snapshot {
  const index = indexOf(input);
  const destinations = destinationsOf(input, index, machine);
  const content: Omit<Snapshot, "version"> = {
    format: 1,
    node: machine.node,
    trustDomain: input.trustDomain,
    bundle: input.bundle,
    deniedIds: [...input.deniedIds].sort(),
    locals: sortedByKey(machine.services).map((service) => localOf(input, index, service)),
    destinations,
    policies: policiesOf(input, destinations),
  };
  const version = createHash("sha256").update(JSON.stringify(content)).digest("hex");
  return { ...content, version };
}

interface Index {
  readonly services: ReadonlyMap<string, ServiceDocument>;
  readonly routes: ReadonlyMap<string, readonly HttpRouteDocument[]>;
  readonly access: ReadonlyMap<string, readonly AccessDocument[]>;
  readonly instances: ReadonlyMap<string, readonly Instance[]>;
}

function indexOf(input: CompileInput): Index {
  const services = new Map<string, ServiceDocument>();
  const routes = new Map<string, HttpRouteDocument[]>();
  const access = new Map<string, AccessDocument[]>();
  const instances = new Map<string, Instance[]>();
  for (const document of input.documents) {
    if (document.kind === "Service") services.set(serviceKey(document), document);
    else if (document.kind === "HTTPRoute") push(routes, serviceKey(document.service), document);
    else push(access, serviceKey(document.service), document);
  }
  for (const instance of input.instances) push(instances, serviceKey(instance.service), instance);
  return { services, routes, access, instances };
}

function push<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function sortedByKey(services: readonly ServiceName[]): ServiceName[] {
  return [...services].sort((a, b) => (serviceKey(a) < serviceKey(b) ? -1 : 1));
}

function localOf(input: CompileInput, index: Index, service: ServiceName): LocalService {
  const document = index.services.get(serviceKey(service));
  return {
    service: { name: service.name, namespace: service.namespace },
    spiffeId: serviceId(input.trustDomain, service),
    protocol: document?.protocol ?? "tcp",
    health: document?.health ?? null,
    stream: document?.stream ?? false,
    // A service that nobody declared is reached by nobody.
    access:
      document === undefined
        ? { otherwise: "deny", deny: [], allow: [] }
        : accessOf(input, index.access.get(serviceKey(service)) ?? []),
  };
}

function accessOf(input: CompileInput, documents: readonly AccessDocument[]): Access {
  const compiled = (list: "deny" | "allow"): CompiledAccessRule[] =>
    [...documents]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((document) =>
        document[list].map((rule, at) =>
          compileAccess(input, document, rule, `${document.name}#${list}[${at}]`),
        ),
      );
  const enforced = documents.some((document) => document.mode === "enforce");
  return { otherwise: enforced ? "deny" : "allow", deny: compiled("deny"), allow: compiled("allow") };
}

function compileAccess(
  input: CompileInput,
  document: AccessDocument,
  rule: AccessRule,
  id: string,
): CompiledAccessRule {
  return {
    id,
    mode: document.mode,
    source: sourceOf(input, document, rule.from),
    methods: rule.methods,
    paths: rule.paths,
  };
}

function sourceOf(input: CompileInput, document: AccessDocument, from: string): CompiledAccessRule["source"] {
  if (from === "any" || from === "any-mesh") return { kind: from };
  if (from.startsWith("spiffe://")) {
    return from.endsWith("/*")
      ? { kind: "prefix", value: from.slice(0, -1) }
      : { kind: "exact", value: from };
  }
  const [name = "", namespace = document.namespace] = from.split(".");
  return { kind: "exact", value: serviceId(input.trustDomain, { name, namespace }) };
}

/** The services it uses, and those that their routes and policies lead to. */
function destinationsOf(input: CompileInput, index: Index, machine: CompileMachine): Destination[] {
  const wanted = new Set(machine.uses.filter((key) => index.services.has(key)));
  for (const key of wanted) {
    for (const reached of reachedFrom(input, index, key))
      if (index.services.has(reached)) wanted.add(reached);
  }
  return [...wanted]
    .sort()
    .map((key) => destinationOf(input, index, index.services.get(key) as ServiceDocument));
}

function reachedFrom(input: CompileInput, index: Index, key: string): string[] {
  const routes = index.routes.get(key) ?? [];
  const uses = [
    ...(index.services.get(key)?.policies ?? []),
    ...routes.flatMap((route) => route.rules.flatMap((rule) => rule.policies)),
  ];
  const byPolicy = uses.flatMap((use) => input.policies.get(use.use)?.routesTo(use.with) ?? []);
  const byRoute = routes.flatMap((route) =>
    route.rules.flatMap((rule) => rule.backends.map((backend) => backend.service)),
  );
  return [...byRoute, ...byPolicy].map(serviceKey);
}

function destinationOf(input: CompileInput, index: Index, service: ServiceDocument): Destination {
  const key = serviceKey(service);
  const endpoints = [...(index.instances.get(key) ?? [])]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ id, node, address, port, labels, ready }) => ({ id, node, address, port, labels, ready }));
  return {
    service: { name: service.name, namespace: service.namespace },
    spiffeId: serviceId(input.trustDomain, service),
    protocol: service.protocol,
    balance: service.balance,
    stream: service.stream,
    subsets: service.subsets,
    endpoints,
    routes: compileRoutes(input, index, index.routes.get(key) ?? []),
    policies: bindingsOf(input, service.policies),
  };
}

function bindingsOf(input: CompileInput, uses: readonly PolicyUse[]): PolicyBinding[] {
  return uses.map((use) => ({
    hash: input.policies.get(use.use)?.hash ?? "",
    name: use.use,
    options: use.with,
  }));
}

interface Candidate {
  readonly route: CompiledRoute;
  readonly order: number;
  readonly document: string;
  readonly rule: number;
}

/** One entry per match, the first that fits wins: the precedence of the Gateway API over all rules of all routes. */
function compileRoutes(
  input: CompileInput,
  index: Index,
  documents: readonly HttpRouteDocument[],
): CompiledRoute[] {
  const candidates = documents.flatMap((document) =>
    document.rules.flatMap((rule, at) => {
      const own = [{ service: document.service, subset: null, weight: 1 }];
      const backends = (rule.backends.length === 0 ? own : rule.backends).map((backend) =>
        compileBackend(index, backend),
      );
      const policies = bindingsOf(input, rule.policies);
      const name = `${document.name}/${rule.name}`;
      const { requestTimeoutMs, idempotent } = rule;
      return rule.matches.map((match): Candidate => ({
        route: { name, match, backends, requestTimeoutMs, idempotent, policies },
        order: document.order,
        document: `${document.namespace}/${document.name}`,
        rule: at,
      }));
    }),
  );
  return candidates.sort(byPrecedence).map((candidate) => candidate.route);
}

function compileBackend(
  index: Index,
  backend: { readonly service: ServiceName; readonly subset: string | null; readonly weight: number },
): CompiledBackend {
  const key = serviceKey(backend.service);
  const service = index.services.get(key);
  const { name, namespace } = backend.service;
  const missing = service === undefined ? `there is no service ${key}` : null;
  const noSubset =
    backend.subset !== null && service?.subsets[backend.subset] === undefined
      ? `the service ${key} has no subset ${backend.subset}`
      : null;
  return {
    service: { name, namespace },
    subset: backend.subset,
    weight: backend.weight,
    invalid: missing ?? noSubset,
  };
}

function byPrecedence(a: Candidate, b: Candidate): number {
  return (
    comparePaths(a.route.match, b.route.match) ||
    Number(b.route.match.method !== null) - Number(a.route.match.method !== null) ||
    b.route.match.headers.length - a.route.match.headers.length ||
    a.order - b.order ||
    (a.document < b.document ? -1 : a.document > b.document ? 1 : 0) ||
    a.rule - b.rule
  );
}

/** Exact, then by the length of the literal start; an expression stands above a prefix of equal or shorter start. */
function comparePaths(a: RouteMatch, b: RouteMatch): number {
  const exact = Number(b.path.type === "Exact") - Number(a.path.type === "Exact");
  if (exact !== 0) return exact;
  const length = literalLength(b.path.value, b.path.type) - literalLength(a.path.value, a.path.type);
  if (length !== 0) return length;
  return Number(b.path.type === "RegularExpression") - Number(a.path.type === "RegularExpression");
}

function literalLength(value: string, type: RouteMatch["path"]["type"]): number {
  if (type !== "RegularExpression") return value.length;
  return (/^\^?[A-Za-z0-9/_-]*/.exec(value)?.[0] ?? "").replace("^", "").length;
}

function policiesOf(input: CompileInput, destinations: readonly Destination[]): PolicyRef[] {
  const hashes = new Set(
    destinations
      .flatMap((each) => [...each.policies, ...each.routes.flatMap((route) => route.policies)])
      .map((binding) => binding.hash),
  );
  const refs = [...input.policies.values()].filter((policy) => hashes.has(policy.hash));
  return refs
    .map(({ hash, name, version, onError, cpuMs, waitMs }) => ({
      hash,
      name,
      version,
      onError,
      cpuMs,
      waitMs,
    }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1));
}
