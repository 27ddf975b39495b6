/** External services that are reached by a gateway: callers know the gateway's machines, and these know where it stands. */
import { serviceId } from "../../model/identity.ts";
import { serviceKey, type ServiceName } from "../../model/service.ts";
import type { ServiceDocument } from "../../model/document.ts";
import type { Destination, Snapshot, SnapshotGateway } from "../../model/snapshot.ts";

/** Key of the service whose instances stand for it: of one that is reached by a gateway, the gateway's. */
export function standsFor(service: ServiceDocument | undefined, key: string): string {
  const via = service?.external?.via;
  return via === undefined ? key : serviceKey(via);
}

/** As callers know it: a service of the mesh that the gateway is. */
export function behindGateway(
  destination: Destination,
  via: ServiceName,
  trustDomain: string,
  endpoints: Destination["endpoints"],
): Destination {
  const { external: _, externalAccess: __, ...rest } = destination;
  return { ...rest, spiffeId: serviceId(trustDomain, via), endpoints };
}

/** `standing`: a service as it stands outside. */
export function exitsOf(
  gateways: readonly SnapshotGateway[],
  services: ReadonlyMap<string, ServiceDocument>,
  standing: (key: string, service: ServiceDocument) => Destination,
): Pick<Snapshot, "exits"> {
  const own = new Map(gateways.map(({ service }) => [serviceKey(service), service]));
  const exits = [...services.keys()].sort().flatMap((key) => {
    const service = services.get(key) as ServiceDocument;
    const gateway = own.get(standsFor(service, ""));
    if (gateway === undefined) return [];
    const destination = { ...standing(key, service), routes: [], tlsRoutes: [], policies: [] };
    return [{ gateway, destination }];
  });
  return exits.length === 0 ? {} : { exits };
}
