/**
 * The live form of one snapshot: built beside the old one, made current by one assignment. Endpoints, their load and their
 * connections live on in the new state as long as they are in its snapshot.
 */
import type { Net, Random } from "../../runtime/contract.ts";
import type { Shard } from "../http/shard.ts";
import { httpAlpn, outboundTls } from "../identity/tls_options.ts";
import type { MachineService } from "../model/document.ts";
import { limits } from "../model/limits.ts";
import { serverNameOf, serviceKey } from "../model/service.ts";
import type { Destination, Endpoint, LocalService, Snapshot } from "../model/snapshot.ts";
import { Balancer } from "./balance/balancer.ts";
import { EndpointState } from "./balance/endpoint_state.ts";
import type { Credentials } from "./credentials.ts";
import { RetryBudget } from "./retry_budget.ts";
import { liveRoutes, type LiveRoute } from "./route/match_route.ts";
import { Pool } from "./upstream/pool.ts";

/** A service of this machine, with the way to its app. */
export interface LiveLocal {
  readonly key: string;
  readonly local: LocalService;
  readonly machine: MachineService;
  readonly app: Pool;
}

/** An endpoint with its connections, one pool per calling service. */
export interface LiveEndpoint {
  readonly state: EndpointState;
  readonly pools: Map<string, Pool>;
}

export interface LiveDestination {
  readonly key: string;
  readonly destination: Destination;
  readonly routes: readonly LiveRoute[];
  readonly whole: Balancer;
  readonly subsets: ReadonlyMap<string, Balancer>;
  readonly endpoints: ReadonlyMap<string, LiveEndpoint>;
  readonly budget: RetryBudget;
}

export interface ProxyState {
  readonly snapshot: Snapshot;
  readonly locals: ReadonlyMap<string, LiveLocal>;
  /** By the server name that a TLS client asks for. */
  readonly localsByName: ReadonlyMap<string, LiveLocal>;
  readonly destinations: ReadonlyMap<string, LiveDestination>;
}

export interface StateOptions {
  readonly net: Net;
  readonly shard: Shard;
  readonly random: Random;
  readonly credentials: Credentials;
  readonly machine: readonly MachineService[];
  readonly onLimit: (limit: string, listener: string) => void;
}

export function createState(
  options: StateOptions,
  previous: ProxyState | null,
  snapshot: Snapshot,
): ProxyState {
  const locals = new Map<string, LiveLocal>();
  const localsByName = new Map<string, LiveLocal>();
  for (const machine of options.machine) {
    const key = serviceKey(machine.service);
    const local = snapshot.locals.find((each) => serviceKey(each.service) === key);
    if (local === undefined) continue;
    const live: LiveLocal = {
      key,
      local,
      machine,
      app: previous?.locals.get(key)?.app ?? appPool(options, machine),
    };
    locals.set(key, live);
    localsByName.set(serverNameOf(local.service), live);
  }
  const destinations = new Map<string, LiveDestination>();
  for (const destination of snapshot.destinations) {
    const key = serviceKey(destination.service);
    destinations.set(
      key,
      createDestination(options, previous?.destinations.get(key) ?? null, destination, key),
    );
  }
  return { snapshot, locals, localsByName, destinations };
}

/** Ends the connections of what is in the old state and not in the new one. */
export function retireState(previous: ProxyState, current: ProxyState | null): void {
  for (const [key, destination] of previous.destinations) {
    const kept = current?.destinations.get(key)?.endpoints;
    for (const [id, endpoint] of destination.endpoints) {
      if (kept?.get(id)?.pools === endpoint.pools) continue;
      for (const pool of endpoint.pools.values()) pool.retire();
    }
  }
  for (const [key, local] of previous.locals)
    if (current?.locals.get(key)?.app !== local.app) local.app.retire();
}

function appPool(options: StateOptions, machine: MachineService): Pool {
  const { net, shard, onLimit } = options;
  const key = serviceKey(machine.service);
  const peer = `the app of ${key} at ${machine.host}:${machine.port}`;
  const { host, port } = machine;
  return new Pool({
    net,
    shard,
    host,
    port,
    connectMs: limits.connectLocalMs,
    peer,
    tls: null,
    onLimit: (limit) => onLimit(limit, key),
  });
}

function createDestination(
  options: StateOptions,
  previous: LiveDestination | null,
  destination: Destination,
  key: string,
): LiveDestination {
  const nowMs = options.shard.clock.now();
  const endpoints = new Map<string, LiveEndpoint>();
  for (const endpoint of destination.endpoints) {
    const before = previous?.endpoints.get(endpoint.id);
    if (before !== undefined && sameAddress(before.state.endpoint, endpoint)) {
      before.state.endpoint = endpoint;
      endpoints.set(endpoint.id, before);
    } else endpoints.set(endpoint.id, { state: new EndpointState(endpoint, nowMs), pools: new Map() });
  }
  const ready = [...endpoints.values()].map((each) => each.state).filter((state) => state.endpoint.ready);
  const balancer = (chosen: readonly EndpointState[]): Balancer =>
    new Balancer(destination.balance, chosen, options.random);
  const subsets = new Map<string, Balancer>();
  for (const [name, labels] of Object.entries(destination.subsets)) {
    subsets.set(name, balancer(ready.filter((state) => hasLabels(state.endpoint, labels))));
  }
  const budget = previous?.budget ?? new RetryBudget();
  return {
    key,
    destination,
    routes: liveRoutes(destination),
    whole: balancer(ready),
    subsets,
    endpoints,
    budget,
  };
}

function sameAddress(a: Endpoint, b: Endpoint): boolean {
  return a.address === b.address && a.port === b.port && a.node === b.node;
}

function hasLabels(endpoint: Endpoint, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([name, value]) => endpoint.labels[name] === value);
}

/** The connections of a calling service to an endpoint on another machine. */
export function remotePool(
  options: StateOptions,
  destination: LiveDestination,
  endpoint: LiveEndpoint,
  source: string,
): Pool {
  const known = endpoint.pools.get(source);
  if (known !== undefined) return known;
  const { net, shard, credentials, onLimit } = options;
  const { address, port, node } = endpoint.state.endpoint;
  const { spiffeId, service } = destination.destination;
  const serverName = serverNameOf(service);
  const pool = new Pool({
    net,
    shard,
    host: address,
    port,
    connectMs: limits.connectMeshMs,
    peer: `${destination.key} on ${node} (${address}:${port})`,
    tls: () => {
      const credential = credentials.of(source);
      if (credential === null) return `${source} has no valid certificate to show`;
      return outboundTls(credential, credentials.trust(), { spiffeId, serverName, alpn: httpAlpn });
    },
    onLimit: (limit) => onLimit(limit, destination.key),
  });
  endpoint.pools.set(source, pool);
  return pool;
}
