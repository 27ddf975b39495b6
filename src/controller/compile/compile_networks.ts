/** Networks without a route between: their gateways, as all machines know them, and whom those pass connections on to. */
import { addressText } from "../../base/socket_address.ts";
import { isAddress } from "../../base/cidr.ts";
import type { GatewayDocument } from "../../model/document.ts";
import { machineServerName, type Instance } from "../../model/service.ts";
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
): Pick<Snapshot, "relays"> {
  const all = gateways.flatMap(({ listeners }) => listeners.flatMap(({ meshNetwork }) => meshNetwork ?? []));
  const networks = new Set(all);
  if (networks.size === 0) return {};
  const relays = instances.flatMap((instance): readonly Relay[] => {
    const { node, service, address: host, port, network = "" } = instance;
    if (!networks.has(network) || !isAddress(host)) return [];
    return [{ network, serverName: machineServerName(node, service, instance), host, port }];
  });
  return { relays: relays.sort((a, b) => (a.serverName < b.serverName ? -1 : 1)) };
}
