/**
 * `ingress-gateway`, and `api-gateway` with its routes and certificates. What they pass on goes by the router, the splitters and the
 * resolvers of the service, as a call within the mesh does: a route of a gateway has all of it here.
 */
import type { CertificateFiles } from "../../model/gateway.ts";
import { serviceKey, type ServiceName } from "../../model/service.ts";
import { kinds } from "../kinds.ts";
import { editsOf } from "./consul_chains.ts";
import { nameOf, type AnyCase, type ConsulEntry } from "./consul_entry.ts";
import { readHttpRoute, readTcpRoute, type GatewayPlace } from "./consul_gateway_routes.ts";
import { GatewayDrafts, secretFiles } from "./gateway_drafts.ts";
import { labelOf, saying, type RuleDraft, type Written } from "./target.ts";

const inline = "inlinecertificate";
const fromFiles = "filesystemcertificate";

/** Kinds that are read here. */
export const gatewayEntries = ["ingressgateway", "apigateway", "httproute", "tcproute", inline, fromFiles];

export function readConsulGateways(
  of: (kind: string) => readonly ConsulEntry[],
  given: Omit<GatewayPlace, "gateways">,
): void {
  const place: GatewayPlace = { ...given, gateways: new GatewayDrafts(given.target) };
  const files = new Map<string, CertificateFiles>();
  for (const entry of of(inline)) files.set(serviceKey(entry.name), inlineFiles(entry));
  for (const { name, fields } of of(fromFiles)) {
    const [certificate = "", key = ""] = [fields.text("Certificate"), fields.text("PrivateKey")];
    files.set(serviceKey(name), { certificate, key });
  }
  for (const entry of of("ingressgateway")) readIngress(entry, place);
  for (const entry of of("apigateway")) readApiGateway(entry, place, files);
  for (const entry of of("httproute")) readHttpRoute(entry, place);
  for (const entry of of("tcproute")) readTcpRoute(entry, place);
  place.gateways.finish();
}

function inlineFiles({ name, fields }: ConsulEntry): CertificateFiles {
  const files = secretFiles(name.namespace, labelOf(name.name));
  fields.loss("Certificate", `certificates are files of the machine here: write it to ${files.certificate}`);
  fields.loss("PrivateKey", `keys are files of the machine here: write it to ${files.key}`);
  return files;
}

const ownCertificate =
  "certificates of a gateway are files here, not those that the mesh signs: certificates of the listener";

function readIngress({ origin, name, fields }: ConsulEntry, place: GatewayPlace): void {
  refuseTls(fields.inner("TLS"));
  fields.loss(
    "Defaults",
    "connections and failures of a service are bounded by limits and circuitBreaking of Traffic",
  );
  const listeners = fields.list("Listeners");
  const made = listeners.map((listener): Written => {
    refuseTls(listener.inner("TLS"));
    const isTcp = (listener.text("Protocol") ?? "tcp") === "tcp";
    return { name: listenerName(listener), port: listener.number("Port"), protocol: isTcp ? "tcp" : "http" };
  });
  place.gateways.declare(name, made, origin);
  for (const listener of listeners)
    for (const service of listener.list("Services")) {
      const to = nameOf(service.text("Name") ?? "", service.text("Namespace") ?? name.namespace);
      refuseTls(service.inner("TLS"));
      const isTcp = (listener.text("Protocol") ?? "tcp") === "tcp";
      if (to.name === "*")
        service.refuse("Name", "a route here leads to services by name: write one for each, with its host");
      else if (isTcp) toConnections(to, name, listener, place, service);
      else toRequests(to, name, listener, place, service);
    }
}

function refuseTls(tls: AnyCase): void {
  if (tls.flag("Enabled") === true) tls.refuse("Enabled", ownCertificate);
  tls.refuse("SDS", ownCertificate);
}

function listenerName(listener: AnyCase): string {
  return `port-${listener.number("Port") ?? 0}`;
}

function toConnections(
  to: ServiceName,
  gateway: ServiceName,
  listener: AnyCase,
  { target, chains }: GatewayPlace,
  fields: AnyCase,
): void {
  target.service(to, fields.origin).protocol = "tcp";
  const backends = chains.backendsOf([{ service: to, weight: 1, filters: {}, fields }], gateway.namespace);
  const own = { gateway: gateway.name, listener: listenerName(listener), backends };
  const name = `${gateway.name}-${to.name}`;
  target.add(kinds.TCPRoute.name, { name, namespace: gateway.namespace }, own, fields.origin);
}

