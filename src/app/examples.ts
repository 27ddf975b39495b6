/** Command lines for a person at this machine: how its services call others, each with a name that can be typed as it is. */
import { socketAddress } from "../base/socket_address.ts";
import type { MachineDocument } from "../model/document.ts";
import { serviceKey } from "../model/service.ts";
import type { OutboundAddress } from "../proxy/listen/outbound_listeners.ts";
import { adminPort, type Settings } from "./settings.ts";

/** The last one is about this proxy itself and works whatever was applied. */
export function examplesOf(
  addresses: readonly OutboundAddress[],
  machine: MachineDocument,
  settings: Settings,
): string[] {
  const calls = addresses.map(({ service, host, port, upstream }) =>
    upstream === null
      ? `as ${service}:  http_proxy=http://${socketAddress(host, port)} curl http://${calledBy(service, machine)}/`
      : `as ${service}, to ${upstream}:  curl http://${socketAddress(host, port)}/`,
  );
  return [
    ...calls,
    `is it ready?  curl http://${socketAddress(settings.loopback, adminPort(settings, "proxy"))}/ready`,
  ];
}

/** The same before a proxy runs, or where it runs elsewhere: of the ports that are not its to choose. */
export function examplesBySettings(machine: MachineDocument, settings: Settings): string[] {
  const { loopback, ports } = settings;
  const addresses = machine.services.flatMap(({ service, httpPort, upstreams }, at): OutboundAddress[] => {
    const key = serviceKey(service);
    const port = httpPort ?? (ports.outboundFirst === 0 ? 0 : ports.outboundFirst + at);
    const binds = upstreams.map((each) => ({
      service: key,
      host: each.host,
      port: each.port ?? 0,
      upstream: serviceKey(each.service),
    }));
    return [{ service: key, host: loopback, port, upstream: null }, ...binds];
  });
  const known = addresses.filter(({ port }) => port !== 0);
  return examplesOf(known, machine, settings);
}

/** What that service says it calls, else itself. A bare name means the caller's own namespace. */
function calledBy(key: string, machine: MachineDocument): string {
  const own = machine.services.find((each) => serviceKey(each.service) === key);
  if (own === undefined) return `${key}.mesh`;
  const called = own.upstreams[0]?.service ?? own.service;
  return called.namespace === own.service.namespace ? `${called.name}.mesh` : `${serviceKey(called)}.mesh`;
}
