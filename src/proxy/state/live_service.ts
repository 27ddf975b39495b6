/** Services as a state knows them: those that run on this machine, and those that may be called from it. */
import { failure, success, type Result } from "../../base/result.ts";
import type { Random, TlsClientOptions } from "../../../runtime/contract.ts";
import type { BackendFilters, RouteTraits } from "../../model/document.ts";
import type {
  CompiledTlsRoute,
  Destination,
  Endpoint,
  LocalService,
  PolicyBinding,
} from "../../model/snapshot.ts";
import type { BalanceKey } from "../../model/traffic.ts";
import type { Admission } from "../guard/admission.ts";
import type { Candidate } from "../balance/candidate.ts";
import type { EndpointPicker } from "../balance/endpoint_picker.ts";
import type { Sessions } from "../balance/sessions.ts";
import type { RetryBudget } from "../balance/retry_budget.ts";
import type { Breaker } from "../breaker/breaker.ts";
import type { BreakerGroup } from "../breaker/breaker_group.ts";
import type { InboundLimits } from "../limit/inbound_limits.ts";
import type { OpenStreams } from "../answer/open_streams.ts";
import type { Latencies } from "../retry/latencies.ts";
import type { AttemptRules } from "../retry/retry_rules.ts";
import { anyRequest, type RouteMatcher } from "../route/match_route.ts";
import type { RouteTable } from "../route/route_table.ts";
import type { ConnectionRoom } from "../upstream/connection_room.ts";
import type { Pool } from "../upstream/pool.ts";

/** Who calls, as its certificate or its listener says. */
export interface Caller {
  /** Key of its service. */
  readonly key: string;
  readonly spiffeId: string;
}

/** A copy of a local service that an app of this machine runs. */
export interface LocalApp {
  /** Instance id. */
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** Version of the PROXY protocol that it expects on opaque connections; null for none. */
  readonly proxyProtocol: 1 | 2 | null;
  /** Connections to it, by the version of HTTP that it is spoken to in. */
  readonly pools: Readonly<Record<"http/1.1" | "h2", Pool>>;
  /** What these share with those to the other apps of its service. */
  readonly room: ConnectionRoom;
  /** It stands outside of the mesh. Absent: on this machine. */
  readonly outside?: Outside;
}

export interface Outside {
  /** What it is asked for; "": as it was called. */
  readonly host: string;
  /** By the protocol that is spoken inside, "" for none that TLS knows; null: there is no TLS. */
  readonly tls: ((alpn: string) => Result<TlsClientOptions>) | null;
  /** What it was made of. */
  readonly made: unknown;
}

/** A service of this machine, as its callers meet it. */
export interface InboundService {
  readonly key: string;
  readonly local: LocalService;
  readonly apps: readonly LocalApp[];
  readonly streams: OpenStreams;
  /** null where nothing is limited. */
  readonly limits: InboundLimits | null;
  /** Key of the gateway whose certificate it shows, of one outside of the mesh. Absent: its own. */
  readonly shows?: string;
}

/** One of its copies on this machine, the one that its caller named if it named one; null when there is none. */
export function chooseApp(service: InboundService, random: Random): LocalApp | null {
  const { apps } = service;
  return (apps.length === 1 ? apps[0] : apps[Math.floor(random.unit() * apps.length)]) ?? null;
}

/** A service that may be called from this machine. */
export interface LiveDestination {
  readonly key: string;
  readonly declared: Destination;
  readonly serverName: string;
  readonly endpoints: ReadonlyMap<string, LiveEndpoint>;
  readonly whole: EndpointPicker<LiveEndpoint>;
  readonly subsets: ReadonlyMap<string, EndpointPicker<LiveEndpoint>>;
  /** What of a request chooses among them; null: nothing. */
  readonly balanceKey: BalanceKey | null;
  /** null: it has none. */
  readonly sessions: Sessions | null;
  /** Of the endpoints that are ready. */
  readonly breakers: BreakerGroup;
  /** A service without routes has one that takes everything. */
  readonly routes: RouteTable<LiveRoute>;
  /** For connections of TLS; empty: they all go to the service. */
  readonly tlsRoutes: readonly LiveTlsRoute[];
  readonly budget: RetryBudget;
  /** What attempts go by where no route says more. */
  readonly rules: AttemptRules;
  readonly timeouts: LiveTimeouts;
  readonly latencies: Latencies;
  readonly admission: Admission;
  /** Opaque connections, and those of the pools of its endpoints. */
  readonly connections: Admission;
  readonly room: ConnectionRoom;
  readonly streams: OpenStreams;
}

