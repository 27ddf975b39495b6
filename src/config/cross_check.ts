/** What only the whole set can tell: names that lead nowhere, HTTP rules on services that are not HTTP, rules that never match. */
import type {
  AccessDocument,
  Backend,
  Document,
  HttpRouteDocument,
  PolicyUse,
  ServiceDocument,
  TlsRouteDocument,
} from "../model/document.ts";
import { limits } from "../model/limits.ts";
import { serviceKey, takesRequests, type ServiceName } from "../model/service.ts";
import { resolveService } from "./expand.ts";
import { suggestion, type Issue } from "./issue.ts";
import { issueAt } from "./read_document.ts";
import type { Path, YamlDocument } from "./yaml_file.ts";

export interface LoadContext {
  /** Names of the policies that exist; null: not known here, anything goes. */
  readonly policies: readonly string[] | null;
}

export interface Loaded {
  readonly document: Document;
  readonly source: YamlDocument;
}

export interface CrossCheckOptions extends LoadContext {
  /** Keys of services whose document has problems of its own; null: any service may be meant, some text is no YAML. */
  readonly unreadable: ReadonlySet<string> | null;
}

export function crossCheck(loaded: readonly Loaded[], context: CrossCheckOptions, issues: Issue[]): void {
  const services = new Map<string, ServiceDocument>();
  for (const { document } of loaded) {
    if (document.kind !== "Service") continue;
    const key = serviceKey(document);
    if (!services.has(key)) services.set(key, document);
  }
  for (const each of loaded) {
    if (issues.length > limits.documentIssuesMax) return;
    new CrossCheck(each.source, services, context, issues).check(each.document);
  }
  checkOverlaps(loaded, issues);
  checkHostnames(loaded, issues);
}

/** What a service must speak to stand where it stands. */
interface Fit {
  readonly what: string;
  readonly needs: string;
  readonly fits: (service: ServiceDocument) => boolean;
}

/** Requests, and not only when a connection happens to show them. */
function declaresRequests({ protocol }: ServiceDocument): boolean {
  return protocol !== "detect" && takesRequests(protocol);
}

function protocolText({ protocol }: ServiceDocument): string {
  return protocol === "detect" ? "none declared" : protocol;
}

const requests = { needs: "protocol http, http2 or grpc", fits: declaresRequests };
const handshakes = {
  needs: "protocol tls",
  fits: ({ protocol }: ServiceDocument): boolean => protocol === "tls",
};
const asRoute: Fit = { what: "a route", ...requests };
const asRouteBackend: Fit = { what: "a backend of a route", ...requests };
const asTlsRoute: Fit = { what: "a TLS route", ...handshakes };
const asTlsBackend: Fit = { what: "a backend of a TLS route", ...handshakes };

class CrossCheck {
  constructor(
    readonly source: YamlDocument,
    readonly services: ReadonlyMap<string, ServiceDocument>,
    readonly context: CrossCheckOptions,
    readonly issues: Issue[],
  ) {}

  check(document: Document): void {
    if (document.kind === "Service") this.#checkService(document);
    else if (document.kind === "HTTPRoute") this.#checkRoute(document);
    else if (document.kind === "TLSRoute") this.#checkTlsRoute(document);
    else this.#checkAccess(document);
  }

