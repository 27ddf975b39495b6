/** Connections that a `VirtualService` directs, and what its rules of all protocols have in common: for whom they are, and where they lead. */
import { kinds } from "../kinds.ts";
import { serviceAt } from "./kubernetes.ts";
import type { Fields, Origin } from "./origin.ts";
import type { RouteOwner, Target, Written } from "./target.ts";
import { wholeWeights } from "./words.ts";

/** A document, and for whose requests it is being read: `mesh`, or a gateway by its name there. */
export interface Place {
  readonly origin: Origin;
  readonly target: Target;
  readonly namespace: string;
  readonly parent: string;
}

/** Matches may be for some of the gateways of their document alone. */
export function isFor(match: Fields, parent: string): boolean {
  const own = match.words("gateways");
  return own.length === 0 || own.includes(parent);
}

/** `service` and `subset`. */
export function destinationOf(destination: Fields, target: Target, namespace: string): Written {
  const host = destination.text("host") ?? "";
  const service = serviceAt(host, namespace);
  if (service === null) {
    destination.refuse("host", `${host} is no service of the mesh`);
    return { service: "unknown" };
  }
  const draft = target.service(service, destination.origin);
  const port = destination.inner("port").number("number");
  if (port !== undefined) {
    if (draft.port !== null && draft.port !== port)
      destination.loss("port", `a service has one port here, and ${service.name} has ${draft.port}`);
    draft.port ??= port;
  }
  const subset = destination.text("subset");
  return {
    service: service.namespace === namespace ? service.name : `${service.name}.${service.namespace}`,
    ...(subset === undefined
      ? {}
      : { subset: target.subset(service, subset, destination.origin, [...destination.path, "subset"]) }),
  };
}

/** Where connections of TLS go by the name that they ask for. */
export function readTls(rule: Fields, name: string, owner: RouteOwner, place: Place): void {
  const { target, parent } = place;
  const matches = rule.list("match").filter((match) => isFor(match, parent));
  if (matches.length === 0) return;
  const hostnames = matches.flatMap((match) => {
    for (const field of ["destinationSubnets", "port", "sourceLabels", "sourceNamespace"])
      match.refuse(field, "no TLSRoute here asks for this");
    return match.words("sniHosts");
  });
  if (owner.attached === undefined) target.service(owner, rule.origin).protocol = "tls";
  const own = { ...parentOf(owner), hostnames, backends: connectionsOf(rule, "tls", place) };
  target.add(kinds.TLSRoute.name, { name, namespace: owner.namespace }, own, rule.origin);
}

/** Where opaque connections go. Of a gateway they may say by which of its ports. */
export function readTcp(rule: Fields, name: string, owner: RouteOwner, place: Place): void {
  const { target, parent } = place;
  const all = rule.list("match");
  const matches = all.filter((match) => isFor(match, parent));
  if (all.length > 0 && matches.length === 0) return;
  for (const match of matches)
    for (const field of ["destinationSubnets", "sourceLabels", "sourceNamespace", "sourceSubnet"])
      match.refuse(field, "no TCPRoute here asks for this");
  const ports = matches.map((match) => match.number("port")).filter((port) => port !== undefined);
  if (owner.attached === undefined) {
    const draft = target.service(owner, rule.origin);
    draft.protocol = "tcp";
    draft.port ??= ports[0] ?? null;
  }
  const { hostnames: _, ...parentFields } = parentOf(owner);
  const parents =
    ports.length === 0 ? parentFields : { parents: ports.map((port) => ({ ...parentFields, port })) };
  const own = { ...parents, backends: connectionsOf(rule, "tcp", place) };
  target.add(kinds.TCPRoute.name, { name, namespace: owner.namespace }, own, rule.origin);
}

function parentOf({ name, attached }: RouteOwner): Written {
  return attached === undefined ? { service: name } : { ...attached };
}

function connectionsOf(rule: Fields, protocol: "tcp" | "tls", { target, namespace }: Place): Written[] {
  const routes = rule.list("route");
  const weights = wholeWeights(routes.map((each) => each.number("weight") ?? 1));
  return routes.map((route, at) => {
    const destination = route.inner("destination");
    const to = serviceAt(String(destination.value["host"]), namespace);
    if (to !== null) target.service(to, rule.origin).protocol = protocol;
    return { ...destinationOf(destination, target, namespace), weight: weights[at] };
  });
}
