/** What Istio, Linkerd and the like have in common: documents of Kubernetes, its Services among them, which say ports and labels. */
import { defaultNamespace, serviceKey, type ServiceName } from "../../model/service.ts";
import { kinds } from "../kinds.ts";
import type { Fields, Origin } from "./origin.ts";
import { labelOf, type Target } from "./target.ts";

/** Kinds of Kubernetes and of the Gateway API that are called as those of heddle. */
export const serviceKind: string = kinds.Service.name;
export const routeKind: string = kinds.HTTPRoute.name;
export const gatewayKind: string = kinds.Gateway.name;

export interface Metadata extends ServiceName {
  readonly annotations: Fields;
}

/** Of the cluster's own, in metadata. */
const bookkeeping = [
  ...["labels", "creationTimestamp", "uid", "resourceVersion", "generation", "managedFields", "generateName"],
];

/** All that metadata may say: what is not here means something that nobody here knows. */
export const metadataFields: ReadonlySet<string> = new Set([
  ...["name", "namespace", "annotations"],
  ...bookkeeping,
]);

/** Name and namespace; the rest of it says nothing that a mesh goes by, but annotations, which may. */
export function metadataOf(root: Fields): Metadata {
  root.ignore("apiVersion", "kind", "status");
  const metadata = root.inner("metadata");
  metadata.ignore(...bookkeeping);
  const name = metadata.text("name") ?? "unnamed";
  return {
    name,
    namespace: metadata.text("namespace") ?? defaultNamespace,
    annotations: metadata.inner("annotations"),
  };
}

export function kindOf(origin: Origin): { readonly group: string; readonly kind: string } {
  const { apiVersion, kind } = (origin.source.value ?? {}) as { apiVersion?: unknown; kind?: unknown };
  const version = String(apiVersion ?? "");
  const slash = version.indexOf("/");
  return { group: slash < 0 ? "" : version.slice(0, slash), kind: String(kind ?? "") };
}

/** A service of the mesh by the name that Kubernetes has for it; null: it is a name of elsewhere. */
export function serviceAt(host: string, namespace: string): ServiceName | null {
  const cluster = /^([a-z0-9-]+)\.([a-z0-9-]+)\.svc(?:\.[a-z0-9.-]+)?$/.exec(host);
  if (cluster !== null) return { name: cluster[1] ?? "", namespace: cluster[2] ?? "" };
  return /^[a-z0-9-]+$/.test(host) ? { name: host, namespace } : null;
}

/** By the label that its service selects by. */
export interface Selected extends ServiceName {
  readonly selector: Readonly<Record<string, string>>;
  /** That its instances listen on; null: it has a name, or none is said. */
  readonly port: number | null;
}

/** What Services of Kubernetes select, for documents that name workloads by labels. */
export class Selections {
  readonly #all: Selected[] = [];

  add(selected: Selected): void {
    this.#all.push(selected);
  }

  /** null: no Service of Kubernetes says it by number. */
  portOf(service: ServiceName): number | null {
    return this.#all.find((each) => serviceKey(each) === serviceKey(service))?.port ?? null;
  }

  /** Those of a namespace; of all where it is null. */
  of(namespace: string | null): readonly Selected[] {
    return this.#all.filter((each) => namespace === null || each.namespace === namespace);
  }

  /**
   * The services whose instances have these labels. Where no Service of Kubernetes says it, the label that carries the name of an app.
   * null, and refused, where it means only some of a service's instances, or nobody knows which.
   */
  find(
    labels: Readonly<Record<string, string>>,
    namespace: string,
    fields: Fields,
  ): readonly ServiceName[] | null {
    const entries = Object.entries(labels);
    const covers = (each: Selected): boolean =>
      Object.keys(each.selector).length > 0 &&
      entries.every(([label, value]) => each.selector[label] === value);
    const found = this.of(namespace).filter(covers);
    if (found.length > 0) return found.map(({ name, namespace: own }) => ({ name, namespace: own }));
    const app = entries.find(([label]) => appLabels.includes(label));
    const others = entries.filter((entry) => entry !== app).map(([label, value]) => `${label}: ${value}`);
    if (app === undefined || others.length > 0) {
      const message =
        app === undefined
          ? `no Service of these documents selects ${entries.map((each) => each.join(": ")).join(", ")}`
          : `it is for those instances of ${app[1]} with ${others.join(", ")}, and documents here are for whole services`;
      fields.origin.refuse(fields.path, message);
      return null;
    }
    fields.origin.note(fields.path, `taken as the service ${app[1]}, by its label ${app[0]}`);
    return [{ name: labelOf(app[1]), namespace }];
  }
}

const appLabels = ["app", "app.kubernetes.io/name", "k8s-app", "name"];

/** A Service of Kubernetes: its port, what it speaks, and what it selects. */
export function readKubernetesService(origin: Origin, target: Target, selections: Selections): void {
  const root = origin.root();
  const { name, namespace, annotations } = metadataOf(root);
  annotations.ignore(...annotations.names.filter((each) => !/(?:linkerd|istio)\.io\//.test(each)));
  const spec = root.inner("spec");
  spec.ignore(
    "clusterIP",
    "clusterIPs",
    "type",
    "sessionAffinity",
    "ipFamilies",
    "ipFamilyPolicy",
    "internalTrafficPolicy",
  );
  const selector = spec.texts("selector");
  const draft = target.service({ name, namespace }, origin);
  const [first, ...others] = spec.list("ports").map((port) => {
    port.ignore("nodePort", "protocol");
    return {
      port,
      target: port.raw("targetPort") ?? port.raw("port"),
      number: port.number("port") ?? 80,
      name: port.text("name"),
      app: port.text("appProtocol"),
    };
  });
  const port = typeof first?.target === "number" ? first.target : null;
  selections.add({ name, namespace, selector, port });
  if (first === undefined) return;
  draft.port = first.number;
  draft.protocol = protocolOf(first.app ?? first.name ?? "", first.number);
  for (const other of others)
    origin.loss(
      other.port.path,
      `a service has one port here, ${first.number}: declare another service for ${other.number}`,
    );
}

/** By the name of a port, or what it says it speaks (`http-web`, `kubernetes.io/h2c`). */
export function protocolOf(said: string, port: number): string {
  const word = said.toLowerCase().replace(/^kubernetes\.io\//, "");
  const [first = ""] = word.split("-");
  if (["grpc", "tcp", "tls", "http", "http2"].includes(first)) return first;
  if (word.startsWith("h2c")) return "http2";
  if (["https", "tls"].includes(first) || port === 443) return "tls";
  return ["mongo", "mysql", "redis", "udp"].includes(first) ? "tcp" : "detect";
}

export function refuseForeign(origin: Origin): void {
  const { group, kind } = kindOf(origin);
  const cluster =
    (group === "" && kind !== "") || ["apps", "batch", "rbac.authorization.k8s.io", "policy"].includes(group);
  origin.refuse(
    ["kind"],
    cluster
      ? `${kind} is for Kubernetes alone: nothing here runs by it`
      : `${kind === "" ? "a document without a kind" : `${kind} of ${group}`} has no counterpart here`,
  );
}