  #report(path: Path, message: string, key = false): void {
    this.issues.push(issueAt(this.source, path, message, { key }));
  }

  #checkService(service: ServiceDocument): void {
    this.#checkPolicies(service.policies, []);
    if (!declaresRequests(service) && service.policies.length > 0)
      this.#report(
        ["policies"],
        `policies see requests: declare protocol http, http2 or grpc, not ${protocolText(service)}`,
      );
  }

  #checkPolicies(uses: readonly PolicyUse[], path: Path): void {
    const known = this.context.policies;
    if (known === null) return;
    const all = known.length === 0 ? "; no policy is known" : `; known are ${known.join(", ")}`;
    uses.forEach(({ use }, at) => {
      if (known.includes(use)) return;
      this.#report(
        [...path, "policies", at, "use"],
        `there is no policy "${use}"${suggestion(use, known, all)}`,
      );
    });
  }

  #checkRoute(route: HttpRouteDocument): void {
    const service = this.#findFit(route.service, ["service"], asRoute);
    this.#checkNamespace(route);
    route.rules.forEach((rule, at) => {
      for (const { path } of rule.matches)
        if (path.type !== "RegularExpression") this.#checkSlashes(service, path.value, ["rules", at]);
      this.#checkPolicies(rule.policies, ["rules", at]);
      this.#checkBackends(rule.backends, ["rules", at], asRouteBackend);
    });
  }

  /** Requests of this service never have such a path. */
  #checkSlashes(service: ServiceDocument | null, value: string, path: Path): void {
    if (service === null || service.escapedSlashes === "keep" || !/%2f/i.test(value)) return;
    const { escapedSlashes } = service;
    const message = `this never matches: ${value} has an escaped slash, and ${serviceKey(service)} has escapedSlashes ${escapedSlashes}`;
    this.issues.push(issueAt(this.source, path, message, { severity: "warning" }));
  }

  #checkTlsRoute(route: TlsRouteDocument): void {
    this.#findFit(route.service, ["service"], asTlsRoute);
    this.#checkNamespace(route);
    this.#checkBackends(route.backends, [], asTlsBackend);
  }

  #checkNamespace({ namespace, service }: HttpRouteDocument | TlsRouteDocument): void {
    if (namespace === service.namespace) return;
    const message = `this version has no routes across namespaces: ${serviceKey(service)} is not in ${namespace}`;
    this.#report(["service"], message);
  }

  #checkBackends(backends: readonly Backend[], around: Path, fit: Fit): void {
    backends.forEach((backend, index) => {
      const { path, key } = this.#backendPlace(around, index);
      const service = this.#findFit(backend.service, path, fit, key);
      const { subset } = backend;
      if (service === null || subset === null || Object.hasOwn(service.subsets, subset)) return;
      const known = Object.keys(service.subsets);
      const all = known.length === 0 ? "; it has none" : `; it has ${known.join(", ")}`;
      const message = `the Service ${serviceKey(service)} has no subset "${subset}"${suggestion(subset, known, all)}`;
      this.#report(path, message, key);
    });
  }

  /** Where a backend was written: an entry of `backends` or a key of `split`. */
  #backendPlace(around: Path, index: number): { readonly path: Path; readonly key: boolean } {
    const written = around.reduce<unknown>(
      (value, step) => (value as Record<string | number, unknown>)[step],
      this.source.value,
    ) as { split?: object };
    const target = Object.keys(written.split ?? {})[index];
    if (target === undefined) return { path: [...around, "backends", index, "service"], key: false };
    return { path: [...around, "split", target], key: true };
  }

  #find(service: ServiceName, path: Path, key: boolean, advice = ""): ServiceDocument | null {
    const wanted = serviceKey(service);
    const found = this.services.get(wanted);
    if (found !== undefined) return found;
    const { unreadable } = this.context;
    if (unreadable === null || unreadable.has(wanted)) return null;
    const near = suggestion(wanted, [...this.services.keys()]);
    this.#report(path, `there is no Service ${wanted}${near}${advice}`, key);
    return null;
  }

  #findFit(service: ServiceName, path: Path, fit: Fit, key = false): ServiceDocument | null {
    const found = this.#find(service, path, key);
    if (found === null || fit.fits(found)) return found;
    const has = `${serviceKey(found)} has ${protocolText(found)}`;
    this.#report(path, `${fit.what} needs ${fit.needs}, but ${has}`, key);
    return found;
  }

  #checkAccess(access: AccessDocument): void {
    const service = this.#find(access.service, ["service"], false);
    for (const list of ["deny", "allow"] as const) {
      access[list].forEach((rule, at) => {
        for (const field of ["methods", "paths"] as const) {
          if (service === null || declaresRequests(service) || rule[field].length === 0) continue;
          const message = `${field} need protocol http, http2 or grpc, but ${serviceKey(service)} has ${protocolText(service)}`;
          this.#report([list, at, field], message, true);
        }
        rule.paths.forEach((path, index) => this.#checkSlashes(service, path, [list, at, "paths", index]));
        const { from } = rule;
        if (from === "any" || from === "any-mesh" || from.startsWith("spiffe://")) return;
        const caller = resolveService(from, access.namespace);
        this.#find(caller, [list, at, "from"], false, " (declare it, or write its SPIFFE ID)");
      });
    }
  }
}

interface RulePlace {
  readonly route: HttpRouteDocument;
  readonly source: YamlDocument;
  readonly rule: number;
}

/** Two rules for the same requests: only the first in order of precedence is ever used. */
function checkOverlaps(loaded: readonly Loaded[], issues: Issue[]): void {
  const places = loaded.flatMap(({ document, source }) =>
    document.kind === "HTTPRoute"
      ? document.rules.map((_, rule): RulePlace => ({ route: document, source, rule }))
      : [],
  );
  const first = new Map<string, RulePlace>();
  for (const place of places.sort(byPrecedence)) {
    const rule = place.route.rules[place.rule];
    for (const match of rule?.matches ?? []) {
      const headers = [...match.headers].sort((a, b) => (a.name < b.name ? -1 : 1));
      const key = JSON.stringify([serviceKey(place.route.service), match.path, match.method, headers]);
      const before = first.get(key);
      if (before === undefined) {
        first.set(key, place);
        continue;
      }
      if (issues.length > limits.documentIssuesMax) return;
      const { line } = before.source.place(["rules", before.rule]);
      const message = `this never gets a request: HTTPRoute ${before.route.name} at ${before.source.file}:${line} matches the same and comes first`;
      issues.push(issueAt(place.source, ["rules", place.rule], message, { severity: "warning" }));
      break;
    }
  }
}

function byPrecedence(a: RulePlace, b: RulePlace): number {
  const nameOf = ({ route }: RulePlace): string => `${route.namespace}/${route.name}`;
  return (
    a.route.order - b.route.order ||
    (nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : 0) ||
    a.rule - b.rule
  );
}

/** A hostname that two TLS routes of one service name: only the first by name is ever used. */
function checkHostnames(loaded: readonly Loaded[], issues: Issue[]): void {
  const first = new Map<string, string>();
  const routes = loaded.flatMap(({ document, source }) =>
    document.kind === "TLSRoute" ? [{ document, source }] : [],
  );
  routes.sort((a, b) => (tlsRouteName(a.document) < tlsRouteName(b.document) ? -1 : 1));
  for (const { document, source } of routes) {
    document.hostnames.forEach((hostname, at) => {
      const key = `${serviceKey(document.service)} ${hostname}`;
      const before = first.get(key);
      if (before === undefined) return void first.set(key, document.name);
      if (issues.length > limits.documentIssuesMax) return;
      const message = `this never gets a connection: TLSRoute ${before} names ${hostname} too and comes first`;
      issues.push(issueAt(source, ["hostnames", at], message, { severity: "warning" }));
    });
  }
}

function tlsRouteName({ namespace, name }: TlsRouteDocument): string {
  return `${namespace}/${name}`;
}