function toRequests(
  to: ServiceName,
  gateway: ServiceName,
  listener: AnyCase,
  { target, chains, gateways }: GatewayPlace,
  service: AnyCase,
): void {
  const { origin } = service;
  const { namespace } = gateway;
  const draft = target.service(to, origin);
  draft.protocol ??= listener.text("Protocol") ?? "http";
  const owner = gateways.ownerOf(gateway, hostsOf(to, service), namespace, listenerName(listener));
  if (owner === null) return;
  const edits = saying(editsOf(service)) ?? {};
  const rules = chains
    .rulesOf(to, namespace, origin)
    .map((rule): RuleDraft => ({ ...rule, action: { ...rule.action, ...bothEdits(edits, rule.action) } }));
  gateways.route(`${gateway.name}-${to.name}`, owner, rules);
}

function hostsOf({ name }: ServiceName, service: AnyCase): readonly string[] {
  const hosts = service.words("Hosts").map((host) => host.toLowerCase());
  if (hosts.includes("*")) return [];
  if (hosts.length > 0) return hosts;
  const own = [`${name}.ingress.consul`];
  service.origin.loss(
    service.fields.path,
    `it is for ${name}.ingress and whatever comes after it there, and for ${own[0]} here: name its hosts`,
  );
  return own;
}

/** Edits of the gateway, then those of the rule: where both set a field, the rule's stays. */
function bothEdits(gateway: Written, rule: Written): Written {
  const sides = ["requestHeaders", "responseHeaders"].map((side): [string, Written | undefined] => {
    const [one, other] = [gateway[side], rule[side]] as [Edits | undefined, Edits | undefined];
    if (one === undefined || other === undefined) return [side, one ?? other];
    const remove = [...(one.remove ?? []), ...(other.remove ?? [])];
    return [
      side,
      saying({
        set: saying({ ...one.set, ...other.set }),
        add: saying({ ...one.add, ...other.add }),
        remove: remove.length === 0 ? undefined : remove,
      }),
    ];
  });
  return saying(Object.fromEntries(sides)) ?? {};
}

type Edits = {
  readonly set?: Written;
  readonly add?: Written;
  readonly remove?: readonly string[];
};

function readApiGateway(
  { origin, name, fields }: ConsulEntry,
  { gateways }: GatewayPlace,
  files: ReadonlyMap<string, CertificateFiles>,
): void {
  const listeners = fields.list("Listeners").map((listener, at): Written => {
    for (const field of ["Default", "Override"])
      listener.refuse(field, "tokens are looked at by the policy jwt here: without it more may pass");
    const tls = listener.inner("TLS");
    const certificates = tls.list("Certificates").map((reference) => {
      reference.ignore("Kind", "Namespace");
      const found = files.get(serviceKey(nameOf(reference.text("Name") ?? "", name.namespace)));
      if (found === undefined) reference.refuse("Name", "no document declares this certificate");
      return found ?? {};
    });
    const isTcp = listener.text("Protocol") === "tcp";
    if (isTcp && certificates.length > 0)
      listener.refuse("TLS", "TLS that a gateway opens for connections has no listener here: declare http");
    tls.loss("CipherSuites", "suites are not chosen one by one");
    tls.loss("MaxVersion", "the newest version that both speak is used");
    const oldest = tls.text("MinVersion") ?? "TLS_AUTO";
    if (/1_[01]$/.test(oldest)) tls.loss("MinVersion", "1.2 is the oldest here");
    const isOpened = certificates.length > 0 && !isTcp;
    const hostname = listener.text("Hostname")?.toLowerCase() ?? "";
    return {
      name: labelOf(listener.text("Name") ?? `listener-${at}`),
      ...saying({
        port: listener.number("Port"),
        protocol: isTcp ? "tcp" : isOpened ? "https" : "http",
        hostname: isTcp || hostname === "" || hostname === "*" ? undefined : hostname,
        certificates: isOpened ? certificates : undefined,
        minVersion: isOpened && !oldest.endsWith("1_3") ? "1.2" : undefined,
      }),
    };
  });
  gateways.declare(name, listeners, origin);
}
