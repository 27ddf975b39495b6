/**
 * The live form of one snapshot: built beside the one in force, swapped once. What did not change lives on (loads and
 * connections of an endpoint, retry budgets); what is not valid fails closed for its own part only.
 */
import type { InPieces } from "../../base/pieces.ts";
import { failure, success } from "../../base/result.ts";
import type { Random } from "../../../runtime/contract.ts";
import { limits as bounds } from "../../model/limits.ts";
import type { Shard } from "../../http/shard.ts";
import { serverNameFor, serverNamesFor } from "./server_names.ts";
import { siteOf } from "./site_of.ts";
import { serverNameOf, serviceKey } from "../../model/service.ts";
import { relaysIn, type Relays } from "./relays.ts";
import type {
  CompiledBackend,
  CompiledRoute,
  Destination,
  Endpoint,
  Exit,
  LocalService,
  Snapshot,
} from "../../model/snapshot.ts";
import { EndpointLoad } from "../balance/endpoint_load.ts";
import { EndpointPicker } from "../balance/endpoint_picker.ts";
import { balancingOf, promptBalancing, strategyOf } from "../balance/strategies.ts";
import type { ZoneRules } from "../balance/zones.ts";
import type { BreakerGroup } from "../breaker/breaker_group.ts";
import { createAdmission } from "../guard/admission.ts";
import { wholeRoute } from "./live_service.ts";
import type {
  InboundService,
  LiveBackend,
  LiveDestination,
  LiveEndpoint,
  LiveMirror,
  LiveRoute,
  LiveTlsRoute,
  LocalApp,
} from "./live_service.ts";
import { OpenStreams } from "../answer/open_streams.ts";
import { inboundLimits } from "../limit/inbound_limits.ts";
import { wholeGroup, type TrafficTraits } from "../../model/traffic.ts";
import { exitService, liveExits, type Exits } from "./exits.ts";
import type { ExternalApps } from "./external_apps.ts";
import { liveBreakers, liveHealth } from "./live_breakers.ts";
import { liveBudget, liveTimeouts, rulesOf } from "./live_traffic.ts";
import { liveSessions } from "./live_sessions.ts";
import { PolicyReach } from "./policy_reach.ts";
import { Latencies } from "../retry/latencies.ts";
import { attemptRules } from "../retry/retry_rules.ts";
import { totalWeightOf } from "../route/choose_backend.ts";
import { anyRequest, RouteMatcher } from "../route/match_route.ts";
import { RouteTable } from "../route/route_table.ts";
import { ConnectionRoom } from "../upstream/connection_room.ts";

export interface ProxyState {
  readonly snapshot: Snapshot;
  /** What was revoked: SPIFFE IDs and serial numbers of certificates. */
  readonly denied: ReadonlySet<string>;
  /** Services that this machine may be, by key. */
  readonly locals: ReadonlyMap<string, InboundService>;
  /** The same, by the name that TLS clients ask for; by that of one instance, with its app alone. */
  readonly inbound: ReadonlyMap<string, InboundService>;
  /** By key. */
  readonly destinations: ReadonlyMap<string, LiveDestination>;
  /** The same, for policies that choose one. */
  readonly reach: PolicyReach;
  /** External services that its gateways lead to. */
  readonly exits: Exits;
  /** Whom its gateways pass TLS of the mesh on to. */
  readonly relays: Relays;
  /** Of this machine; "" where it says none. */
  readonly zone: string;
}

export interface StateInput {
  readonly shard: Shard;
  readonly random: Random;
  readonly nowMs: number;
  /** Where tables of keys are laid out. */
  readonly inPieces: InPieces;
  /** Where this machine stands; "" for what is not known. */
  readonly place: {
    readonly zone: string;
    readonly region: string;
    /** Absent: it names none. */
    readonly network?: string;
  };
  /** Apps of this machine, by service key. */
  readonly apps: ReadonlyMap<string, readonly LocalApp[]>;
  /** Services outside of the mesh. */
  readonly externals: Pick<ExternalApps, "here">;
  /** Circuit breaking took an endpoint of this service out. */
  readonly ejected: (service: string, reason: string) => void;
  /** What this machine had of a rate that the mesh shares, by service; null: nothing that is known. */
  readonly firstSlice: (service: string) => number | null;
  /** A limit refused something. */
  readonly tripped: (limit: string, listener: string) => void;
}

