/** Which listeners of a gateway take a route, which is said by names, ports, namespaces and hosts: the Gateway API's rules of attachment. */
import type { Address } from "../base/socket_address.ts";
import type { GatewayListener, GatewayProtocol } from "./gateway.ts";
import type { Parented } from "./route_parents.ts";

/** A listener as its document has it. */
export interface WrittenListener extends GatewayListener {
  /** Whose routes it takes. Absent: those of the gateway's own namespace. */
  readonly namespaces?: "all" | readonly string[];
  /** Of one that passes TLS of the mesh on: where machines of other networks reach it. */
  readonly addresses?: readonly Address[];
}

interface Attaching extends Parented {
  readonly hostnames?: readonly string[];
}

/** Of listeners that routes can be for. */
export const protocolsOf = {
  HTTPRoute: ["http", "https"],
  TLSRoute: ["tls"],
  TCPRoute: ["tcp"],
} as const;

/** Why a listener that a route may mean does not take it; null: it does. */
export type Refusal = "name" | "port" | "protocol" | "service" | "namespace" | "hostname" | null;

/** In the order in which a listener is left out for them. */
export const refusals: readonly Refusal[] = [
  ...(["name", "port", "protocol", "service", "namespace", "hostname"] as const),
  null,
];

/** `protocols`: those of listeners that such a route can be for. */
export function refusalOf(
  listener: WrittenListener,
  route: Attaching,
  protocols: readonly GatewayProtocol[],
): Refusal {
  const { listener: name = null, port } = route.gateway ?? {};
  if (name !== null && name !== listener.name) return "name";
  if (port !== undefined && port !== listener.port) return "port";
  if (!protocols.includes(listener.protocol) || listener.meshNetwork !== undefined) return "protocol";
  if (listener.service !== undefined) return "service";
  if (!takesNamespace(listener, route)) return "namespace";
  const { hostname } = listener;
  const { hostnames = [] } = route;
  if (hostname === undefined || hostnames.length === 0) return null;
  return hostnames.some((each) => overlap(each, hostname)) ? null : "hostname";
}

function takesNamespace({ namespaces }: WrittenListener, { namespace, service }: Parented): boolean {
  if (namespaces === "all") return true;
  return namespaces === undefined ? namespace === service.namespace : namespaces.includes(namespace);
}

/** Whether some host is of both. */
function overlap(one: string, other: string): boolean {
  return one === other || isBelow(one, other) || isBelow(other, one);
}

function isBelow(host: string, pattern: string): boolean {
  return pattern.startsWith("*.") && host.length > pattern.length - 1 && host.endsWith(pattern.slice(1));
}
