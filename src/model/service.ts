/** What runs in the mesh: services, their running instances and the machines they run on, as the registry keeps them. */

/**
 * How a service speaks. `http` is HTTP/1.1, `http2` and `grpc` are HTTP/2 in clear text by prior knowledge: these are routed
 * by requests. `tcp` is opaque, `tls` too but for the server name that its client asks for: these are routed by connections.
 * `detect` is what no document declares: each connection shows it by its first bytes.
 */
export type Protocol = "http" | "http2" | "grpc" | "tcp" | "tls" | "detect";

/**
 * What `%2F` in a path means to a service: `keep`, a letter like any other, which goes on as it came; `refuse`, no path of its;
 * `decode`, a slash. The app must mean the same: one that takes as a slash what is kept gets requests that rules of the path
 * before it did not fit.
 */
export type EscapedSlashes = "keep" | "refuse" | "decode";

/** How a call travels between two machines: `shared`, a stream of an HTTP/2 connection; `http/1.1`, a connection at a time; `own`, an opaque connection with a TLS connection of its own. */
export type Transport = "shared" | "http/1.1" | "own";

/** Whether exchanges of HTTP may be for it. */
export function takesRequests(protocol: Protocol): boolean {
  return protocol !== "tcp" && protocol !== "tls";
}

/** Whether opaque connections may be for it. */
export function takesConnections(protocol: Protocol): boolean {
  return protocol === "tcp" || protocol === "tls" || protocol === "detect";
}

/** Ports whose servers speak first (SMTP, MySQL, PostgreSQL, Redis and others): nothing can be learned by waiting for the client. */
export const serverFirstPorts: ReadonlySet<number> = new Set([25, 587, 3306, 4444, 5432, 6379, 9300, 11_211]);

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

/** The name that a TLS client asks for when it means the instance whose app has this port: `8081.orders.default.mesh`. */
export function instanceServerName(service: ServiceName, appPort: string | number): string {
  return `${appPort}.${serverNameOf(service)}`;
}

/**
 * The name that a TLS client asks for when it means what one machine runs of this service, where who passes the connection on can go by
 * nothing else: `vm-2.at.orders.default.mesh`, `vm-2.at.8081.orders.default.mesh` for one of several instances.
 */
export function machineServerName(
  node: string,
  service: ServiceName,
  { id, apart }: Pick<Instance, "id" | "apart">,
): string {
  return `${node}.at.${apart === true ? instanceServerName(service, appPortOf(id)) : serverNameOf(service)}`;
}

/** Unique in the mesh: a machine runs no two apps of a service at one port. */
export function instanceId(
  node: string,
  { service, port }: { readonly service: ServiceName; readonly port: number },
): string {
  return `${node}/${serviceKey(service)}/${port}`;
}

/** Port of the app, as the id of an instance has it. */
export function appPortOf(instanceId: string): string {
  return instanceId.slice(instanceId.lastIndexOf("/") + 1);
}

/** The services of these, each once: a machine may run several instances of one. */
export function servicesOf(all: readonly { readonly service: ServiceName }[]): ServiceName[] {
  return [...new Map(all.map(({ service }) => [serviceKey(service), service])).values()];
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
  /** Where its machine stands; absent: its document does not say. */
  readonly zone?: string | undefined;
  readonly region?: string | undefined;
  /** Machines of other networks have no route to it; absent: its document does not say. */
  readonly network?: string | undefined;
  /** Its share beside others, above 0; absent: 1. */
  readonly weight?: number | undefined;
  /** Its machine runs several of the service: its callers name it by `instanceServerName`. Absent: it is the only one. */
  readonly apart?: true | undefined;
  /** Why it is not ready, in the words of its probe; absent while it is, and before the first look. */
  readonly problem?: string | undefined;
  /** An operator took it, or its machine, out: nobody calls it, ready or not. Said by the controller alone. */
  readonly drained?: true | undefined;
}

/** What an operator took out until it is put back: what a machine runs of a service, or all that it runs. */
export interface DrainPlace {
  readonly node: string;
  /** null: the whole machine. */
  readonly service: ServiceName | null;
}

/** Who took it out, and when. */
export interface Drain {
  readonly by: string;
  readonly atMs: number;
}

/** `vm-2`, or `vm-2/orders.default`. */
export function drainKey({ node, service }: DrainPlace): string {
  return service === null ? node : `${node}/${serviceKey(service)}`;
}

const encoder = new TextEncoder();

/** Names and values of labels, in UTF-8. */
export function labelBytesOf(labels: Instance["labels"]): number {
  return Object.entries(labels).reduce((sum, pair) => sum + encoder.encode(pair.join("")).length, 0);
}

/** An instance to which a proxy sends no requests, because those that it sent failed. */
export interface EjectedEndpoint {
  readonly service: string;
  /** Instance id. */
  readonly endpoint: string;
  /** `streak`: failures in a row; `connect`: no connection; `rate`: too few successes. */
  readonly reason: string;
  /** A request is there to find out whether it is well. */
  readonly probing: boolean;
  /** Milliseconds until a request may find out; 0: the next one does. */
  readonly probeInMs: number;
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
  /** It may be part of the control plane: its controller signs with an intermediate of its own. */
  readonly control?: true;
  /** Where others reach it, as it said when it joined; absent: where it joined from. */
  readonly address?: string;
}
