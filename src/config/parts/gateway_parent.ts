/** What a route belongs to: a service of the mesh, or a gateway, maybe one listener of it. */
import * as v from "valibot";
import type { OfGateway } from "../../model/document.ts";
import type { GatewayProtocol } from "../../model/gateway.ts";
import type { ServiceName } from "../../model/service.ts";
import { name, resolveService, said, serviceName } from "../fields.ts";
import type { Report } from "../issue_at.ts";
import type { Neighbourhood } from "../kind.ts";

/** `service`: what that is for, in words. */
export function parentFields(service: string) {
  return {
    service: v.optional(said(serviceName, `${service}; this or gateway must be there`)),
    gateway: v.optional(
      said(serviceName, "Gateway whose requests or connections it directs, in the same namespace"),
    ),
    listener: v.optional(said(name, "Of the gateway: one listener (default: all that it fits)")),
  };
}

export interface WrittenParent {
  readonly service?: string | undefined;
  readonly gateway?: string | undefined;
  readonly listener?: string | undefined;
}

export function expandParent(
  { service = "", gateway, listener }: WrittenParent,
  namespace: string,
): { readonly service: ServiceName; readonly gateway?: OfGateway } {
  return gateway === undefined
    ? { service: resolveService(service, namespace) }
    : { service: resolveService(gateway, namespace), gateway: { listener: listener ?? null } };
}

export function checkParent({ service, gateway, listener }: WrittenParent, report: Report): void {
  if (service === undefined && gateway === undefined)
    report(
      ["service"],
      "this field is missing, expected a service such as orders or orders.prod, or gateway",
    );
  if (service !== undefined && gateway !== undefined)
    report(["gateway"], "service and gateway exclude each other", { key: true });
  if (listener !== undefined && gateway === undefined)
    report(["listener"], "this is for a gateway, and the route is one of a service", { key: true });
}

/** `protocols`: those of listeners that such a route can be for. */
export function checkGateway(
  { service, namespace, gateway }: { service: ServiceName; namespace: string; gateway?: OfGateway },
  protocols: readonly GatewayProtocol[],
  { set, report }: Neighbourhood,
): void {
  const { listener = null } = gateway ?? {};
  if (service.namespace !== namespace)
    report(
      ["gateway"],
      `a route of a gateway lies in its namespace, ${service.namespace}, not in ${namespace}`,
    );
  const listeners = set.findGateway(service, listener, report)?.listeners;
  const meant = listeners?.filter(({ name }) => listener === null || name === listener);
  if (meant === undefined || meant.some(({ protocol }) => protocols.includes(protocol))) return;
  if (meant.length > 0)
    report(["gateway"], `no listener that it names has protocol ${protocols.join(" or ")}`);
}
