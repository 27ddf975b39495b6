/**
 * Routes of the Gateway API as they are published (`gateway.networking.k8s.io`), read as the HTTPRoute, TLSRoute or TCPRoute that says
 * the same here. What has no meaning here is a warning, what heddle cannot do an error; nothing is passed over.
 */
import { isServiceName } from "../fields.ts";
import type { Issue } from "../issue.ts";
import type { Path, YamlDocument } from "../yaml_file.ts";
import { FlatDocument } from "./flat_document.ts";
import { putFilters } from "./gateway_filters.ts";
import { fieldsOf, listOf, refuseOthers, type Fields } from "./gateway_fields.ts";

const kindHere: Readonly<Record<string, "HTTPRoute" | "TLSRoute" | "TCPRoute">> = {
  HTTPRoute: "HTTPRoute",
  GRPCRoute: "HTTPRoute",
  TLSRoute: "TLSRoute",
  TCPRoute: "TCPRoute",
};
const gatewayReference = { kind: "Gateway", group: "gateway.networking.k8s.io" };

/** What references may lead to, by kind, with its group. */
const groups: Readonly<Record<string, string>> = { Service: "" };

/** null: it was told why it cannot be read. */
export function readGatewayRoute(source: YamlDocument, issues: Issue[]): YamlDocument | null {
  const before = issues.filter(({ severity }) => severity === "error").length;
  const flat = new FlatDocument(source, issues);
  const value = source.value as Fields;
  const kind = String(value["kind"]);
  const here = kindHere[kind];
  if (here === undefined) {
    const known = [gatewayReference.kind, ...Object.keys(kindHere)].join(", ");
    flat.wrong(["kind"], `of the Gateway API this version reads ${known}, not ${kind}`);
    return null;
  }
  flat.put(["kind"], ["kind"], here);
  const metadata = fieldsOf(flat, value["metadata"], ["metadata"]);
  new RouteReader(flat, kind, namespaceOf(metadata)).read(value, metadata);
  const errors = issues.filter(({ severity }) => severity === "error").length;
  return errors > before ? null : flat.document;
}

function namespaceOf({ namespace }: Fields): string {
  return typeof namespace === "string" ? namespace : "default";
}

class RouteReader {
  #ofGateway = false;

  constructor(
    readonly flat: FlatDocument,
    readonly kind: string,
    readonly namespace: string,
  ) {}

  read(value: Fields, metadata: Fields): void {
    const { flat, kind } = this;
    refuseOthers(flat, value, [], ["apiVersion", "kind", "metadata", "spec", "status"]);
    flat.put(["name"], ["metadata", "name"], metadata["name"]);
    flat.put(["namespace"], ["metadata", "namespace"], metadata["namespace"]);
    flat.put(["grantedAs"], ["kind"], kind);
    const spec = fieldsOf(flat, value["spec"], ["spec"]);
    const named = kind === "TCPRoute" ? [] : ["hostnames"];
    refuseOthers(flat, spec, ["spec"], ["parentRefs", ...named, "rules"]);
    this.#parents(spec);
    this.#hostnames(spec);
    const rules = listOf(flat, spec["rules"], ["spec", "rules"]);
    const ruleAt = (at: number): Fields => fieldsOf(flat, rules[at], ["spec", "rules", at]);
    if (kind === "TLSRoute" || kind === "TCPRoute") {
      if (rules.length > 1) flat.wrong(["spec", "rules"], `a ${kind} has one rule`);
      this.#backends(ruleAt(0), ["spec", "rules", 0], []);
      return;
    }
    if (rules.length === 0) flat.put(["rules"], ["spec"], [{}]);
    rules.forEach((_, at) => this.#rule(ruleAt(at), ["spec", "rules", at], ["rules", at]));
  }

  #parents(spec: Fields): void {
    const { flat } = this;
    const parents = listOf(flat, spec["parentRefs"], ["spec", "parentRefs"]);
    if (parents.length === 0)
      flat.wrong(["spec"], "parentRefs is missing: expected one of kind Service or Gateway");
    parents.forEach((_, at) => this.#parent(parents[at], ["spec", "parentRefs", at], ["parents", at]));
  }

  #parent(written: unknown, path: Path, to: Path): void {
    const { flat } = this;
    const parent = fieldsOf(flat, written, path);
    refuseOthers(flat, parent, path, ["group", "kind", "name", "namespace", "port", "sectionName"]);
    const { kind = gatewayReference.kind, group = gatewayReference.group } = parent;
    const isGateway = kind === gatewayReference.kind && group === gatewayReference.group;
    if (!isGateway && !isService(kind, group))
      return flat.wrong(path, 'expected a parent with kind: Service and group: "", or a Gateway');
    this.#ofGateway ||= isGateway;
    flat.put([...to, isGateway ? "gateway" : "service"], [...path, "name"], this.#serviceName(parent));
    flat.put([...to, "port"], [...path, "port"], parent["port"]);
    const section = [...path, "sectionName"];
    if (isGateway) flat.put([...to, "listener"], section, parent["sectionName"]);
    else if (parent["sectionName"] !== undefined)
      flat.unused(section, "this says nothing here: a service has one port");
  }

  /** A service in the form of heddle. */
  #serviceName(reference: Fields): string {
    const { name, namespace = this.namespace } = reference;
    return namespace === this.namespace ? String(name) : `${String(name)}.${String(namespace)}`;
  }

