/** Routes by what they belong to: services, and listeners of gateways. One of several parents stands at each. */
import type {
  Backend,
  Document,
  GatewayDocument,
  HttpRouteDocument,
  ServiceDocument,
} from "../../model/document.ts";
import { isAtPort, perParent, type Parented } from "../../model/route_parents.ts";
import { mayRefer, type ReferenceGrant, type Referring } from "../../model/reference_grant.ts";
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
  const grants = ofKind(documents, "ReferenceGrant");
  const routes = ofKind(documents, "HTTPRoute")
    .flatMap(perParent)
    .map((route) => grantedRequests(route, grants));
  const opaque: readonly ConnectionRoute[] = [
    ...ofKind(documents, "TLSRoute"),
    ...ofKind(documents, "TCPRoute"),
  ];
  const tlsRoutes = opaque.flatMap(perParent).map((route) => ({
    ...route,
    backends: grantedBackends(route, route.backends, grants),
  }));
  const isOfService = (route: Parented): boolean => route.gateway === undefined && isAtPort(route, services);
  return {
    routes: byService(routes.filter(isOfService)),
    tlsRoutes: byService(tlsRoutes.filter(isOfService)),
    listeners: gatewayListeners(gateways, routes, tlsRoutes),
  };
}

/** Backends that nothing lets the route refer to are marked: their share is answered. Copies do not go to such services. */
function grantedRequests(route: HttpRouteDocument, grants: readonly ReferenceGrant[]): HttpRouteDocument {
  if (route.grantedAs === undefined) return route;
  const rules = route.rules.map((rule) => {
    const { mirrors, ...others } = rule.filters ?? {};
    const kept = mirrors?.filter(({ service }) => mayRefer(route, service, grants)) ?? [];
    const filters = { ...others, ...(kept.length === 0 ? {} : { mirrors: kept }) };
    return {
      ...{ ...rule, backends: grantedBackends(route, rule.backends, grants) },
      ...(rule.filters === undefined ? {} : { filters }),
    };
  });
  return { ...route, rules };
}

function grantedBackends(
  route: Referring,
  backends: readonly Backend[],
  grants: readonly ReferenceGrant[],
): readonly Backend[] {
  return backends.map((each) => (mayRefer(route, each.service, grants) ? each : { ...each, refused: true }));
}
