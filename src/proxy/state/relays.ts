/** Whom the gateways of this machine pass TLS of the mesh on to: machines of their networks that the snapshot lists, and nobody else. */
import { isSameHost, isWithin, readNetwork } from "../../base/cidr.ts";
import type { Address } from "../../base/socket_address.ts";
import type { GatewayListener } from "../../model/gateway.ts";
import type { Snapshot } from "../../model/snapshot.ts";

/** By network, then by the name that is asked for. */
export type Relays = ReadonlyMap<string, ReadonlyMap<string, Address>>;

/** Machines say themselves where they are: none of them is a gateway, which would lead a connection in a circle. */
export function relaysIn({ relays = [], networks = [] }: Snapshot): Relays {
  const gateways = networks.flatMap((network) => network.gateways);
  const known = relays.filter((each) => !gateways.some((gateway) => isSamePlace(gateway, each)));
  return new Map(
    [...Map.groupBy(known, ({ network }) => network)].map(([network, all]) => [
      network,
      new Map(all.map(({ serverName, host, port }) => [serverName, { host, port }])),
    ]),
  );
}

function isSamePlace(one: Address, other: Address): boolean {
  return one.port === other.port && isSameHost(one.host, other.host);
}

/** Addresses that mean another machine to everybody: loopback, link-local (metadata of clouds), multicast, IPv4 in a form of IPv6. */
const nearby = [
  ...["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4"],
  ...["::/96", "::ffff:0:0/96", "fe80::/10", "ff00::/8"],
].flatMap((text) => readNetwork(text) ?? []);

/** What a listener says that has all addresses of its machine. */
const everywhere: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

function isNearby(address: string): boolean {
  return nearby.some((network) => isWithin(network, address));
}

/**
 * Where a connection that asks for this name goes; null: nowhere. Machines say themselves where they are, and one that says to be at an
 * address of the gateway's own machine or link is believed only by a gateway that listens on such an address itself. One that says to be where the gateway listens, by an address that
 * its document does not name (behind a balancer), is found by the client: the gateway has called itself.
 */
export function relayFor(
  relays: Relays,
  listener: GatewayListener,
  { serverName, client }: { readonly serverName: string; readonly client: string },
): Address | null {
  const found = relays.get(listener.meshNetwork ?? "")?.get(serverName) ?? null;
  if (found === null) return null;
  if (isSamePlace(found, { host: client, port: listener.port })) return null;
  const isAlone = !everywhere.has(listener.address) && isNearby(listener.address);
  return isNearby(found.host) && !isAlone ? null : found;
}
