/** `MeshHTTPRoute`: shaped after the Gateway API, with its precedence. */
import type { PathMatch, RouteMatch } from "../../model/document.ts";
import type { ServiceName } from "../../model/service.ts";
import type { KumaDocument } from "./kuma_document.ts";
import { referenceOf, serviceNamed } from "./kuma_reference.ts";
import type { Fields, Origin } from "./origin.ts";
import { labelOf, saying, type RuleDraft, type Target, type Written } from "./target.ts";
import { everyPath, headerEdits, headerThat, whole } from "./words.ts";

export function readMeshHttpRoute({ origin, name, spec, target }: KumaDocument): void {
  const caller = spec.has("targetRef") ? referenceOf(spec.inner("targetRef")) : null;
  if (caller === undefined) return;
  const all = spec.list("to");
  for (const to of all) {
    const service = referenceOf(to.inner("targetRef"));
    if (service === null) origin.refuse(to.path, "a route here is for the requests to one service");
    if (service === null || service === undefined) continue;
    to.refuse("hostnames", "it is for a gateway");
    target.service(service, origin).protocol ??= "http";
    const rules = to.list("rules").map((rule) => ruleOf(rule, origin, target, caller));
    // A service without a rule that fits answers itself there.
    const rest = { origin, path: to.path, matches: [withCaller(every(), caller)], action: {} };
    const isWhole = rules.some(({ matches }) => matches.some((match) => isEvery(match)));
    target.route(
      all.length === 1 ? name : `${name}-${service.name}`,
      service,
      isWhole ? rules : [...rules, rest],
    );
    if (caller !== null)
      origin.note(
        to.path,
        `its rules are for requests of ${caller.name} alone: other callers need a route of theirs, or get 404 where no other one fits`,
      );
  }
}

function every(): RouteMatch {
  return { path: everyPath, method: null, headers: [] };
}

function isEvery({ path, method, headers, query }: RouteMatch): boolean {
  return (
    path.value === "/" &&
    path.type === "PathPrefix" &&
    method === null &&
    headers.length === 0 &&
    query === undefined
  );
}

function withCaller(match: RouteMatch, caller: ServiceName | null): RouteMatch {
  return caller === null ? match : { ...match, from: [caller.name] };
}

export function ruleOf(rule: Fields, origin: Origin, target: Target, caller: ServiceName | null): RuleDraft {
  const written = rule.list("matches");
  const matches = (written.length === 0 ? [every()] : written.map(matchOf)).map((each) =>
    withCaller(each, caller),
  );
  if (caller !== null) target.service(caller, origin);
  const conf = rule.inner("default");
  const action: Written = { ...filtersOf(conf, target), ...backendsOf(conf, target) };
  return { origin, path: rule.path, matches, action };
}

function matchOf(match: Fields): RouteMatch {
  const path = match.inner("path");
  const type = path.text("type") ?? "PathPrefix";
  const value = path.text("value") ?? "/";
  const made: PathMatch =
    type === "RegularExpression"
      ? { type, value: whole(value) }
      : {
          type: type === "Exact" ? "Exact" : "PathPrefix",
          value: type === "Exact" ? value : value.replace(/(?<=.)\/$/, ""),
        };
  const query = match.list("queryParams").map((each) => valueOf(each, false));
  return {
    path: made,
    method: match.text("method") ?? null,
    headers: match.list("headers").map((each) => valueOf(each, true)),
    ...(query.length === 0 ? {} : { query }),
  };
}

function valueOf(fields: Fields, lower: boolean): RouteMatch["headers"][number] {
  const type = fields.text("type") ?? "Exact";
  if (type === "Absent")
    fields.refuse(
      "type",
      "no match here asks for a header to be absent: without it the rule would match more",
    );
  const how =
    ({ Exact: "exact", RegularExpression: "regex", Present: "present", Prefix: "prefix" } as const)[type] ??
    "exact";
  const name = fields.text("name") ?? "";
  const made = headerThat(name, how, fields.text("value") ?? "");
  return lower ? made : { ...made, name };
}

