/** Which machines of the mesh are reached by gateways. */
import type { Endpoint, Snapshot } from "../../model/snapshot.ts";

/**
 * The network whose gateways lead to an endpoint of the mesh; null: it is called straight. A machine that names another network has no route
 * to it, and none that names none to one that does. One without gateways is called as the own one is, by a name that proxies from before
 * there were networks know, too.
 *
 * @param own of this machine; absent: it names none
 */
export function siteOf(
  { node, network = "" }: Endpoint,
  { node: here, networks = [] }: Snapshot,
  { network: own = "" }: { readonly network?: string },
): string | null {
  if (node === here || network === own) return null;
  return networks.some(({ name, gateways }) => name === network && gateways.length > 0) ? network : null;
}
