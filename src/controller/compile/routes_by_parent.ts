/** Routes by what they belong to: services, and listeners of gateways. One of several parents stands at each. */
import type { Document, GatewayDocument, HttpRouteDocument, ServiceDocument } from "../../model/document.ts";
import { isAtPort, perParent, type Parented } from "../../model/route_parents.ts";
import { gatewayListeners, type ListenerRoutes } from "./compile_gateways.ts";
import type { ConnectionRoute } from "./compile_routes.ts";
import { byService, ofKind, type Grouped } from "./grouped.ts";

export interface RoutesByParent {
  readonly routes: Grouped<HttpRouteDocument>;
  readonly tlsRoutes: Grouped<ConnectionRoute>;
  /** By the key of each listener's service. */
  readonly listeners: ReadonlyMap<string, ListenerRoutes>;
}

export function routesByParent(
  documents: readonly Document[],
  services: ReadonlyMap<string, ServiceDocument>,
  gateways: readonly GatewayDocument[],
): RoutesByParent {
  const routes = ofKind(documents, "HTTPRoute").flatMap(perParent);
  const opaque: readonly ConnectionRoute[] = [
    ...ofKind(documents, "TLSRoute"),
    ...ofKind(documents, "TCPRoute"),
  ];
  const tlsRoutes = opaque.flatMap(perParent);
  const isOfService = (route: Parented): boolean => route.gateway === undefined && isAtPort(route, services);
  return {
    routes: byService(routes.filter(isOfService)),
    tlsRoutes: byService(tlsRoutes.filter(isOfService)),
    listeners: gatewayListeners(gateways, routes, tlsRoutes),
  };
}
