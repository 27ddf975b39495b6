/** Names that TLS clients ask for when they mean a service of one machine. */
import {
  appPortOf,
  instanceServerName,
  machineServerName,
  serverNameOf,
  type ServiceName,
} from "../../model/service.ts";
import type { Endpoint } from "../../model/snapshot.ts";

/** All that mean what this machine runs of it, or that one instance. */
export function serverNamesFor(service: ServiceName, node: string, instanceId: string | null): string[] {
  return instanceId === null
    ? [serverNameOf(service), machineServerName(node, service, { id: "" })]
    : [
        instanceServerName(service, appPortOf(instanceId)),
        machineServerName(node, service, { id: instanceId, apart: true }),
      ];
}

/** What the machine of an endpoint is asked for. `elsewhere`: a gateway passes it on, which goes by the name alone. */
export function serverNameFor(service: ServiceName, endpoint: Endpoint, elsewhere: boolean): string {
  if (elsewhere) return machineServerName(endpoint.node, service, endpoint);
  return endpoint.apart === true
    ? instanceServerName(service, appPortOf(endpoint.id))
    : serverNameOf(service);
}
