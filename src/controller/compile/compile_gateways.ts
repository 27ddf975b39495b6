/**
 * Gateways as snapshots have them: each listener is a service without instances, which nobody but the gateway calls, and whose routes are
 * those of the gateway that are for it.
 */
import type { GatewayDocument, HttpRouteDocument } from "../../model/document.ts";
import { listenerService, type GatewayListener } from "../../model/gateway.ts";
import { protocolsOf, refusalOf } from "../../model/gateway_routes.ts";
import { serviceId } from "../../model/identity.ts";
import type { Parented } from "../../model/route_parents.ts";
import { serviceKey, type Protocol, type ServiceName } from "../../model/service.ts";
import { callerTraits, type ServiceTraits } from "../../model/service_traits.ts";
import type { CompiledRoute, Destination, SnapshotGateway } from "../../model/snapshot.ts";
import { byService } from "./grouped.ts";
import {
  compileConnectionRoutes,
  compileRoutes,
  type ConnectionRoute,
  type RouteContext,
} from "./compile_routes.ts";

/** A listener with what is for it. */
export interface ListenerRoutes {
  readonly gateway: GatewayDocument;
  readonly listener: GatewayListener;
  readonly routes: readonly HttpRouteDocument[];
  /** Of connections: by server name of `tls`, else one for all of them. */
  readonly tlsRoutes: readonly ConnectionRoute[];
}

/** By the key of each listener's service. */
export function gatewayListeners(
  gateways: readonly GatewayDocument[],
  routes: readonly HttpRouteDocument[],
  tlsRoutes: readonly ConnectionRoute[],
): ReadonlyMap<string, ListenerRoutes> {
  const [requests, connections] = [byService(ofGateways(routes)), byService(ofGateways(tlsRoutes))];
  const all = gateways.flatMap((gateway) =>
    gateway.listeners.map((listener): [string, ListenerRoutes] => {
      const key = serviceKey(gateway);
      const takes = (route: HttpRouteDocument | ConnectionRoute): boolean =>
        refusalOf(listener, route, protocolsOf[route.kind]) === null;
      return [
        serviceKey(listenerService(gateway, listener)),
        {
          ...{ gateway, listener },
          routes: (requests.get(key) ?? []).filter(takes),
          tlsRoutes: (connections.get(key) ?? []).filter(takes),
        },
      ];
    }),
  );
  return new Map(all);
}

function ofGateways<Route extends Parented>(routes: readonly Route[]): Route[] {
  return routes.filter(({ gateway }) => gateway !== undefined);
}

/** Those whose identity a machine may have that may be these services. */
export function gatewaysOf(
  all: readonly GatewayDocument[],
  services: readonly ServiceName[],
): SnapshotGateway[] {
  const own = new Set(services.map(serviceKey));
  return all
    .filter((each) => own.has(serviceKey(each)))
    .map(({ name, namespace, listeners }) => ({
      service: { name, namespace },
      listeners: listeners.map(({ namespaces: _, addresses: __, ...listener }) => listener),
    }))
    .sort((a, b) => (serviceKey(a.service) < serviceKey(b.service) ? -1 : 1));
}

export function listenerKeys(gateways: readonly SnapshotGateway[]): string[] {
  return gateways.flatMap(({ service, listeners }) =>
    listeners.map((listener) => serviceKey(listenerService(service, listener))),
  );
}

/** Keys of the services that its requests and connections may go to. `byPolicy`: those that policies of a route lead to. */
export function servicesBehind(
  { listener, routes, tlsRoutes }: ListenerRoutes,
  byPolicy: (route: HttpRouteDocument) => readonly string[],
): string[] {
  const rules = routes.flatMap((route) => route.rules);
  const targets = [
    ...rules.flatMap(({ backends, filters }) => [...backends, ...(filters?.mirrors ?? [])]),
    ...tlsRoutes.flatMap(({ backends }) => backends),
  ];
  const named = [...targets, ...(listener.service === undefined ? [] : [{ service: listener.service }])];
  return [...named.map(({ service }) => serviceKey(service)), ...routes.flatMap(byPolicy)];
}

const asService = { http: "http", https: "http", tls: "tls", tcp: "tcp" } as const;

export function compileListener(
  { gateway, listener, routes, tlsRoutes }: ListenerRoutes,
  context: RouteContext,
  /** What a service is like that says nothing but what it speaks. */
  plain: (protocol: Protocol) => ServiceTraits,
  more: Pick<Destination, "traffic" | "sessionKey" | "sessionKeyBefore">,
): Destination {
  const protocol = asService[listener.protocol];
  return {
    service: listenerService(gateway, listener),
    spiffeId: serviceId(context.trustDomain, gateway),
    ...callerTraits(plain(protocol)),
    serverFirst: false,
    ...more,
    endpoints: [],
    routes: protocol === "http" ? [...compileRoutes(routes, context), ...nowhere(routes)] : [],
    tlsRoutes: compileConnectionRoutes(tlsRoutes, context),
    policies: [],
  };
}

/** A service without routes takes everything; a gateway without any takes nothing. */
function nowhere(routes: readonly HttpRouteDocument[]): CompiledRoute[] {
  if (routes.length > 0) return [];
  const body = "No route of this gateway is for requests.\n";
  return [
    {
      ...{
        name: "unmatched",
        match: { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] },
      },
      ...{ requestTimeoutMs: null, idempotent: false, backends: [], policies: [] },
      filters: { respond: { status: 404, headers: [], body } },
    },
  ];
}

/** What a machine gets: nobody asks for listeners, which are there for who runs the gateway. The same list where it is all of it. */
export function usesWith(
  uses: readonly string[],
  listeners: ReadonlyMap<string, ListenerRoutes>,
  more: readonly string[],
): readonly string[] {
  const own = uses.some((key) => listeners.has(key)) ? uses.filter((key) => !listeners.has(key)) : uses;
  return more.length === 0 ? own : [...own, ...more];
}
