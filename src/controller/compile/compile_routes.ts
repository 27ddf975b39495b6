/**
 * Routes of one service as one list, the first match of which wins: the precedence of the Gateway API over all rules of
 * all its routes. A rule with three matches is three entries. File names and the order of documents never matter.
 */
import type {
  Backend,
  HttpRouteDocument,
  RouteMatch,
  RouteTraits,
  ServiceDocument,
  TcpRouteDocument,
  TlsRouteDocument,
} from "../../model/document.ts";
import { serviceId } from "../../model/identity.ts";
import { compareRanks, isForAll, rankOf, wildness, type MatchRank } from "../../model/route_rank.ts";
import { serviceKey, takesConnections, takesRequests, type Protocol } from "../../model/service.ts";
import type {
  CompiledBackend,
  CompiledRoute,
  CompiledTlsRoute,
  PolicyBinding,
} from "../../model/snapshot.ts";
import { callerId } from "./caller_id.ts";

export interface RouteContext {
  readonly trustDomain: string;
  readonly services: ReadonlyMap<string, ServiceDocument>;
  readonly bind: (uses: ServiceDocument["policies"]) => readonly PolicyBinding[];
  /** The Mesh lets routes make faults. Absent: no. */
  readonly faults?: boolean;
}

interface Candidate {
  readonly route: CompiledRoute;
  readonly rank: Rank;
}

/** What decides between matches that both fit, each a number: the smaller comes first. */
type Rank = readonly [consumers: number, ...MatchRank, order: number, document: number, rule: number];

export function compileRoutes(
  documents: readonly HttpRouteDocument[],
  context: RouteContext,
): CompiledRoute[] {
  const byName = [...documents].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const routes = byName
    .flatMap((document, at) => candidatesOf(document, at, context))
    .sort((a, b) => compareRanks(a.rank, b.rank))
    .map((candidate) => candidate.route);
  return [...routes, ...routesOfOthers(byName, context)];
}

/**
 * Where all routes are for callers of some namespaces, nothing is attached for the others: their requests go to the service. To those
 * callers a request that fits none of their rules leads nowhere, as ever.
 */
function routesOfOthers(documents: readonly HttpRouteDocument[], context: RouteContext): CompiledRoute[] {
  const [first] = documents;
  const { trustDomain } = context;
  if (first === undefined || documents.some(isForAll)) return [];
  const { service } = first;
  const from = [...new Set(documents.map(({ namespace }) => namespace))].map((namespace) =>
    serviceId(trustDomain, { name: "*", namespace }),
  );
  const body = `heddle: no rule of a route of ${serviceKey(service)} fits this request.\n`;
  const own: Backend = { service, subset: null, weight: 1 };
  const plain = { requestTimeoutMs: null, idempotent: false, policies: [] };
  return [
    {
      ...{ ...plain, name: "unmatched", match: { ...everything, from }, backends: [] },
      filters: { respond: { status: 404, headers: [], body } },
    },
    { ...plain, name: "", match: everything, backends: [compileBackend(own, context, "http")] },
  ];
}

const everything: RouteMatch = { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] };

/** Routes of opaque connections. */
export type ConnectionRoute = TcpRouteDocument | TlsRouteDocument;

function isTlsRoute(route: ConnectionRoute): route is TlsRouteDocument {
  return route.kind === "TLSRoute";
}

/** The most specific hostname first, `*` of those for all connections last; of two routes with the same one the first by name has it. */
export function compileConnectionRoutes(
  documents: readonly ConnectionRoute[],
  context: Pick<RouteContext, "services">,
): CompiledTlsRoute[] {
  const byName = [...documents].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return byName
    .flatMap((document) => {
      const own: Backend = { service: document.service, subset: null, weight: 1 };
      const written = document.backends.length === 0 ? [own] : document.backends;
      const isTls = isTlsRoute(document);
      const backends = written.map((backend) => compileBackend(backend, context, isTls ? "tls" : "tcp"));
      const hostnames = isTls ? document.hostnames : ["*"];
      return hostnames.map((hostname) => ({ name: document.name, hostname, backends }));
    })
    .sort(
      (a, b) => hostnameRank(a.hostname) - hostnameRank(b.hostname) || b.hostname.length - a.hostname.length,
    );
}

