/** What only the whole set can tell: names that lead nowhere, routes on services that are not HTTP, rules that never match. */
import type {
  AccessDocument,
  AccessRule,
  Document,
  HttpRouteDocument,
  PolicyUse,
  ServiceDocument,
} from "../model/document.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import { nearest, type Issue } from "./issue.ts";
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

type Services = ReadonlyMap<string, ServiceDocument>;

export function crossCheck(loaded: readonly Loaded[], context: LoadContext, issues: Issue[]): void {
  const services = new Map<string, ServiceDocument>();
  for (const { document } of loaded)
    if (document.kind === "Service") services.set(serviceKey(document), document);
  for (const { document, source } of loaded) {
    const report = (path: Path, message: string, severity: Issue["severity"] = "error"): void =>
      void issues.push(issueAt(source, path, message, severity));
    if (document.kind === "Service") checkPolicies(document.policies, [], context, report);
    else if (document.kind === "HTTPRoute") checkRoute(document, services, context, report);
    else checkAccess(document, services, report);
  }
}

type Report = (path: Path, message: string, severity?: Issue["severity"]) => void;

function findService(
  service: ServiceName,
  services: Services,
  path: Path,
  report: Report,
): ServiceDocument | null {
  const key = serviceKey(service);
  const found = services.get(key);
  if (found !== undefined) return found;
  const near = nearest(key, [...services.keys()]);
  report(path, `There is no Service "${key}"${near === null ? "" : `; did you mean ${near}?`}`);
  return null;
}

function checkPolicies(uses: readonly PolicyUse[], path: Path, context: LoadContext, report: Report): void {
  const known = context.policies;
  if (known === null) return;
  uses.forEach((each, at) => {
    if (known.includes(each.use)) return;
    const near = nearest(each.use, known);
    const cure =
      near !== null
        ? `did you mean ${near}?`
        : known.length > 0
          ? `known are ${known.join(", ")}`
          : "no policy is known";
    report([...path, "policies", at, "use"], `There is no policy "${each.use}"; ${cure}`);
  });
}

function checkRoute(
  route: HttpRouteDocument,
  services: Services,
  context: LoadContext,
  report: Report,
): void {
  const parent = findService(route.service, services, ["service"], report);
  if (parent !== null && parent.protocol !== "http") {
    report(
      ["service"],
      `A route needs a service with protocol http; "${serviceKey(parent)}" is ${parent.protocol}`,
    );
  }
  route.rules.forEach((rule, at) => {
    const path: Path = ["rules", at];
    checkPolicies(rule.policies, path, context, report);
    for (const backend of rule.backends) {
      const found = findService(backend.service, services, path, report);
      if (found === null) continue;
      if (found.protocol !== "http")
        report(path, `A backend of a route needs protocol http; "${serviceKey(found)}" is ${found.protocol}`);
      if (backend.subset !== null && found.subsets[backend.subset] === undefined) {
        const near = nearest(backend.subset, Object.keys(found.subsets));
        report(
          path,
          `The Service "${serviceKey(found)}" has no subset "${backend.subset}"${near === null ? "" : `; did you mean ${near}?`}`,
        );
      }
    }
  });
}

function checkAccess(access: AccessDocument, services: Services, report: Report): void {
  const service = findService(access.service, services, ["service"], report);
  for (const list of ["deny", "allow"] as const) {
    access[list].forEach((rule, at) => checkAccessRule(rule, [list, at], service, services, access, report));
  }
}

function checkAccessRule(
  rule: AccessRule,
  path: Path,
  service: ServiceDocument | null,
  services: Services,
  access: AccessDocument,
  report: Report,
): void {
  if (service?.protocol === "tcp" && (rule.methods.length > 0 || rule.paths.length > 0)) {
    report(
      path,
      `methods and paths need protocol http; "${serviceKey(service)}" is tcp, so this rule could never be decided`,
    );
  }
  for (const each of rule.paths) {
    const star = each.indexOf("*");
    if (star >= 0 && !(star === each.length - 1 && each.endsWith("/*"))) {
      report([...path, "paths"], `"${each}" does not fit, expected * only as the whole last segment`);
    }
  }
  const { from } = rule;
  if (from === "any" || from === "any-mesh") return;
  if (from.startsWith("spiffe://")) {
    if (from.includes("*") && !from.endsWith("/*"))
      report([...path, "from"], `"${from}" does not fit, expected * only as the whole last segment`);
    return;
  }
  const [name = "", namespace = access.namespace] = from.split(".");
  if (!services.has(`${name}.${namespace}`)) {
    const near = nearest(`${name}.${namespace}`, [...services.keys()]);
    report(
      [...path, "from"],
      `There is no Service "${from}"${near === null ? "" : `; did you mean ${near}?`}`,
    );
  }
}
