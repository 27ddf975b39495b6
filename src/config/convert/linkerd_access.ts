/** Servers, what they are authorized for, and who that is, put together into one Access for each service. */
import { serviceKey, type ServiceName } from "../../model/service.ts";
import { kinds } from "../kinds.ts";
import { metadataOf, routeKind, type Selections } from "./kubernetes.ts";
import type { Fields, Origin } from "./origin.ts";
import { saying, type Target, type Written } from "./target.ts";

interface Server {
  readonly origin: Origin;
  readonly services: readonly ServiceName[];
  readonly namespace: string;
  readonly name: string;
  readonly audits: boolean;
  /** Who may call whatever is authorized; null: nobody. */
  readonly byDefault: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** Number or name, of a container. */
  readonly port: string;
}

/** Requests of a server that are authorized by themselves. */
interface Route {
  readonly server: string;
  readonly operations: readonly Written[];
}

interface Draft {
  readonly service: ServiceName;
  readonly allow: Written[];
  readonly origins: Origin[];
  audits: boolean;
}

export class LinkerdAccess {
  readonly #servers = new Map<string, Server>();
  readonly #routes = new Map<string, Route>();
  readonly #callers = new Map<string, readonly string[]>();
  readonly #drafts = new Map<string, Draft>();

  constructor(
    readonly target: Target,
    readonly selections: Selections,
    readonly trustDomain: string,
  ) {}

  /** Services of a server; none where it is not known. */
  servicesOf(namespace: string, name: string): readonly ServiceName[] {
    return this.#servers.get(`${namespace}/${name}`)?.services ?? [];
  }