/** Milliseconds. */
export interface LiveTimeouts {
  /** null: no limit. */
  readonly requestMs: number | null;
  /** Infinity: no limit. */
  readonly streamIdleMs: number;
  /** Streams may be silent all the same. */
  readonly streamsMaySilent: boolean;
}

export interface LiveEndpoint extends Candidate {
  readonly endpoint: Endpoint;
  /** Network of its machine, where that is another one: its gateways lead there. null: there is a route to it. */
  readonly site: string | null;
  /** What its machine is asked for. */
  readonly serverName: string;
  readonly health: Breaker;
  /** By kind, then by key of the calling service. */
  readonly pools: Readonly<Record<"shared" | "http/1.1", Map<string, Pool>>>;
  /** Set when it is on this machine: no TLS and no socket lead there. */
  readonly here: { readonly service: InboundService; readonly app: LocalApp } | null;
}

export interface LiveRoute extends Omit<RouteTraits, "sessionPersistence"> {
  /** `<route>/<rule>`; "" for the one of a service without routes. */
  readonly name: string;
  readonly matcher: RouteMatcher;
  readonly backends: readonly LiveBackend[];
  readonly totalWeight: number;
  /** Of the service, then of the route. */
  readonly policies: readonly PolicyBinding[];
  /** Its own, or those of the service; null: none. */
  readonly sessions: Sessions | null;
  /** Where copies of its requests go. null: nowhere. */
  readonly mirrors: readonly LiveMirror[] | null;
}

export interface LiveMirror {
  readonly target: Target;
  /** Of the requests, from 0 to 1. */
  readonly share: number;
}

export interface LiveTlsRoute extends Omit<CompiledTlsRoute, "backends"> {
  readonly backends: readonly LiveBackend[];
  readonly totalWeight: number;
}

export interface LiveBackend {
  /** It gets what others failed to answer. Absent: no. */
  readonly fallback?: true;
  readonly weight: number;
  /** The problem says why its share is answered 500. */
  readonly target: Result<Target>;
  /** Of its share alone; null: none. */
  readonly filters: BackendFilters | null;
}

/** The route of a service that has none: everything goes to the service itself, without policies. */
export function wholeRoute(destination: LiveDestination): LiveRoute {
  return {
    name: "",
    matcher: anyRequest,
    backends: [
      {
        weight: 1,
        target: success({ destination, balancer: destination.whole, rules: destination.rules }),
        filters: null,
      },
    ],
    totalWeight: 1,
    requestTimeoutMs: destination.timeouts.requestMs,
    idempotent: false,
    policies: [],
    sessions: destination.sessions,
    mirrors: null,
  };
}

/** Where a route leads whose backends all have weight 0. */
export const weightless = failure("no backend has any weight");

/** The endpoint of that id and the backend that it belongs to, however small its weight; null when none of them has it ready. */
export function endpointIn(
  backends: readonly LiveBackend[],
  id: string,
): {
  readonly target: Target;
  readonly filters: BackendFilters | null;
  readonly endpoint: LiveEndpoint;
} | null {
  for (const { target, filters } of backends) {
    if (!target.ok) continue;
    const { destination, balancer } = target.value;
    const endpoint = destination.endpoints.get(id);
    if (endpoint === undefined || !endpoint.endpoint.ready) continue;
    if (balancer === destination.whole || balancer.endpoints.includes(endpoint))
      return { target: target.value, filters, endpoint };
  }
  return null;
}

/** Where an attempt may go: a service or one of its subsets. */
export interface Target {
  readonly destination: LiveDestination;
  readonly balancer: EndpointPicker<LiveEndpoint>;
  /** Of the destination, with what the route says over it. */
  readonly rules: AttemptRules;
}
