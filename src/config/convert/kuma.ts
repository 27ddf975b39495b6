/**
 * Documents of Kuma on machines (`type`, `mesh`, `name`, `spec`; kuma.io/docs). What 3.0 drops itself (`probes`, `healthyPanicThreshold`,
 * `tags` of a backend) is named where it stands.
 */
import { serviceKey } from "../../model/service.ts";
import type { Dialect } from "./dialect.ts";
import { readGateways } from "./gateway_documents.ts";
import { closedBy, readTrafficPermission } from "./kuma_access.ts";
import { GatewayDrafts } from "./gateway_drafts.ts";
import {
  isForGateway,
  readGatewayHttpRoute,
  readGatewayTcpRoute,
  readMeshGateway,
  type KumaGateways,
} from "./kuma_gateway.ts";
import type { KumaDocument } from "./kuma_document.ts";
import { readDataplane } from "./kuma_dataplane.ts";
import { readMeshHttpRoute } from "./kuma_route.ts";
import { readMeshCircuitBreaker, readMeshRetry, readMeshTimeout } from "./kuma_traffic.ts";
import { kindOf } from "./kubernetes.ts";
import type { Origin } from "./origin.ts";

const readers: Readonly<Record<string, (document: KumaDocument) => void>> = {
  MeshHTTPRoute: readMeshHttpRoute,
  MeshTrafficPermission: readTrafficPermission,
  MeshRetry: readMeshRetry,
  MeshTimeout: readMeshTimeout,
  MeshCircuitBreaker: readMeshCircuitBreaker,
};

/** Of those for a gateway. */
const gatewayReaders: Readonly<Record<string, (document: KumaDocument, gateways: KumaGateways) => void>> = {
  MeshHTTPRoute: readGatewayHttpRoute,
  MeshTCPRoute: readGatewayTcpRoute,
};

const without: Readonly<Record<string, string>> = {
  Mesh: "there is one mesh, with identities and mutual TLS from the start; what holds for all services is said by kind: Mesh",
  MeshTCPRoute: "write kind: TCPRoute: it divides the connections of a service",
  MeshHealthCheck: "instances are probed where they run: health of Service or of the Machine document",
  MeshRateLimit: "write rateLimit of kind: Traffic",
  MeshFaultInjection: "write fault in a rule of a route, and faults: allowed in kind: Mesh",
  MeshLoadBalancingStrategy: "write balance and zones of kind: Traffic",
  MeshAccessLog: "what is logged is said by telemetry of kind: Mesh",
  MeshTrace: "what is told to whom is said by telemetry of kind: Mesh",
  MeshMetric: "what is told to whom is said by telemetry of kind: Mesh",
  MeshProxyPatch: "it patches another proxy's configuration",
  MeshTLS: "between machines there is TLS 1.3 and nothing else",
  MeshPassthrough: "what leaves the mesh is said by egress of kind: Mesh",
  MeshExternalService: "kind: External declares what lies outside of the mesh: write one for it",
  MeshGatewayRoute: "MeshHTTPRoute and MeshTCPRoute took its place there: those are read",
  ZoneIngress: "there is one mesh without zones of its own",
  ZoneEgress: "there is one mesh without zones of its own",
};

export const readKuma: Dialect = (origins, target, { trustDomain }) => {
  const isForKubernetes = (origin: Origin): boolean => kindOf(origin).kind !== "";
  const own = origins.filter((origin) => !isForKubernetes(origin));
  const closed = new Set<string>();
  const documents = own.map((origin): KumaDocument & { readonly type: string } => {
    const root = origin.root();
    root.ignore("mesh", "labels", "creationTime", "modificationTime");
    const type = root.text("type") ?? "";
    // A Dataplane says all of it beside its name.
    const spec = type === "Dataplane" ? root : root.inner("spec");
    return { origin, type, name: root.text("name") ?? "unnamed", root, spec, target, trustDomain, closed };
  });
  for (const document of documents) {
    if (readers[document.type] !== readTrafficPermission) continue;
    const service = closedBy(document);
    if (service !== null) closed.add(serviceKey(service));
  }
  const gateways: KumaGateways = { drafts: new GatewayDrafts(target), byService: new Map(), tags: new Map() };
  for (const document of documents) if (document.type === "MeshGateway") readMeshGateway(document, gateways);
  // What says ports and protocols comes first.
  const order = ["Dataplane", ...Object.keys(readers)];
  for (const document of documents.toSorted((a, b) => order.indexOf(a.type) - order.indexOf(b.type))) {
    const { origin, type } = document;
    if (type === "MeshGateway") continue;
    const ofGateway = isForGateway(document) ? gatewayReaders[type] : undefined;
    if (ofGateway !== undefined) ofGateway(document, gateways);
    else if (type === "Dataplane") readDataplane(document, gateways);
    else if (Object.hasOwn(readers, type)) readers[type]?.(document);
    else
      origin.refuse(
        ["type"],
        without[type] ?? `${type === "" ? "a document without a type" : type} has no counterpart here`,
      );
  }
  gateways.drafts.finish();
  readGateways(origins, target);
  for (const origin of origins.filter(isForKubernetes))
    if (kindOf(origin).group !== "gateway.networking.k8s.io")
      origin.refuse(
        ["apiVersion"],
        "the form for Kubernetes is not read: kumactl get prints that for machines (type, mesh, name)",
      );
};