export interface BuiltState {
  readonly state: ProxyState;
  /** What is not valid, in words; it is refused where it would have been used. */
  readonly problems: readonly string[];
}

/** Throws only when the snapshot as a whole cannot be read. */
export function createProxyState(
  previous: ProxyState | null,
  snapshot: Snapshot,
  input: StateInput,
): BuiltState {
  if (snapshot.format !== 1)
    throw new Error(`Cannot read the snapshot: its format is ${String(snapshot.format)}, not 1`);
  const builder = new StateBuilder(previous, snapshot, input);
  return { state: builder.build(), problems: builder.problems };
}

/** A destination while routes are still being attached: they may lead to any other. */
interface Draft extends LiveDestination {
  routes: RouteTable<LiveRoute>;
  readonly tlsRoutes: LiveTlsRoute[];
}

class StateBuilder {
  readonly problems: string[] = [];
  readonly #locals = new Map<string, InboundService>();
  readonly #inbound = new Map<string, InboundService>();
  #exits: Exits = new Map();
  readonly #drafts = new Map<string, Draft>();

  constructor(
    readonly previous: ProxyState | null,
    readonly snapshot: Snapshot,
    readonly input: StateInput,
  ) {}

  build(): ProxyState {
    const { snapshot } = this;
    for (const local of snapshot.locals) this.#addLocal(local);
    const { exits = [] } = snapshot;
    this.#exits = liveExits(exits, this.previous?.exits, this.input.externals);
    for (const exit of exits) this.#addExit(exit);
    for (const destination of snapshot.destinations) this.#addDestination(destination);
    for (const destination of snapshot.destinations) {
      this.#attachRoutes(destination);
      this.#attachTlsRoutes(destination);
    }
    return {
      snapshot,
      zone: this.input.place.zone,
      relays: relaysIn(snapshot),
      exits: this.#exits,
      denied: new Set([...snapshot.deniedIds, ...snapshot.deniedSerials]),
      locals: this.#locals,
      inbound: this.#inbound,
      destinations: this.#drafts,
      reach: new PolicyReach(this.#drafts),
    };
  }

  #addLocal(local: LocalService): void {
    const key = serviceKey(local.service);
    const before = this.previous?.locals.get(key);
    const streams = before?.streams ?? new OpenStreams();
    const { nowMs, shard, tripped } = this.input;
    const traffic = local.traffic ?? {};
    const shared = traffic.rateLimit?.mesh?.perSecond ?? 0;
    const { rateSharers } = local;
    // Where the rate is new, all who share it are known. A machine that starts goes by what it had, or the part that is kept for it.
    const firstSlice =
      before === undefined || rateSharers === undefined
        ? (this.input.firstSlice(key) ?? shared * bounds.rateSliceSpareRatio)
        : shared / rateSharers;
    const asked = { service: key, traffic, shard, firstSlice, tripped };
    const limits = inboundLimits(asked, before?.limits ?? null, nowMs);
    const service: InboundService = { key, local, apps: this.input.apps.get(key) ?? [], streams, limits };
    this.#locals.set(key, service);
    for (const name of serverNamesFor(local.service, this.snapshot.node, null))
      this.#inbound.set(name, service);
    for (const app of service.apps)
      for (const name of serverNamesFor(local.service, this.snapshot.node, app.id))
        this.#inbound.set(name, { ...service, apps: [app] });
  }

  #addExit(exit: Exit): void {
    const { service: name } = exit.destination;
    const service = exitService(exit, this.#exits);
    if (service === null) return;
    for (const each of serverNamesFor(name, this.snapshot.node, null)) this.#inbound.set(each, service);
  }