function hostnameRank(hostname: string): number {
  return hostname === "*" ? 2 : wildness(hostname);
}

function nameOf(document: HttpRouteDocument | ConnectionRoute): string {
  return `${document.namespace}/${document.name}`;
}

function candidatesOf(document: HttpRouteDocument, documentAt: number, context: RouteContext): Candidate[] {
  return document.rules.flatMap((rule, ruleAt) => {
    const own: Backend = { service: document.service, subset: null, weight: 1 };
    const written = rule.backends.length === 0 ? [own] : rule.backends;
    const name = `${document.name}/${rule.name}`;
    const compiled = {
      backends: written.map((backend) => compileBackend(backend, context, "http")),
      policies: context.bind(rule.policies),
    };
    const { matches, backends: _, policies: __, ...said } = rule;
    const traits = context.faults === true ? said : withoutFault(said);
    return withHosts(matches, hostsOf(document)).map((written): Candidate => {
      const match = matchIn(written, document, context.trustDomain);
      const consumers = isForAll(document) ? 1 : 0;
      const rank: Rank = [consumers, ...rankOf(written), document.order, documentAt, ruleAt];
      return { route: { ...traits, name, match, ...compiled }, rank };
    });
  });
}

/** Calls of a service are known by its address, whatever host they name. */
function hostsOf({ gateway, hostnames = [] }: HttpRouteDocument): readonly string[] {
  return gateway === undefined ? [] : hostnames;
}

/** Each for each of the hosts of its route, unless it says its own. */
function withHosts(matches: readonly RouteMatch[], hosts: readonly string[]): readonly RouteMatch[] {
  if (hosts.length === 0) return matches;
  return matches.flatMap((match) =>
    match.host === undefined ? hosts.map((host) => ({ ...match, host })) : [match],
  );
}

/** Documents are refused that make faults where the Mesh does not allow them; the Mesh may have changed since. */
function withoutFault<Traits extends RouteTraits>(traits: Traits): Traits {
  if (traits.filters?.fault === undefined) return traits;
  const { fault: _, ...filters } = traits.filters;
  return { ...traits, filters };
}

/** As snapshots have it: callers are SPIFFE IDs, those that it is for. */
function matchIn(match: RouteMatch, document: HttpRouteDocument, trustDomain: string): RouteMatch {
  const { namespace } = document;
  const everyone = isForAll(document) ? [] : [serviceId(trustDomain, { name: "*", namespace })];
  const from = match.from?.map((each) => callerId(each, namespace, trustDomain)) ?? everyone;
  return from.length === 0 ? match : { ...match, from };
}

function compileBackend(
  backend: Backend,
  context: Pick<RouteContext, "services">,
  what: Spoken,
): CompiledBackend {
  const { service, subset, weight, filters, fallback } = backend;
  const { name, namespace } = service;
  return {
    service: { name, namespace },
    subset,
    weight,
    invalid: problemOf(backend, context, what),
    ...(filters === undefined ? {} : { filters }),
    ...(fallback === undefined ? {} : { fallback }),
  };
}

type Spoken = keyof typeof spokenBy;
const spokenBy = {
  http: takesRequests,
  tls: (protocol: Protocol) => protocol === "tls",
  tcp: takesConnections,
};

/** The whole set was checked when it was applied; what stands may still come from another version. */
function problemOf(
  { service, subset, refused }: Backend,
  context: Pick<RouteContext, "services">,
  what: Spoken,
): string | null {
  const key = serviceKey(service);
  if (refused === true) return `no ReferenceGrant lets this route refer to the service ${key}`;
  const found = context.services.get(key);
  if (found === undefined) return `there is no service ${key}`;
  const fits = spokenBy[what](found.protocol);
  if (!fits) return `the service ${key} speaks ${found.protocol}, not ${what}`;
  const known = subset === null || Object.hasOwn(found.subsets, subset);
  return known ? null : `the service ${key} has no subset ${subset}`;
}
