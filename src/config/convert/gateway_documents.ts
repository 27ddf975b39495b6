/** Routes of the Gateway API among documents of another mesh: heddle reads them as they are, so they are handed on so. */
import type { HttpRouteDocument, TlsRouteDocument } from "../../model/document.ts";
import { documentKey, loadDocuments } from "../load.ts";
import { stringify } from "yaml";
import { gatewayKind, kindOf, metadataFields } from "./kubernetes.ts";
import type { Origin } from "./origin.ts";
import type { Target, Written } from "./target.ts";

const gatewayGroup = "gateway.networking.k8s.io";

/** What routes of either kind have. */
type RouteParts = Partial<
  Pick<HttpRouteDocument, "service" | "gateway" | "rules"> & Pick<TlsRouteDocument, "backends">
>;

export function readGateways(origins: readonly Origin[], target: Target): void {
  const isGateway = (origin: Origin): boolean => {
    const { group, kind } = kindOf(origin);
    return group === gatewayGroup && kind === gatewayKind;
  };
  const gateways = origins.filter(isGateway).map(({ source }) => stringify(source.value));
  for (const origin of origins) {
    const { group } = kindOf(origin);
    // Linkerd's own are what became of the Gateway API's, field by field.
    const isOlder = group === "policy.linkerd.io";
    if (group !== gatewayGroup && !isOlder) continue;
    const written = origin.source.value as Written;
    const value = isOlder ? { ...written, apiVersion: `${gatewayGroup}/v1` } : written;
    // A route is refused where its gateway is not there.
    const around = isGateway(origin) ? [] : gateways.map((text, at) => ({ file: `gateway ${at}`, text }));
    const read = loadDocuments([{ file: "", text: stringify(value) }, ...around], { policies: null });
    const issues = read.issues.filter(({ file }) => file === "");
    const documents = read.documents.filter(({ source }) => source.file === "");
    const [wrong] = issues.filter(({ severity, code }) => severity === "error" && code !== "HED0102");
    if (wrong !== undefined) {
      origin.refuse([], wrong.message);
      continue;
    }
    const { metadata } = written as { metadata?: Written & { annotations?: Written } };
    for (const name of Object.keys(metadata ?? {}))
      if (!metadataFields.has(name))
        origin.loss(["metadata", name], "there is no counterpart: it is left out");
    for (const name of Object.keys(metadata?.annotations ?? {}))
      if (/(?:linkerd|istio)\.io\//.test(name))
        origin.loss(["metadata", "annotations", name], "rules say retry and timeouts here");
    for (const { severity, message } of issues) if (severity === "warning") origin.loss([], message);
    for (const { document } of documents) {
      const { service, gateway, rules = [], backends: own = [] } = document as RouteParts;
      // That of a route of a gateway is the gateway.
      if (service !== undefined && gateway === undefined) target.service(service, origin);
      const backends = [...own, ...rules.flatMap((rule) => rule.backends)];
      for (const { service } of backends) target.service(service, origin);
      target.asItIs(documentKey(document), value, origin);
    }
  }
}
