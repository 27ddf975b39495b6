/** Networks without a route between: their gateways, as all machines know them, and whom those pass connections on to. */
import { addressText } from "../../base/socket_address.ts";
import { isAddress } from "../../base/cidr.ts";
import type { GatewayDocument, ServiceDocument } from "../../model/document.ts";
import { machineServerName, serviceKey, type Instance } from "../../model/service.ts";
import { standsFor } from "./compile_exits.ts";
import type { Relay, Snapshot, SnapshotGateway } from "../../model/snapshot.ts";

/** Nothing where no gateway passes TLS of the mesh on. */
export function networksOf(gateways: readonly GatewayDocument[]): Pick<Snapshot, "networks"> {
  const listeners = gateways.flatMap((gateway) => gateway.listeners);
  const said = listeners.flatMap(({ meshNetwork, addresses = [] }) =>
    meshNetwork === undefined ? [] : addresses.map((address) => ({ meshNetwork, address })),
  );
  if (said.length === 0) return {};
  const networks = [...Map.groupBy(said, ({ meshNetwork }) => meshNetwork)].map(([name, all]) => {
    const each = new Map(all.map(({ address }) => [addressText(address), address]));
    return { name, gateways: [...each.keys()].sort().flatMap((text) => each.get(text) ?? []) };
  });
  return { networks: networks.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

/**
 * Whom the gateways of one machine pass on to: what runs in their networks, ready or not, so that a change of that changes nothing here.
 * A machine that is known by a name of DNS is left out: a gateway must not be led elsewhere by one.
 */
export function relaysOf(
  gateways: readonly SnapshotGateway[],
  instances: readonly Instance[],
  services: ReadonlyMap<string, ServiceDocument>,
): Pick<Snapshot, "relays"> {
  const all = gateways.flatMap(({ listeners }) => listeners.flatMap(({ meshNetwork }) => meshNetwork ?? []));
  const networks = new Set(all);
  if (networks.size === 0) return {};
  const leaving = Map.groupBy(
    [...services.values()].filter(({ external }) => external?.via !== undefined),
    (service) => standsFor(service, ""),
  );
  const relays = instances.flatMap((instance): readonly Relay[] => {
    const { node, service, address: host, port, network = "" } = instance;
    if (!networks.has(network) || !isAddress(host)) return [];
    const asked = [service, ...(leaving.get(serviceKey(service)) ?? [])];
    return asked.map((each) => ({
      ...{ network, serverName: machineServerName(node, each, instance), host, port },
    }));
  });
  return { relays: relays.sort((a, b) => (a.serverName < b.serverName ? -1 : 1)) };
}
