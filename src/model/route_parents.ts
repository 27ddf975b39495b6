/** What routes belong to: services of the mesh and gateways, several where a route says so. */
import { serviceKey, type ServiceName } from "./service.ts";

/** That a route is one of a gateway, whose name is then its `service`. */
export interface OfGateway {
  /** null: of each of its listeners that it fits. */
  readonly listener: string | null;
  /** Of the listeners with this port alone. Absent: any. */
  readonly port?: number;
}

export interface RouteParent {
  readonly service: ServiceName;
  /** Absent: of a service. */
  readonly gateway?: OfGateway;
  /** Of a service: it is for that one while this is its port. Absent: whatever it is. */
  readonly port?: number;
}

/** The first is the route's own. */
export interface Parented extends RouteParent {
  readonly namespace: string;
  /** Further ones, to each of which the route belongs as to the first. Absent: none. */
  readonly parents?: readonly RouteParent[];
}

/** The same route for each of its parents alone. */
export function perParent<Route extends Parented>(route: Route): readonly Route[] {
  const { parents, ...own } = route;
  if (parents === undefined) return [route];
  const { service: _, gateway: __, port: ___, ...said } = own;
  return [route, ...parents.map((parent) => ({ ...said, ...parent }))].map(alone) as Route[];
}

function alone(route: RouteParent & { readonly parents?: unknown }): RouteParent {
  const { parents: _, ...own } = route;
  return own;
}

/** Whether a service has the port that the route asks of it. `services`: by key. */
export function isAtPort(
  { gateway, port, service }: RouteParent,
  services: ReadonlyMap<string, { readonly port: number }>,
): boolean {
  return gateway !== undefined || port === undefined || services.get(serviceKey(service))?.port === port;
}
