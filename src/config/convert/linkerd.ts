/**
 * Documents of Linkerd (policy.linkerd.io, linkerd.io; linkerd.io/2-edge/reference). Who may call a service is said there by two or three
 * documents, and here by one: a server, what it is authorized for, and who that is.
 */
import type { Dialect } from "./dialect.ts";
import { readGateways } from "./gateway_documents.ts";
import {
  kindOf,
  readKubernetesService,
  refuseForeign,
  routeKind,
  Selections,
  serviceKind,
} from "./kubernetes.ts";
import { LinkerdAccess } from "./linkerd_access.ts";
import { readRateLimit, readServiceAnnotations, readServiceProfile } from "./linkerd_traffic.ts";
import type { Origin } from "./origin.ts";

const without: Readonly<Record<string, string>> = {
  ExternalWorkload: "a machine joins by heddle join, and says itself what runs on it",
  EgressNetwork: "what leaves the mesh is said by egress of kind: Mesh",
  HTTPConcurrencyLimitPolicy: "write concurrency of kind: Traffic",
  Link: "there is one mesh: other clusters are not linked",
};

export const readLinkerd: Dialect = (origins, target, { trustDomain }) => {
  const selections = new Selections();
  const of = (group: string, kind: string): readonly Origin[] =>
    origins.filter((origin) => kindOf(origin).kind === kind && kindOf(origin).group === group);
  const policy = "policy.linkerd.io";
  for (const origin of of("", serviceKind)) {
    readServiceAnnotations(origin, target);
    readKubernetesService(origin, target, selections);
  }
  const access = new LinkerdAccess(target, selections, trustDomain);
  for (const origin of of(policy, "Server")) access.addServer(origin);
  const inbound = of(policy, routeKind).filter((origin) => access.addRoute(origin));
  for (const origin of of(policy, "MeshTLSAuthentication")) access.addIdentities(origin);
  for (const origin of of(policy, "NetworkAuthentication")) access.addNetworks(origin);
  for (const origin of of(policy, "AuthorizationPolicy")) access.authorize(origin);
  for (const origin of of(policy, "ServerAuthorization")) access.authorizeServer(origin);
  access.finish();
  for (const origin of of(policy, "HTTPLocalRateLimitPolicy")) readRateLimit(origin, target, access);
  for (const origin of of("linkerd.io", "ServiceProfile")) readServiceProfile(origin, target);
  const outbound = of(policy, routeKind).filter((origin) => !inbound.includes(origin));
  readGateways([...origins.filter((origin) => kindOf(origin).group !== policy), ...outbound], target);
  const read = [
    ...["Server", routeKind, "MeshTLSAuthentication", "NetworkAuthentication", "AuthorizationPolicy"],
    ...["ServerAuthorization", "HTTPLocalRateLimitPolicy", "ServiceProfile"],
  ];
  for (const origin of origins) {
    const { group, kind } = kindOf(origin);
    if (group === "gateway.networking.k8s.io" || (group === "" && kind === serviceKind)) continue;
    if (!group.endsWith("linkerd.io")) refuseForeign(origin);
    else if (!read.includes(kind))
      origin.refuse(["kind"], without[kind] ?? `${kind} has no counterpart here`);
  }
};