function filtersOf(conf: Fields, target: Target): Written {
  const action: Written = {};
  const mirrors: Written[] = [];
  for (const filter of conf.list("filters")) {
    const type = filter.text("type");
    if (type === "RequestHeaderModifier")
      action["requestHeaders"] = edits(filter.inner("requestHeaderModifier"));
    else if (type === "ResponseHeaderModifier")
      action["responseHeaders"] = edits(filter.inner("responseHeaderModifier"));
    else if (type === "RequestRedirect") action["redirect"] = redirectOf(filter.inner("requestRedirect"));
    else if (type === "URLRewrite") {
      const rewrite = filter.inner("urlRewrite");
      rewrite.loss("hostToBackendHostname", "the app is asked for the host that the caller named");
      action["rewrite"] = saying({ host: rewrite.text("hostname"), ...pathOf(rewrite.inner("path")) });
    } else if (type === "RequestMirror") {
      const mirror = filter.inner("requestMirror");
      const percent = mirror.number("percentage");
      mirrors.push({ ...backendOf(mirror.inner("backendRef"), target), ...saying({ percent }) });
    } else filter.refuse("type", "this filter has no counterpart here");
  }
  if (mirrors.length > 0) action["mirror"] = mirrors;
  return Object.fromEntries(Object.entries(action).filter(([, value]) => value !== undefined));
}

function edits(modifier: Fields): Written | undefined {
  const pairs = (name: string): Readonly<Record<string, string>> =>
    Object.fromEntries(
      modifier.list(name).map((each) => [each.text("name") ?? "", each.text("value") ?? ""]),
    );
  return headerEdits(pairs("set"), pairs("add"), modifier.words("remove"), modifier);
}

function pathOf(path: Fields): Written {
  const type = path.text("type");
  const prefix = path.text("replacePrefixMatch");
  return {
    path: type === "ReplaceFullPath" ? path.text("replaceFullPath") : undefined,
    prefix: prefix === undefined ? undefined : prefix === "" ? "/" : prefix,
  };
}

function redirectOf(redirect: Fields): Written | undefined {
  return saying({
    scheme: redirect.text("scheme"),
    host: redirect.text("hostname"),
    port: redirect.number("port"),
    status: redirect.number("statusCode"),
    ...pathOf(redirect.inner("path")),
  });
}

export function backendsOf(conf: Fields, target: Target): Written {
  const references = conf.list("backendRefs");
  if (references.length === 0) return {};
  const backends = references.map((each) => {
    const weight = each.number("weight");
    return { ...backendOf(each, target), ...saying({ weight }) };
  });
  return { backends };
}

function backendOf(reference: Fields, target: Target): Written {
  const kind = reference.text("kind") ?? "MeshService";
  reference.ignore("namespace");
  reference.loss("port", "a service has one port here");
  reference.loss("sectionName", "a service has one port here");
  if (kind !== "MeshService" && kind !== "MeshServiceSubset")
    reference.refuse("kind", `${kind} is no service of the mesh`);
  const tags = reference.texts("tags");
  const labels = reference.texts("labels");
  const service = serviceNamed(
    reference.text("name") ?? tags["kuma.io/service"] ?? labels["kuma.io/display-name"] ?? "unnamed",
  );
  const draft = target.service(service, reference.origin);
  const wanted = Object.fromEntries(Object.entries(tags).filter(([tag]) => tag !== "kuma.io/service"));
  if (Object.keys(wanted).length === 0) return { service: service.name };
  const subset = labelOf(Object.values(wanted).join("-"));
  draft.subsets.set(subset, wanted);
  reference.note(
    "tags",
    `taken as the subset ${subset} of ${service.name}; Kuma 3.0 drops tags of a backend itself`,
  );
  return { service: service.name, subset };
}
