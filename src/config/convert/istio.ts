/** Documents of Istio (networking.istio.io, security.istio.io; istio.io/latest/docs/reference/config). */
import { readGateways } from "./gateway_documents.ts";
import { GatewayDrafts } from "./gateway_drafts.ts";
import type { Dialect } from "./dialect.ts";
import { allowsFirst, readAuthorizationPolicy, readPeerAuthentication } from "./istio_access.ts";
import { readDestinationRule } from "./istio_destination_rule.ts";
import { readIstioGateway } from "./istio_gateway.ts";
import { readVirtualService } from "./istio_virtual_service.ts";
import {
  gatewayKind,
  kindOf,
  readKubernetesService,
  refuseForeign,
  Selections,
  serviceKind,
} from "./kubernetes.ts";
import type { Origin } from "./origin.ts";

const without: Readonly<Record<string, string>> = {
  ServiceEntry:
    "kind: External declares what lies outside of the mesh, and is called by a name of the mesh: write one for it",
  Sidecar: "a machine here gets only what its services call, without being told",
  WorkloadEntry: "a machine joins by heddle join, and says itself what runs on it",
  WorkloadGroup: "machines join one by one: heddle token create, heddle join",
  EnvoyFilter: "it patches another proxy's configuration; a policy in TypeScript is what stands for it here",
  WasmPlugin: "plug-ins are policies in TypeScript here",
  RequestAuthentication: "tokens of end users are not looked at here",
  Telemetry: "what is told to whom is said by telemetry of kind: Mesh",
  ProxyConfig: "it configures another proxy",
};

export const readIstio: Dialect = (origins, target, { trustDomain }) => {
  const selections = new Selections();
  const of = (...kinds: readonly string[]): readonly Origin[] =>
    origins.filter((origin) => {
      const { group, kind } = kindOf(origin);
      return kinds.includes(kind) && (group.endsWith("istio.io") || (group === "" && kind === serviceKind));
    });
  // What says ports, protocols and subsets comes first.
  for (const origin of of(serviceKind))
    if (kindOf(origin).group === "") readKubernetesService(origin, target, selections);
  for (const origin of of("DestinationRule")) readDestinationRule(origin, target);
  const gateways = new GatewayDrafts(target);
  for (const origin of of(gatewayKind)) readIstioGateway(origin, gateways);
  for (const origin of of("VirtualService")) readVirtualService(origin, target, gateways);
  gateways.finish();
  for (const origin of of("PeerAuthentication")) readPeerAuthentication(origin);
  const access = { selections, trustDomain, allowing: new Set<string>() };
  for (const origin of of("AuthorizationPolicy").toSorted(allowsFirst))
    readAuthorizationPolicy(origin, target, access);
  readGateways(origins, target);
  const read = [
    ...[gatewayKind, "DestinationRule", "VirtualService", "PeerAuthentication", "AuthorizationPolicy"],
  ];
  for (const origin of origins) {
    const { group, kind } = kindOf(origin);
    if (group === "gateway.networking.k8s.io" || (group === "" && kind === serviceKind)) continue;
    if (!group.endsWith("istio.io")) refuseForeign(origin);
    else if (!read.includes(kind))
      origin.refuse(["kind"], without[kind] ?? `${kind} has no counterpart here`);
  }
};
