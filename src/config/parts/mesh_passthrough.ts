/** `passthrough: mesh` of a listener of a gateway: it passes TLS between proxies on, unopened, to the machines of one network. */
import * as v from "valibot";
import type { WrittenListener } from "../../model/gateway_routes.ts";
import { limits } from "../../model/limits.ts";
import { list, name, said } from "../fields.ts";
import type { Report } from "../issue_at.ts";
import type { Path } from "../yaml_file.ts";
import { addressWithPort, readPlace } from "./place.ts";

/** What its clients ask for, so that it can share a port with others. */
const meshNames = "*.mesh";

export const meshPassthrough = {
  passthrough: v.optional(
    said(
      v.literal("mesh", "mesh"),
      "Of tls: it passes TLS of the mesh on, unopened, to the machines of its network, for machines that have no route to them",
    ),
  ),
  network: v.optional(
    said(
      name,
      "Of passthrough: the network of those machines, as their Machine documents name it (default: that of machines that name none)",
    ),
  ),
  addresses: v.optional(
    said(
      list(addressWithPort, limits.networkGatewaysMax, 1),
      "Of passthrough: where machines of other networks reach it; each machine that runs it, or a balancer before them",
    ),
  ),
};

export interface WrittenPassthrough {
  readonly protocol: string;
  readonly hostname?: string | undefined;
  readonly passthrough?: "mesh" | undefined;
  readonly network?: string | undefined;
  readonly addresses?: readonly string[] | undefined;
}

/** Host that a listener is for; undefined: any. */
export function hostnameOf({ hostname, passthrough }: WrittenPassthrough): string | undefined {
  return passthrough === undefined ? hostname : meshNames;
}

export function expandPassthrough({
  passthrough,
  network = "",
  addresses = [],
}: WrittenPassthrough): Pick<WrittenListener, "meshNetwork" | "addresses"> {
  if (passthrough === undefined) return {};
  return { meshNetwork: network, addresses: addresses.flatMap((each) => readPlace(each) ?? []) };
}

export function checkPassthrough(written: WrittenPassthrough, path: Path, report: Report): void {
  const { passthrough, protocol, hostname, network, addresses } = written;
  if (passthrough === undefined) {
    const needs = "this is for a listener with passthrough: mesh";
    if (network !== undefined) report([...path, "network"], needs, { key: true });
    if (addresses !== undefined) report([...path, "addresses"], needs, { key: true });
    return;
  }
  if (protocol !== "tls")
    report([...path, "passthrough"], `this is for protocol tls, not ${protocol}`, { key: true });
  if (hostname !== undefined)
    report([...path, "hostname"], "passthrough: mesh is for names of the mesh, and for no other host", {
      key: true,
    });
  if (addresses === undefined)
    report(
      [...path, "passthrough"],
      'machines of other networks have to know where it is: addresses: ["203.0.113.7:15443"]',
    );
}
