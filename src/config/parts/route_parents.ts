/** What a route belongs to: services of the mesh and gateways, maybe one listener of these. */
import * as v from "valibot";
import type { GatewayProtocol } from "../../model/gateway.ts";
import { refusalOf, refusals } from "../../model/gateway_routes.ts";
import { perParent, type Parented, type RouteParent } from "../../model/route_parents.ts";
import { serviceKey } from "../../model/service.ts";
import type { Fit } from "../document_set.ts";
import { list, name, object, port, resolveService, said, serviceName } from "../fields.ts";
import type { Report } from "../issue_at.ts";
import type { Neighbourhood } from "../kind.ts";
import type { Path, YamlDocument } from "../yaml_file.ts";

const parent = object({
  service: v.optional(said(serviceName, "Service whose calls it directs")),
  gateway: v.optional(said(serviceName, "Gateway whose requests or connections it directs")),
  listener: v.optional(said(name, "Of the gateway: one listener (default: all that it fits)")),
  port: v.optional(
    said(port, "Only while that is the port of the service, or of a listener of the gateway (default: any)"),
  ),
});

/** `service`: what that is for, in words. */
export function parentFields(service: string) {
  return {
    service: v.optional(said(serviceName, `${service}; this, gateway or parents must be there`)),
    gateway: v.optional(
      said(
        serviceName,
        "Gateway whose requests or connections it directs, if its listeners take routes of this namespace",
      ),
    ),
    listener: v.optional(said(name, "Of the gateway: one listener (default: all that it fits)")),
    parents: v.optional(
      said(list(parent, 32, 1), "Several of them, each a service or a gateway, in place of the fields above"),
    ),
  };
}

type WrittenParent = v.InferOutput<typeof parent>;

export interface WrittenParents extends Omit<WrittenParent, "port"> {
  readonly parents?: readonly WrittenParent[] | undefined;
}

export function expandParents(
  { parents, ...own }: WrittenParents,
  namespace: string,
): Omit<Parented, "namespace"> {
  const [first = {}, ...more] = parents ?? [own];
  return {
    ...expandParent(first, namespace),
    ...(more.length === 0 ? {} : { parents: more.map((each) => expandParent(each, namespace)) }),
  };
}

function expandParent(
  { service = "", gateway, listener, port }: WrittenParent,
  namespace: string,
): RouteParent {
  const at = port === undefined ? {} : { port };
  return gateway === undefined
    ? { service: resolveService(service, namespace), ...at }
    : { service: resolveService(gateway, namespace), gateway: { listener: listener ?? null, ...at } };
}

export function checkParents({ parents, ...own }: WrittenParents, report: Report): void {
  if (parents === undefined) return checkParent(own, [], report);
  for (const field of ["service", "gateway", "listener"] as const)
    if (own[field] !== undefined) report([field], `${field} and parents exclude each other`, { key: true });
  parents.forEach((each, at) => checkParent(each, ["parents", at], report));
}

function checkParent({ service, gateway, listener }: WrittenParent, path: Path, report: Report): void {
  if (service === undefined && gateway === undefined)
    report(
      [...path, "service"],
      "this field is missing, expected a service such as orders or orders.prod, or gateway",
    );
  if (service !== undefined && gateway !== undefined)
    report([...path, "gateway"], "service and gateway exclude each other", { key: true });
  if (listener !== undefined && gateway === undefined)
    report([...path, "listener"], "this is for a gateway, and the route is one of a service", { key: true });
}

export function isOfGateway({ gateway, parents = [] }: WrittenParents): boolean {
  return [{ gateway }, ...parents].some((each) => each.gateway !== undefined);
}

/** A route with one of its parents, and where that was written. */
interface PlacedParent<Route extends Parented> {
  readonly route: Route;
  readonly path: Path;
}

function parentsOf<Route extends Parented>(
  route: Route,
  { value }: YamlDocument,
): readonly PlacedParent<Route>[] {
  const listed = (value as { readonly parents?: unknown }).parents !== undefined;
  return perParent(route).map((each, at) => ({ route: each, path: listed ? ["parents", at] : [] }));
}

/** What a route must find at its parents. */
export interface ParentFit {
  readonly service: Fit;
  /** Of listeners that such a route can be for. */
  readonly protocols: readonly GatewayProtocol[];
  /** It stands beside the services whose calls it directs. Absent: anywhere. */
  readonly beside?: true;
}

/** Each must be there, and be of a kind that such a route is for. */
export function checkParentsFit<Route extends Parented>(
  route: Route,
  fit: ParentFit,
  around: Neighbourhood,
): void {
  const all = parentsOf(route, around.source);
  const attached = all.map((each) =>
    each.route.gateway === undefined ? fitsService(each, fit, around) : fitsGateway(each, fit, around),
  );
  const seen = new Set<string>();
  for (const { route: each, path } of all) {
    const key = JSON.stringify([serviceKey(each.service), each.gateway, each.port]);
    if (seen.has(key)) around.report(path, "this parent stands here twice");
    seen.add(key);
  }
  if (attached.some((each) => each)) return;
  const message = "this route gets nothing: none of its parents takes it, for the reasons at each of them";
  if (all.length > 1) around.report(["parents"], message, { key: true, code: "HED0117" });
}

function fitsService<Route extends Parented>(
  { route, path }: PlacedParent<Route>,
  { service: fit, beside }: ParentFit,
  { set, report }: Neighbourhood,
): boolean {
  const { service, namespace, port } = route;
  // That it names none was told.
  if (service.name === "") return false;
  const found = set.findFit(service, fit, { path: [...path, "service"] }, report);
  if (beside === true && namespace !== service.namespace)
    report(
      [...path, "service"],
      `this version has no such routes across namespaces: ${serviceKey(service)} is not in ${namespace}`,
    );
  if (found === null || port === undefined || found.port === port) return true;
  const message = `this route gets nothing from ${serviceKey(service)}, which has port ${found.port}`;
  report([...path, "port"], message, { code: "HED0117" });
  return false;
}

function fitsGateway<Route extends Parented>(
  { route, path }: PlacedParent<Route>,
  { protocols }: ParentFit,
  { set, report: told }: Neighbourhood,
): boolean {
  const report: Report = (own, ...issue) => told([...path, ...own], ...issue);
  const { listener = null, port } = route.gateway ?? {};
  const listeners = set.findGateway(route.service, listener, report)?.listeners;
  if (listeners === undefined) return true;
  // The one that it comes nearest to is the one to speak of.
  const found = listeners.map((each) => refusals.indexOf(refusalOf(each, route, protocols)));
  const refusal = refusals[Math.max(...found)] ?? null;
  if (refusal === null) return true;
  const code = "HED0117";
  // That there is none of that name was told.
  if (refusal === "port") report(["port"], `no listener that it names has port ${port}`, { code });
  if (refusal === "protocol")
    report(["gateway"], `no listener that it names has protocol ${protocols.join(" or ")}`);
  if (refusal === "service")
    report(["gateway"], "the listener that it names leads to a service of its own", { code });
  if (refusal === "namespace")
    report(["gateway"], `no listener that it names takes routes of the namespace ${route.namespace}`, {
      code,
    });
  if (refusal === "hostname")
    told(["hostnames"], "no listener that it names is for any of these hosts", { code, key: true });
  return refusal === "name";
}
