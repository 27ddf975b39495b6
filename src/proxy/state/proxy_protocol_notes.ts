/** Where the PROXY protocol is asked for and cannot be had, in words: nobody should believe that an address arrives. */
import type { MachineService } from "../../model/document.ts";
import { serviceKey, takesConnections, type Protocol } from "../../model/service.ts";
import type { ProxyState } from "./state.ts";

export function proxyProtocolNotes(services: readonly MachineService[], state: ProxyState): string[] {
  return services.flatMap((local) => {
    const key = serviceKey(local.service);
    const protocol = state.locals.get(key)?.local.protocol;
    const app = local.proxyProtocol === null || protocol === undefined ? [] : appNotes(key, protocol);
    const binds = local.upstreams.flatMap(({ service, port, proxyProtocol }) => {
      const to = serviceKey(service);
      const spoken = state.destinations.get(to)?.declared.protocol;
      return proxyProtocol && spoken !== undefined ? bindNotes(`port ${port} of ${key}`, to, spoken) : [];
    });
    return [...app, ...binds];
  });
}

function appNotes(key: string, protocol: Protocol): string[] {
  if (protocol === "tcp" || protocol === "tls") return [];
  if (takesConnections(protocol))
    return [
      `${key}: connections that turn out to speak HTTP reach the app without a PROXY header; declare protocol tcp or tls`,
    ];
  return [
    `${key}: proxyProtocol has no effect, the app gets no PROXY header: it speaks ${protocol}, whose requests share connections`,
  ];
}

function bindNotes(bind: string, to: string, protocol: Protocol): string[] {
  if (protocol === "tcp" || protocol === "tls") return [];
  const whose = takesConnections(protocol) ? "requests of HTTP" : `requests: ${to} speaks ${protocol}`;
  return [`${bind}: the client that a PROXY header names is not passed on with ${whose}`];
}
