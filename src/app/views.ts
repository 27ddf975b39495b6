/** What a proxy would decide of a request, as operators read it: from a snapshot, and from what lives of it where it is in force. */
import { sourceText } from "../model/access_words.ts";
import type { CalleeView, CallerView, EndpointView, RuleView } from "../model/evidence.ts";
import { limits } from "../model/limits.ts";
import { serviceKey } from "../model/service.ts";
import type { Access, CompiledBackend, Destination, Endpoint, Snapshot } from "../model/snapshot.ts";
import { wholeGroup, type Rate, type TrafficTraits } from "../model/traffic.ts";
import { decideAccess } from "../proxy/guard/access.ts";
import type { InboundService, LiveDestination, LiveEndpoint } from "../proxy/state/live_service.ts";
import { endpointState, stateOfUnready } from "./endpoint_states.ts";
import { routesFor, type RouteSubject } from "./route_reasons.ts";

/** What is in force, of a snapshot that is. */
export interface Live {
  readonly destinations: ReadonlyMap<string, LiveDestination>;
  readonly locals: ReadonlyMap<string, Pick<InboundService, "streams">>;
  readonly nowMs: number;
}

export interface CallerQuestion extends RouteSubject {
  readonly source: string;
  readonly service: string;
  /** Instance ids that were tried: they come first, and their services are shown too. */
  readonly tried: readonly string[];
}

/** null: the service may not be called from here, as far as the snapshot knows. */
export function callerView(
  snapshot: Snapshot,
  question: CallerQuestion,
  live: Live | null,
): CallerView | null {
  const { source, service, tried } = question;
  const destination = destinationIn(snapshot, service);
  if (destination === undefined) return null;
  const { views, chosen } = routesFor(destination.routes, question);
  const whole: CompiledBackend = { service: destination.service, subset: null, weight: 1, invalid: null };
  const backends = destination.routes.length === 0 ? [whole] : (chosen?.backends ?? []);
  const total = backends.reduce((sum, { weight }) => sum + weight, 0);
  const endpoints = endpointsOf(snapshot, backends, tried, live);
  return {
    version: snapshot.version,
    source,
    sourceId: snapshot.locals.find((each) => serviceKey(each.service) === source)?.spiffeId ?? "",
    service,
    destinationId: destination.spiffeId,
    protocol: destination.protocol,
    routes: views,
    policies: [...destination.policies, ...(chosen?.policies ?? [])]
      .filter(({ hooks }) => hooks?.includes("onRequest") ?? true)
      .map(({ name }) => name),
    backends: backends.map(({ service: to, subset, weight, invalid }) => ({
      service: serviceKey(to),
      subset,
      share: total === 0 ? 0 : weight / total,
      invalid,
    })),
    endpoints: endpoints.slice(0, limits.evidenceEndpointsMax),
    endpointCount: endpoints.length,
    live: liveOf(live?.destinations.get(service), live?.nowMs ?? 0),
  };
}

function destinationIn({ destinations }: Snapshot, key: string): Destination | undefined {
  return destinations.find((each) => serviceKey(each.service) === key);
}

function liveOf(destination: LiveDestination | undefined, nowMs: number): CallerView["live"] {
  if (destination === undefined) return null;
  const { taken, max, waiting } = destination.admission;
  const retriesLeft = destination.budget.left(nowMs);
  return { underWay: taken, underWayMax: max, waiting, retriesLeft, streams: destination.streams.counts };
}

/** Of the backends, and those that were tried; what was tried first, then what is not well. */
function endpointsOf(
  snapshot: Snapshot,
  backends: readonly CompiledBackend[],
  tried: readonly string[],
  live: Live | null,
): EndpointView[] {
  const found = new Map<string, EndpointView>();
  const add = (service: string, endpoint: Endpoint): void => {
    const known = live?.destinations.get(service)?.endpoints.get(endpoint.id) ?? null;
    found.set(endpoint.id, endpointView(service, endpoint, known, live?.nowMs ?? 0));
  };
  for (const { service, subset } of backends) {
    const key = serviceKey(service);
    const destination = destinationIn(snapshot, key);
    const labels = Object.entries(subset === null ? {} : (destination?.subsets[subset] ?? {}));
    for (const endpoint of destination?.endpoints ?? [])
      if (labels.every(([name, value]) => endpoint.labels[name] === value)) add(key, endpoint);
  }
  for (const id of tried) {
    const [, key = ""] = id.split("/");
    const endpoint = destinationIn(snapshot, key)?.endpoints.find((each) => each.id === id);
    if (endpoint !== undefined) add(key, endpoint);
  }
  const rank = ({ id, state }: EndpointView): number => (tried.includes(id) ? 0 : state === "ready" ? 2 : 1);
  return [...found.values()].sort((a, b) => rank(a) - rank(b));
}

function endpointView(
  service: string,
  endpoint: Endpoint,
  live: LiveEndpoint | null,
  nowMs: number,
): EndpointView {
  const { id, node, zone = "", ready } = endpoint;
  const ejected = live?.health.ejected === true;
  return {
    id,
    service,
    machine: node,
    zone,
    state: live === null ? (ready ? "ready" : stateOfUnready(endpoint)) : endpointState(live),
    reason: ejected ? (live.health.reason ?? "") : "",
    probeInMs: ejected ? Math.max(0, Math.round(live.health.nextProbeMs - nowMs)) : 0,
    pending: live === null ? null : live.load.pending,
    load: live === null ? null : Math.round(live.load.at(nowMs) * 10) / 10,
  };
}

export interface CalleeQuestion {
  readonly service: string;
  readonly sourceId: string;
  readonly method: string;
  readonly path: string;
}

/** null: the service does not run on this machine. */
export function calleeView(
  snapshot: Snapshot,
  question: CalleeQuestion,
  live: Pick<Live, "locals"> | null,
): CalleeView | null {
  const { service, sourceId, method, path } = question;
  const local = snapshot.locals.find((each) => serviceKey(each.service) === service);
  if (local === undefined) return null;
  return {
    version: snapshot.version,
    service,
    spiffeId: local.spiffeId,
    access: decideAccess(local.access, sourceId, method, path),
    rules: rulesOf(local.access),
    otherwise: local.access.otherwise,
    limits: local.traffic === undefined ? [] : ratesOf(local.traffic),
    streams: live?.locals.get(service)?.streams.counts ?? {},
  };
}

function rulesOf({ deny, allow }: Access): RuleView[] {
  const all = [
    ...deny.map((rule) => ({ rule, effect: "deny" as const })),
    ...allow.map((rule) => ({ rule, effect: "allow" as const })),
  ];
  return all.map(({ rule: { id, mode, source, methods, paths }, effect }) => ({
    id,
    effect,
    mode,
    from: sourceText({ source }),
    methods,
    paths,
  }));
}

function ratesOf(traffic: TrafficTraits): string[] {
  const { total, identity, overrides, keys } = wholeGroup("rateLimit", traffic);
  const rate = ({ perSecond }: Rate): string => `${perSecond}/s`;
  return [
    ...(total === null ? [] : [`all callers together ${rate(total)}`]),
    ...(identity === null ? [] : [`each calling service ${rate(identity)}`]),
    ...Object.entries(overrides).map(([key, own]) => `${key} ${rate(own)}`),
    ...keys.map((key) => `${key.header ?? (key.eachPath ? "each path" : "some requests")} ${rate(key)}`),
  ];
}
