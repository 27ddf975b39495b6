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

/** What that service says it calls, else itself. A bare name means the caller's own namespace. */
function calledBy(key: string, machine: MachineDocument): string {
  const own = machine.services.find((each) => serviceKey(each.service) === key);
  if (own === undefined) return `${key}.mesh`;
  const called = own.upstreams[0]?.service ?? own.service;
  return called.namespace === own.service.namespace ? `${called.name}.mesh` : `${serviceKey(called)}.mesh`;
}