  /** The same of what a backend may be; null: it is none. */
  readonly #refer = (reference: Fields): string | null => {
    const { group = "", kind: what } = reference;
    const service = this.#serviceName(reference);
    return (what === undefined || isService(what, group)) && isServiceName(service) ? service : null;
  };

  #hostnames(spec: Fields): void {
    const hostnames = spec["hostnames"];
    const path: Path = ["spec", "hostnames"];
    if (this.kind === "TLSRoute" || this.#ofGateway) this.flat.put(["hostnames"], path, hostnames);
    else if (listOf(this.flat, hostnames, path).length > 0)
      this.flat.unused(
        path,
        "this says nothing where the parent is a Service: its calls are known by its address",
      );
  }

  #rule(rule: Fields, from: Path, to: Path): void {
    const { flat, kind } = this;
    const timed = kind === "HTTPRoute" ? ["timeouts", "retry"] : [];
    refuseOthers(flat, rule, from, [
      "name",
      "matches",
      "filters",
      "backendRefs",
      "sessionPersistence",
      ...timed,
    ]);
    flat.put(to, from, {});
    for (const name of ["name", "timeouts", "retry", "sessionPersistence"])
      flat.put([...to, name], [...from, name], rule[name]);
    listOf(flat, rule["matches"], [...from, "matches"]).forEach((match, at) => {
      const [own, here] = [
        [...from, "matches", at],
        [...to, "matches", at],
      ];
      flat.put(here, own, {});
      const written = fieldsOf(flat, match, own);
      if (kind === "GRPCRoute") this.#grpcMatch(written, own, here);
      else this.#httpMatch(written, own, here);
    });
    putFilters(flat, rule["filters"], [...from, "filters"], to, false, this.#refer);
    this.#backends(rule, from, to);
  }

  #httpMatch(match: Fields, from: Path, to: Path): void {
    const { flat } = this;
    refuseOthers(flat, match, from, ["path", "headers", "queryParams", "method"]);
    const path = fieldsOf(flat, match["path"], [...from, "path"]);
    if (match["path"] !== undefined) {
      const { type = "PathPrefix", value = "/" } = path;
      flat.put([...to, "path"], [...from, "path"], { ...path, type, value: wholly(type, value) });
    }
    flat.put([...to, "method"], [...from, "method"], match["method"]);
    this.#values(match["headers"], [...from, "headers"], [...to, "headers"]);
    this.#values(match["queryParams"], [...from, "queryParams"], [...to, "query"]);
  }

  #values(values: unknown, from: Path, to: Path): void {
    listOf(this.flat, values, from).forEach((each, at) => {
      const written = fieldsOf(this.flat, each, [...from, at]);
      this.flat.put([...to, at], [...from, at], {
        ...written,
        value: wholly(written["type"], written["value"]),
      });
    });
  }

  #grpcMatch(match: Fields, from: Path, to: Path): void {
    const { flat } = this;
    refuseOthers(flat, match, from, ["method", "headers"]);
    this.#values(match["headers"], [...from, "headers"], [...to, "headers"]);
    const path = [...from, "method"];
    const call = fieldsOf(flat, match["method"], path);
    const { type = "Exact", service, method } = call;
    refuseOthers(flat, call, path, ["type", "service", "method"]);
    if (service === undefined && method === undefined) return;
    if (type === "Exact") {
      flat.put([...to, "grpc", "service"], [...path, "service"], service);
      flat.put([...to, "grpc", "method"], [...path, "method"], method);
    } else if (type === "RegularExpression") {
      const [one, two] = [service, method].map((each) =>
        each === undefined ? "[^/]+" : `(?:${String(each)})`,
      );
      flat.put([...to, "path"], path, { type, value: `^/${one}/${two}$` });
    } else flat.wrong([...path, "type"], "expected Exact or RegularExpression");
  }

  #backends(rule: Fields, from: Path, to: Path): void {
    const { flat, kind } = this;
    const references = listOf(flat, rule["backendRefs"], [...from, "backendRefs"]);
    const answers = isRedirected(rule["filters"]);
    const opaque = kind === "TLSRoute" || kind === "TCPRoute";
    if (references.length === 0 && !opaque && !answers)
      flat.wrong(
        [...from, "backendRefs"],
        "a rule without backendRefs and without RequestRedirect would answer 500",
      );
    references.forEach((each, at) => {
      const [own, here] = [
        [...from, "backendRefs", at],
        [...to, "backends", at],
      ];
      const reference = fieldsOf(flat, each, own);
      refuseOthers(flat, reference, own, ["group", "kind", "name", "namespace", "port", "weight", "filters"]);
      const service = this.#refer(reference);
      if (service === null) return flat.wrong(own, "expected a backend of kind Service with a name");
      flat.put([...here, "port"], [...own, "port"], reference["port"]);
      flat.put([...here, "service"], [...own, "name"], service);
      flat.put([...here, "weight"], [...own, "weight"], reference["weight"]);
      putFilters(flat, reference["filters"], [...own, "filters"], here, true, this.#refer);
    });
  }
}

/** Whatever else is wrong with its filters was told. */
function isRedirected(filters: unknown): boolean {
  return (
    Array.isArray(filters) &&
    filters.some((each: Fields | null | undefined) => each?.["type"] === "RequestRedirect")
  );
}

function isService(kind: unknown, group: unknown): boolean {
  return typeof kind === "string" && Object.hasOwn(groups, kind) && groups[kind] === group;
}

/** Expressions of the Gateway API are for the whole value where meshes read them; here they are for a part of it. */
function wholly(type: unknown, value: unknown): unknown {
  return type === "RegularExpression" && typeof value === "string" ? `^(?:${value})$` : value;
}