  #addDestination(destination: Destination): void {
    const key = serviceKey(destination.service);
    const before = this.previous?.destinations.get(key);
    const breakers = liveBreakers(destination, before, this.input);
    const place: EndpointPlace = { destination, before, breakers, addedMs: this.#addedMs(before) };
    const endpoints = new Map(
      destination.endpoints.map((each) => [each.id, this.#liveEndpoint(each, place)]),
    );
    const ready = [...endpoints.values()].filter(isReady);
    const { random, inPieces, shard } = this.input;
    const balancing = balancingOf(destination.balance, destination.traffic);
    const inference = promptBalancing(destination);
    const pickerOf = (
      chosen: readonly LiveEndpoint[],
      previous: EndpointPicker<LiveEndpoint> | undefined,
    ): EndpointPicker<LiveEndpoint> =>
      new EndpointPicker({
        endpoints: chosen,
        health: breakers,
        zones: zoneRules(this.input.place, destination.traffic),
        strategy: (known) =>
          strategyOf<LiveEndpoint>(balancing, { random, inPieces, inference, previous: known }),
        slowStart: { windowMs: balancing.slowStartMs, shareMin: balancing.slowStartPercent / 100 },
        random,
        previous: previous ?? null,
      });
    const subsets = Object.entries(destination.subsets).map(([name, labels]) => {
      const chosen = ready.filter((each) => hasLabels(each, labels));
      return [name, pickerOf(chosen, before?.subsets.get(name))] as const;
    });
    this.#drafts.set(key, {
      key,
      declared: destination,
      serverName: serverNameOf(destination.service),
      endpoints,
      whole: pickerOf(ready, before?.whole),
      balanceKey: balancing.key,
      sessions: liveSessions(destination, null),
      breakers,
      subsets: new Map(subsets),
      routes: noRoutes,
      tlsRoutes: [],
      budget: liveBudget(destination, before, shard.numbers),
      rules: attemptRules(destination.traffic),
      timeouts: liveTimeouts(destination),
      latencies: before?.latencies ?? new Latencies(),
      admission: before?.admission ?? createAdmission(shard, `requests ${key}`),
      connections: before?.connections ?? createAdmission(shard, `connections ${key}`),
      room: before?.room ?? new ConnectionRoom(shard, `pools ${key}`),
      streams: before?.streams ?? new OpenStreams(),
    });
  }

