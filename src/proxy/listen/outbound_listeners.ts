/**
 * The loopback listeners of a machine: for each local service one for HTTP, and one for each explicit port of its upstreams. What
 * stands for a service stands for all of its instances.
 */
import type { Net, Socket, SocketHandler } from "../../../runtime/contract.ts";
import type { MachineService } from "../../model/document.ts";
import { serviceKey, servicesOf, type ServiceName } from "../../model/service.ts";

/** Where a local service finds the mesh. */
export interface OutboundAddress {
  readonly service: string;
  readonly host: string;
  readonly port: number;
  /** Key of the one service it leads to; null: the HTTP listener, by name. */
  readonly upstream: string | null;
}

/** A listener of a local service. */
export interface OutboundListenerOf {
  readonly service: ServiceName;
  readonly host: string;
  /** The one service that it leads to; null: requests say which. */
  readonly only: ServiceName | null;
  readonly proxyProtocol: boolean;
}

export interface OutboundListenersOptions {
  readonly net: Pick<Net, "listen">;
  readonly services: readonly MachineService[];
  /** Where the HTTP listeners stand. */
  readonly host: string;
  /** The port of the first service that names none; the next has the next. 0: any free port. */
  readonly firstPort: number;
  readonly accept: (listener: OutboundListenerOf) => (socket: Socket) => SocketHandler;
}

/**
 * The port of the HTTP listener that stands at this place of the list: 0, any free one; null, none, because it is another instance of
 * a service that has its own.
 */
export function httpPortAt(
  services: readonly MachineService[],
  at: number,
  firstPort: number,
): number | null {
  const { service, httpPort } = services[at] as MachineService;
  if (httpPort !== null) return httpPort;
  const before = servicesOf(services.slice(0, at)).map(serviceKey);
  if (before.includes(serviceKey(service))) return null;
  return firstPort === 0 ? 0 : firstPort + before.length;
}

/** Throws when a port is taken, naming its holder; what is open by then is its caller's to close. */
export function listenOutbound(options: OutboundListenersOptions): readonly OutboundAddress[] {
  return options.services.flatMap((service, at) => listenFor(service, at, options));
}

function listenFor(local: MachineService, at: number, options: OutboundListenersOptions): OutboundAddress[] {
  const addresses: OutboundAddress[] = [];
  const { net, services, host, firstPort, accept } = options;
  const listen = (onHost: string, port: number, only: ServiceName | null, proxyProtocol: boolean): void => {
    const way = accept({ service: local.service, host: onHost, only, proxyProtocol });
    const listener = net.listen({ host: onHost, port }, way);
    const upstream = only === null ? null : serviceKey(only);
    const service = serviceKey(local.service);
    addresses.push({ service, host: onHost, port: listener.port, upstream });
  };
  const httpPort = httpPortAt(services, at, firstPort);
  if (httpPort !== null) listen(host, httpPort, null, false);
  for (const { service, host: onHost, port, proxyProtocol } of local.upstreams)
    if (port !== null) listen(onHost, port, service, proxyProtocol);
  return addresses;
}
