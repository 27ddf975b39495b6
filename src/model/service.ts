/** What runs in the mesh: services, their running instances and the machines they run on, as the registry keeps them. */

/** How a service speaks. HTTP is routed by requests, TCP by connections. */
export type Protocol = "http" | "tcp";

/** `name` and `namespace` together name a service everywhere: `orders.default`. */
export interface ServiceName {
  readonly name: string;
  readonly namespace: string;
}

export const defaultNamespace = "default";

/** The key of a service in maps, SNI prefix and metrics: `orders.default`. */
export function serviceKey(service: ServiceName): string {
  return `${service.name}.${service.namespace}`;
}

/** The name that a TLS client asks for when it means this service: `orders.default.mesh`. */
export function serverNameOf(service: ServiceName): string {
  return `${service.name}.${service.namespace}.mesh`;
}

/** One running copy of a service, registered with a lease by the proxy in front of it. */
export interface Instance {
  /** Unique in the mesh: `<node>/<service key>/<app port>`. */
  readonly id: string;
  readonly service: ServiceName;
  readonly node: string;
  /** Where the proxy in front of it accepts mTLS. */
  readonly address: string;
  readonly port: number;
  readonly labels: Readonly<Record<string, string>>;
  /** False while the active probe fails. An instance that is not ready gets no new exchange. */
  readonly ready: boolean;
}

/** A machine that joined. */
export interface Node {
  readonly name: string;
  /** Services it may be. */
  readonly services: readonly ServiceName[];
  /** SPKI of the node key, base64 DER. */
  readonly publicKey: string;
  readonly joinedMs: number;
  readonly removed: boolean;
}