  /** What comes to endpoints that are at work grows into its share. */
  #addedMs(before: LiveDestination | undefined): number {
    return before !== undefined && [...before.endpoints.values()].some(isReady)
      ? this.input.nowMs
      : -Infinity;
  }

  #liveEndpoint(endpoint: Endpoint, { destination, before, breakers, addedMs }: EndpointPlace): LiveEndpoint {
    const known = before?.endpoints.get(endpoint.id);
    const same = known !== undefined && sameAddress(known.endpoint, endpoint) && before !== undefined;
    const site =
      destination.external === undefined ? siteOf(endpoint, this.snapshot, this.input.place) : null;
    const isKept = same && before.declared.spiffeId === destination.spiffeId && known.site === site;
    const kept = isKept ? known : null;
    return {
      id: endpoint.id,
      endpoint,
      site,
      serverName: serverNameFor(destination.service, endpoint, site !== null),
      health: liveHealth(endpoint, breakers, kept, this.input.shard.numbers),
      weight: endpoint.weight ?? 1,
      zone: endpoint.zone ?? "",
      region: endpoint.region ?? "",
      addedMs: kept !== null && isReady(kept) ? kept.addedMs : addedMs,
      load: kept?.load ?? new EndpointLoad(this.input.nowMs),
      pools: kept?.pools ?? { shared: new Map(), "http/1.1": new Map() },
      here: this.#hereOf(destination, endpoint, kept),
    };
  }

  #hereOf(destination: Destination, endpoint: Endpoint, kept: LiveEndpoint | null): LiveEndpoint["here"] {
    if (destination.external !== undefined)
      return this.input.externals.here(destination, endpoint, kept?.here ?? null);
    if (endpoint.node !== this.snapshot.node) return null;
    const { service } = destination;
    const inbound = this.#inbound.get(serverNameOf(service));
    const app = inbound?.apps.find((each) => each.id === endpoint.id) ?? inbound?.apps[0];
    return inbound === undefined || app === undefined ? null : { service: inbound, app };
  }

  #attachRoutes(destination: Destination): void {
    const draft = this.#drafts.get(serviceKey(destination.service)) as Draft;
    const routes = destination.routes.map((route) => this.#liveRoute(destination, route));
    draft.routes = new RouteTable(
      routes.length === 0 ? [{ ...wholeRoute(draft), policies: destination.policies }] : routes,
    );
  }

  #attachTlsRoutes(destination: Destination): void {
    const draft = this.#drafts.get(serviceKey(destination.service)) as Draft;
    for (const { backends: written, ...compiled } of destination.tlsRoutes) {
      const backends = written.map((each) => ({
        ...{ weight: each.weight, target: this.#targetOf(each, null), filters: null },
      }));
      draft.tlsRoutes.push({ ...compiled, backends, totalWeight: totalWeightOf(backends) });
    }
  }

  #liveRoute(destination: Destination, route: CompiledRoute): LiveRoute {
    const matcher = this.#matcherOf(destination, route);
    const backends = route.backends.map((backend): LiveBackend => {
      const target =
        matcher === null ? failure(`the route ${route.name} is not valid`) : this.#targetOf(backend, route);
      const { weight, filters = null, fallback } = backend;
      return { weight, target, filters, ...(fallback === undefined ? {} : { fallback }) };
    });
    const { match: _, sessionPersistence: own, ...compiled } = route;
    const { sessions } = this.#drafts.get(serviceKey(destination.service)) as Draft;
    return {
      ...compiled,
      sessions: own === undefined ? sessions : liveSessions(destination, { name: route.name, says: own }),
      mirrors: this.#mirrorsOf(route),
      requestTimeoutMs: route.requestUnbounded
        ? null
        : (route.requestTimeoutMs ?? liveTimeouts(destination).requestMs),
      matcher: matcher ?? anyRequest,
      backends,
      totalWeight: totalWeightOf(backends),
      policies: [...destination.policies, ...route.policies],
    };
  }

  /** Those that cannot be used are told, and are no reason to fail a request. */
  #mirrorsOf({ name, filters }: CompiledRoute): LiveRoute["mirrors"] {
    const mirrors = (filters?.mirrors ?? []).flatMap(({ service, subset, share }): LiveMirror[] => {
      const target = this.#targetOf({ service, subset, weight: 1, invalid: null }, null);
      if (!target.ok) this.problems.push(`Cannot mirror requests of the route ${name}: ${target.problem}`);
      return target.ok && share > 0 ? [{ target: target.value, share }] : [];
    });
    return mirrors.length === 0 ? null : mirrors;
  }

  #matcherOf(destination: Destination, route: CompiledRoute): RouteMatcher | null {
    try {
      return new RouteMatcher(route.match);
    } catch (error) {
      const where = `route ${route.name} of ${serviceKey(destination.service)}`;
      this.problems.push(`Cannot use ${where}: ${(error as Error).message}`);
      return null;
    }
  }

  #targetOf(backend: CompiledBackend, route: CompiledRoute | null): LiveBackend["target"] {
    if (backend.invalid !== null) return failure(backend.invalid);
    const key = serviceKey(backend.service);
    const destination = this.#drafts.get(key);
    if (destination === undefined) return failure(`the service ${key} is not known here`);
    const rules = route === null ? destination.rules : rulesOf(destination, route);
    if (backend.subset === null) return success({ destination, balancer: destination.whole, rules });
    const balancer = destination.subsets.get(backend.subset);
    return balancer === undefined
      ? failure(`the service ${key} has no subset ${backend.subset}`)
      : success({ destination, balancer, rules });
  }
}

const noRoutes = new RouteTable<LiveRoute>([]);

/** What is known of an endpoint by where it belongs. */
interface EndpointPlace {
  readonly destination: Destination;
  readonly before: LiveDestination | undefined;
  readonly breakers: BreakerGroup;
  readonly addedMs: number;
}

/** null for a machine that says nothing of where it stands: all endpoints are as near. */
function zoneRules({ zone, region }: StateInput["place"], traffic?: TrafficTraits): ZoneRules | null {
  const { prefer, failover } = wholeGroup("zones", traffic);
  if (prefer === "none" || (zone === "" && region === "")) return null;
  const others = failover?.filter((each) => each !== zone) ?? null;
  return { zone, region, order: others === null ? null : [zone, ...others] };
}

export function isReady({ endpoint }: LiveEndpoint): boolean {
  return endpoint.ready;
}

function sameAddress(a: Endpoint, b: Endpoint): boolean {
  return a.address === b.address && a.port === b.port && a.node === b.node && a.apart === b.apart;
}

function hasLabels(endpoint: LiveEndpoint, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([name, value]) => endpoint.endpoint.labels[name] === value);
}