  addServer(origin: Origin): void {
    const root = origin.root();
    const labels = ((root.value["metadata"] ?? {}) as { labels?: Record<string, string> }).labels ?? {};
    const { name, namespace, annotations } = metadataOf(root);
    annotations.ignore(...annotations.names);
    const spec = root.inner("spec");
    spec.refuse("externalWorkloadSelector", "a machine says itself what runs on it: heddle join");
    const selector = spec.inner("podSelector");
    selector.refuse("matchExpressions", "documents here are for whole services");
    const selected = selector.texts("matchLabels");
    const about =
      Object.keys(selected).length === 0
        ? this.selections.of(namespace)
        : (this.selections.find(selected, namespace, selector) ?? []);
    if (about.length === 0 && origin.outcome !== "refused")
      origin.refuse(["spec", "podSelector"], "these documents have no Service that it is about");
    const port = spec.raw("port");
    const services = about.filter((each) => !this.#isElsewhere(each, port, origin));
    const protocol = protocols[spec.text("proxyProtocol") ?? "unknown"];
    for (const service of services) {
      const draft = this.target.service(service, origin);
      draft.protocol ??= protocol ?? null;
      if (typeof port === "number") draft.port ??= port;
    }
    if (typeof port === "string") spec.note("port", `a service has one port here: ${port} is taken for it`);
    const policy = spec.text("accessPolicy") ?? "deny";
    const byDefault = defaults[policy] ?? null;
    if (policy.startsWith("cluster-"))
      spec.loss("accessPolicy", "addresses of a cluster are not looked at: all of the mesh may call");
    const server = {
      origin,
      services,
      namespace,
      name,
      audits: policy === "audit",
      byDefault,
      labels,
      port: String(port),
    };
    this.#servers.set(`${namespace}/${name}`, server);
  }

  /** false: it is for callers, as those of the Gateway API are. */
  addRoute(origin: Origin): boolean {
    const { spec } = (origin.source.value ?? {}) as { spec?: { parentRefs?: readonly { kind?: string }[] } };
    if (spec?.parentRefs?.some(({ kind }) => kind === "Server") !== true) return false;
    const root = origin.root();
    const { name, namespace, annotations } = metadataOf(root);
    annotations.ignore(...annotations.names);
    const own = root.inner("spec");
    const [parent, ...others] = own.list("parentRefs");
    for (const each of others) each.origin.refuse(each.path, "write a route for each server");
    parent?.ignore("group", "kind");
    if (own.words("hostnames").length > 0) own.refuse("hostnames", "no access rule here asks for this");
    const operations = own.list("rules").flatMap((rule) => {
      rule.refuse("filters", "what changes requests is said by a route of the service here");
      const matches = rule.list("matches");
      return matches.length === 0 ? [{}] : matches.map(operationOf);
    });
    const server = `${parent?.text("namespace") ?? namespace}/${parent?.text("name") ?? ""}`;
    this.#routes.set(`${namespace}/${name}`, { server, operations });
    return true;
  }

  addIdentities(origin: Origin): void {
    const root = origin.root();
    const { name, namespace, annotations } = metadataOf(root);
    annotations.ignore(...annotations.names);
    const spec = root.inner("spec");
    const named = spec.words("identities").map((text) => this.#callerNamed(text, spec, "identities"));
    const referred = spec.list("identityRefs").map((each) => {
      each.ignore("group");
      const kind = each.text("kind");
      const own = each.text("name") ?? "";
      const around = each.text("namespace") ?? namespace;
      if (kind === "Namespace") return this.#id(own === "" ? around : own, "*");
      return this.#id(around, own === "" ? "*" : own);
    });
    const callers = [...named, ...referred].filter((each) => each !== null);
    this.#callers.set(`MeshTLSAuthentication/${namespace}/${name}`, callers);
  }

  addNetworks(origin: Origin): void {
    const root = origin.root();
    const { name, namespace, annotations } = metadataOf(root);
    annotations.ignore(...annotations.names);
    const networks = root.inner("spec").list("networks");
    const ranges = networks.map((each) => each.text("cidr"));
    const isAll = ranges.includes("0.0.0.0/0") || ranges.includes("::/0");
    for (const each of networks)
      each.refuse("except", "callers are known by their identity here, not by address");
    if (!isAll)
      origin.refuse(["spec", "networks"], "callers are known by their identity here, not by address");
    this.#callers.set(`NetworkAuthentication/${namespace}/${name}`, ["any"]);
  }

  authorize(origin: Origin): void {
    const root = origin.root();
    const { namespace, annotations } = metadataOf(root);
    annotations.ignore(...annotations.names);
    const spec = root.inner("spec");
    const about = spec.inner("targetRef");
    about.ignore("group", "namespace");
    const kind = about.text("kind");
    const name = about.text("name") ?? "";
    const lists = spec.list("requiredAuthenticationRefs").map((each) => this.#callersAt(each, namespace));
    if (lists.includes(null)) return;
    // All of them are required: who has an identity is what any network adds nothing to.
    const known = lists.filter((each) => each !== null).filter((each) => !each.includes("any"));
    if (known.length > 1)
      return spec.refuse(
        "requiredAuthenticationRefs",
        "a caller has to be of all lists there: name those that are",
      );
    const callers = known[0] ?? ["any"];
    const route = kind === routeKind ? this.#routes.get(`${namespace}/${name}`) : undefined;
    if (kind === routeKind && route === undefined)
      return about.refuse("name", `these documents have no HTTPRoute ${name} of a server`);
    const servers =
      kind === "Namespace"
        ? [...this.#servers.values()].filter((each) => each.namespace === name)
        : [this.#servers.get(route === undefined ? `${namespace}/${name}` : route.server)];
    const found = servers.filter((each) => each !== undefined);
    if (found.length === 0)
      return about.refuse("name", `these documents have no Server that ${kind ?? "it"} ${name} is about`);
    for (const server of found) this.#allow(server, callers, route?.operations ?? [{}], origin);
  }

  /** The older form: server and client in one document. */
  authorizeServer(origin: Origin): void {
    const root = origin.root();
    const { namespace, annotations } = metadataOf(root);
    annotations.ignore(...annotations.names);
    const spec = root.inner("spec");
    const server = spec.inner("server");
    const wanted = server.inner("selector").texts("matchLabels");
    const name = server.text("name");
    const servers = [...this.#servers.values()].filter(
      (each) =>
        each.namespace === namespace &&
        (name === undefined
          ? Object.entries(wanted).every(([label, value]) => each.labels[label] === value)
          : each.name === name),
    );
    if (servers.length === 0)
      return origin.refuse(["spec", "server"], "these documents have no Server that it is about");
    const client = spec.inner("client");
    const tls = client.inner("meshTLS");
    client.refuse("networks", "callers are known by their identity here, not by address");
    const callers: string[] = client.flag("unauthenticated") === true ? ["any"] : [];
    if (tls.flag("unauthenticatedTLS") === true) callers.push("any");
    for (const text of tls.words("identities")) {
      const caller = this.#callerNamed(text, tls, "identities");
      if (caller !== null) callers.push(caller);
    }
    for (const each of tls.list("serviceAccounts"))
      callers.push(this.#id(each.text("namespace") ?? namespace, each.text("name") ?? "*"));
    for (const each of servers) this.#allow(each, callers, [{}], origin);
  }

  /** One document for each service of a server. */
  finish(): void {
    for (const server of this.#servers.values()) {
      if (server.origin.outcome === "refused" || server.byDefault === "any") continue;
      for (const service of server.services) {
        const draft = this.#draft(service);
        draft.origins.push(server.origin);
        draft.audits ||= server.audits;
        if (server.byDefault !== null) draft.allow.push({ from: server.byDefault });
      }
    }
    for (const { service, allow, audits, origins } of this.#drafts.values()) {
      const isOfOnePort = this.#isOfOnePort(service);
      const own = isOfOnePort
        ? { service: service.name, ...(audits ? { mode: "audit" } : {}), allow }
        : { service: service.name, allow: [] };
      const [first, ...others] = origins;
      if (first !== undefined) this.target.add(kinds.Access.name, service, own, first, others);
    }
  }

  /** That server is for another port than the one that the service has here. */
  #isElsewhere(service: ServiceName, port: unknown, origin: Origin): boolean {
    const own = this.selections.portOf(service);
    if (own === null || typeof port !== "number" || own === port) return false;
    const key = serviceKey(service);
    origin.loss(
      ["spec", "port"],
      `a service has one port here: what holds for ${port} of ${key} is left out`,
    );
    return true;
  }

  /** Who may call one port may not call another: where nobody knows which of them the service has, nobody may. */
  #isOfOnePort(service: ServiceName): boolean {
    const key = serviceKey(service);
    const servers = [...this.#servers.values()].filter((server) =>
      server.services.some((each) => serviceKey(each) === key),
    );
    if (new Set(servers.map(({ port }) => port)).size < 2) return true;
    for (const { origin } of servers)
      origin.loss(
        ["spec", "port"],
        `${key} has servers for several ports, and a service has one port here: nobody may call it until its Access says who`,
      );
    return false;
  }

  #allow(server: Server, callers: readonly string[], operations: readonly Written[], origin: Origin): void {
    for (const service of server.services) {
      const draft = this.#draft(service);
      draft.origins.push(origin);
      for (const from of callers)
        for (const operation of operations) draft.allow.push({ from, ...operation });
    }
    if (server.byDefault === "any")
      origin.loss([], "its server lets everybody in, so it says nothing there and here");
  }

  #draft(service: ServiceName): Draft {
    const key = serviceKey(service);
    const draft = this.#drafts.get(key) ?? { service, allow: [], origins: [], audits: false };
    this.#drafts.set(key, draft);
    return draft;
  }

  /** null: it was refused. */
  #callersAt(reference: Fields, around: string): readonly string[] | null {
    reference.ignore("group");
    const kind = reference.text("kind") ?? "";
    const name = reference.text("name") ?? "";
    const namespace = reference.text("namespace") ?? around;
    if (kind === "ServiceAccount") return [this.#id(namespace, name)];
    const known = this.#callers.get(`${kind}/${namespace}/${name}`);
    if (known === undefined) reference.refuse("name", `these documents have no ${kind} ${name}`);
    return known ?? null;
  }

  #callerNamed(text: string, fields: Fields, field: string): string | null {
    if (text === "*") return "any-mesh";
    if (text.startsWith("spiffe://") && !text.replace(/\/\*$/, "").includes("*")) return text;
    const parts = /^([a-z0-9-]+|\*)\.([a-z0-9-]+)\.serviceaccount\.identity\./.exec(text);
    if (parts !== null) return this.#id(parts[2] ?? "", parts[1] ?? "");
    fields.refuse(field, `${text}: an identity here is a SPIFFE ID, or all of a namespace`);
    return null;
  }

  #id(namespace: string, account: string): string {
    return `spiffe://${this.trustDomain}/ns/${namespace}/sa/${account}`;
  }
}

const protocols: Readonly<Record<string, string>> = {
  "HTTP/1": "http",
  "HTTP/2": "http2",
  gRPC: "grpc",
  opaque: "tcp",
  TLS: "tls",
};

/** Of `accessPolicy`; what is not here lets nobody in. */
const defaults: Readonly<Record<string, string>> = {
  "all-unauthenticated": "any",
  "all-authenticated": "any-mesh",
  "cluster-unauthenticated": "any",
  "cluster-authenticated": "any-mesh",
};

function operationOf(match: Fields): Written {
  for (const field of ["headers", "queryParams"]) match.refuse(field, "no access rule here asks for this");
  const path = match.inner("path");
  const type = path.text("type") ?? "PathPrefix";
  const value = path.text("value") ?? "/";
  if (type === "RegularExpression") path.refuse("type", "paths of access rules are exact, or end in /*");
  const method = match.text("method");
  const paths =
    value === "/" && type === "PathPrefix"
      ? undefined
      : type === "Exact"
        ? [value]
        : [value, `${value.replace(/\/$/, "")}/*`];
  return saying({ methods: method === undefined ? undefined : [method], paths }) ?? {};
}
