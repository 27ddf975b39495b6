/**
 * Names under which local apps call services: `orders.mesh` (of the caller's namespace) and `orders.shop.mesh`. A final dot, as
 * resolvers write a name that is complete, changes nothing; nor does a port, because a service has but one.
 */
import type { ServiceName } from "../../model/service.ts";

/** The service that an authority (host and maybe port, lower case) means; null when it is no name of this mesh. */
export function meshService(authority: string, namespace: string): ServiceName | null {
  const colon = authority.lastIndexOf(":");
  const host = colon < 0 ? authority : authority.slice(0, colon);
  const labels = host.split(".");
  if (labels.at(-1) === "") labels.pop();
  if (labels.pop() !== "mesh" || labels.length > 2) return null;
  const [name, own = namespace] = labels;
  return name === undefined || !isLabel(name) || !isLabel(own) ? null : { name, namespace: own };
}

function isLabel(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text);
}
