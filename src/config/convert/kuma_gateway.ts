/** `MeshGateway` of Kuma, and `MeshHTTPRoute` and `MeshTCPRoute` for it: listeners, and routes of those. */
import { serviceKey, type ServiceName } from "../../model/service.ts";
import { kinds } from "../kinds.ts";
import { secretFiles, type GatewayDrafts } from "./gateway_drafts.ts";
import type { KumaDocument } from "./kuma_document.ts";
import { serviceNamed } from "./kuma_reference.ts";
import { backendsOf, ruleOf } from "./kuma_route.ts";
import type { Fields } from "./origin.ts";
import { labelOf, saying, type Attached, type RouteOwner, type Written } from "./target.ts";

/** What Kuma's documents say of gateways: by name, and by the service of the dataplanes that run them. */
export interface KumaGateways {
  readonly drafts: GatewayDrafts;
  /** Keys of services: the gateway that their dataplanes run. */
  readonly byService: Map<string, ServiceName>;
  /** Keys of gateways: the tags of each listener, by its name here. */
  readonly tags: Map<string, ReadonlyMap<string, Readonly<Record<string, string>>>>;
}

export function readMeshGateway({ origin, name, root }: KumaDocument, gateways: KumaGateways): void {
  const own = serviceNamed(name);
  const tags = new Map<string, Readonly<Record<string, string>>>();
  for (const selector of root.list("selectors")) {
    const { "kuma.io/service": service, ...others } = selector.texts("match");
    if (service === undefined || Object.keys(others).length > 0)
      selector.refuse("match", "a gateway runs on the machines that name it: expected kuma.io/service alone");
    else gateways.byService.set(serviceKey(serviceNamed(service)), own);
  }
  root.refuse("tags", "tags of a whole gateway choose its routes there: give them to its listeners");
  const listeners = root
    .inner("conf")
    .list("listeners")
    .map((listener, at): Written => {
      const made = listenerOf(listener, at, own.namespace);
      tags.set(String(made["name"]), listener.texts("tags"));
      return made;
    });
  gateways.tags.set(serviceKey(own), tags);
  gateways.drafts.declare(own, listeners, origin);
}

function listenerOf(listener: Fields, at: number, namespace: string): Written {
  const said = listener.text("protocol") ?? "HTTP";
  const tls = listener.inner("tls");
  const mode = tls.text("mode") ?? (said === "HTTPS" ? "TERMINATE" : "NONE");
  if (listener.flag("crossMesh") === true) listener.refuse("crossMesh", "there is one mesh");
  if (said === "TLS" && mode !== "PASSTHROUGH")
    listener.refuse("tls", "TLS that a gateway opens for connections has no listener here: declare HTTPS");
  const isOpened = said === "HTTPS";
  tls.refuse("options", "nothing of it is known here");
  const certificates = tls.list("certificates").map((source) => {
    for (const field of ["file", "inline", "inlineString"])
      source.refuse(field, "certificates are files of the machine here: certificates of the listener");
    const files = secretFiles(namespace, labelOf(source.text("secret") ?? ""));
    source.note("secret", `certificate and key are read from ${files.certificate} and ${files.key}`);
    return files;
  });
  const hostname = listener.text("hostname")?.toLowerCase() ?? "";
  const isTcp = said === "TCP";
  const port = listener.number("port");
  return {
    name: `port-${port ?? 0}${at === 0 ? "" : `-${at + 1}`}`,
    ...saying({
      port,
      protocol: { HTTP: "http", HTTPS: "https", TLS: "tls", TCP: "tcp" }[said] ?? said.toLowerCase(),
      hostname: isTcp || hostname === "" || hostname === "*" ? undefined : hostname,
      certificates: isOpened ? certificates : undefined,
      minVersion: isOpened ? "1.2" : undefined,
      connections: listener.inner("resources").number("connectionLimit"),
    }),
  };
}

/** The listeners that a route is for: of its gateway all, or those with these tags. [] and refused where there are none. */
function ownersOf(
  reference: Fields,
  hostnames: readonly string[],
  { drafts, tags }: KumaGateways,
): readonly (RouteOwner & { readonly attached: Attached })[] {
  reference.ignore("kind", "mesh", "namespace");
  reference.refuse("labels", "a gateway is meant by its name here");
  const gateway = serviceNamed(reference.text("name") ?? "");
  const wanted = Object.entries(reference.texts("tags"));
  const all = [...(tags.get(serviceKey(gateway)) ?? [])];
  const chosen = all.filter(([, own]) => wanted.every(([tag, value]) => own[tag] === value));
  const listeners = wanted.length === 0 ? [undefined] : chosen.map(([name]) => name);
  const owners = listeners.flatMap(
    (listener) => drafts.ownerOf(gateway, hostnames, gateway.namespace, listener) ?? [],
  );
  if (owners.length === 0)
    reference.origin.refuse(
      reference.path,
      drafts.has(gateway)
        ? "no listener of it has these tags"
        : `no document declares the gateway ${gateway.name}`,
    );
  return owners;
}

export function isForGateway({ spec }: KumaDocument): boolean {
  return (spec.value["targetRef"] as Written | undefined)?.["kind"] === "MeshGateway";
}

export function readGatewayHttpRoute(
  { origin, name, spec, target }: KumaDocument,
  gateways: KumaGateways,
): void {
  const all = spec.list("to");
  for (const to of all) {
    refuseOne(to);
    const hostnames = to.words("hostnames").map((host) => host.toLowerCase());
    const hosts = hostnames.includes("*") ? [] : hostnames;
    const rules = to.list("rules").map((rule) => ruleOf(rule, origin, target, null));
    for (const owner of ownersOf(spec.inner("targetRef"), hosts, gateways))
      gateways.drafts.route(name, owner, rules, "specific");
  }
}

export function readGatewayTcpRoute(
  { origin, name, spec, target }: KumaDocument,
  gateways: KumaGateways,
): void {
  for (const to of spec.list("to")) {
    refuseOne(to);
    const rules = to.list("rules");
    if (rules.length !== 1)
      to.refuse("rules", "nothing tells connections of a listener apart: expected one rule");
    for (const owner of ownersOf(spec.inner("targetRef"), [], gateways)) {
      const backends = rules.flatMap(
        (rule) => (backendsOf(rule.inner("default"), target)["backends"] ?? []) as Written[],
      );
      for (const { service } of backends)
        target.service(serviceNamed(String(service)), origin).protocol = "tcp";
      target.add(
        kinds.TCPRoute.name,
        { name, namespace: owner.namespace },
        { ...owner.attached, backends },
        origin,
      );
    }
  }
}

/** Of a gateway routes are for all that comes in. */
function refuseOne(to: Fields): void {
  const reference = to.inner("targetRef");
  if ((reference.text("kind") ?? kinds.Mesh.name) !== kinds.Mesh.name)
    to.origin.refuse(reference.path, "routes of a gateway are for all that comes in: expected kind: Mesh");
}
