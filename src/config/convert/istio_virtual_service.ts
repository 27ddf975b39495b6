/** `VirtualService`: routes of requests and of TLS. Rules are taken in their order there. */
import type { RouteMatch } from "../../model/document.ts";
import type { ServiceName } from "../../model/service.ts";
import { destinationOf, isFor, readTcp, readTls, type Place } from "./istio_connections.ts";
import { metadataOf, serviceAt } from "./kubernetes.ts";
import type { Fields, Origin } from "./origin.ts";
import {
  durationText,
  saying,
  type RouteOwner,
  type RuleDraft,
  type Target,
  type Written,
} from "./target.ts";
import type { GatewayDrafts } from "./gateway_drafts.ts";
import { beginning, everyPath, headerEdits, headerThat, whole, wholeWeights } from "./words.ts";

const mesh = "mesh";

export function readVirtualService(origin: Origin, target: Target, gateways: GatewayDrafts): void {
  const root = origin.root();
  const { name, namespace, annotations } = metadataOf(root);
  annotations.ignore(...annotations.names);
  const spec = root.inner("spec");
  spec.loss("exportTo", "every service of the mesh sees it");
  const parents = spec.has("gateways") ? spec.words("gateways") : [mesh];
  const [http, tls, tcp] = [spec.list("http"), spec.list("tls"), spec.list("tcp")];
  for (const parent of parents) {
    const owners = ownersOf(spec, parent, namespace, gateways);
    if (owners === null) return;
    const place: Place = { origin, target, namespace, parent };
    for (const owner of owners) {
      const routeName = owners.length * parents.length === 1 ? name : `${name}-${owner.name}`;
      if (http.length > 0) {
        const own = http.map((rule) => ruleOf(rule, place)).filter((each) => each !== null);
        if (owner.attached === undefined) target.orderedRoute(routeName, owner, own);
        else gateways.route(routeName, { ...owner, attached: owner.attached }, own);
      }
      for (const [at, rule] of tls.entries()) readTls(rule, `${routeName}-${at}`, owner, place);
      for (const [at, rule] of tcp.entries()) readTcp(rule, `${routeName}-tcp-${at}`, owner, place);
      if (tcp.length > 1) spec.note("tcp", "of the rules for one port the first counts, there as here");
    }
  }
}

/** null: it was refused. */
function ownersOf(
  spec: Fields,
  parent: string,
  namespace: string,
  gateways: GatewayDrafts,
): readonly RouteOwner[] | null {
  if (parent === mesh) return hostsOf(spec, namespace);
  const [first = "", second] = parent.split("/");
  const gateway = second === undefined ? { name: first, namespace } : { name: second, namespace: first };
  const hosts = spec.words("hosts").map((host) => host.toLowerCase());
  const owner = gateways.ownerOf(gateway, hosts.includes("*") ? [] : hosts, namespace);
  if (owner !== null) return [owner];
  spec.refuse("gateways", `no document declares the Gateway ${parent} that it is for`);
  return null;
}

/** null: it was refused. */
function hostsOf(spec: Fields, namespace: string): readonly ServiceName[] | null {
  const hosts = spec.words("hosts");
  const services = hosts.map((host) => serviceAt(host, namespace));
  const outside = hosts.filter((_, at) => services[at] === null);
  if (outside.length === 0 && hosts.length > 0) return services.filter((each) => each !== null);
  spec.refuse(
    "hosts",
    hosts.length === 0 ? "it names no host" : `${outside.join(", ")} is no service of the mesh`,
  );
  if (hosts.length === 0) spec.origin.refuse(spec.path, "it names no host");
  return null;
}

/** null: it was refused, or is for the requests of others. */
function ruleOf(rule: Fields, { origin, target, namespace, parent }: Place): RuleDraft | null {
  rule.loss("statPrefix", "metrics are named by route and rule here");
  const all = rule.list("match");
  const written = all.filter((match) => isFor(match, parent));
  if (all.length > 0 && written.length === 0) return null;
  const matches = written.length === 0 ? [every()] : written.map(matchOf);
  const action = actionOf(rule, target, namespace, written);
  if (matches.some((each) => each === null) || action === null) return null;
  return {
    origin,
    path: rule.path,
    name: rule.text("name"),
    matches: matches.filter((each) => each !== null),
    action,
  };
}

function every(): RouteMatch {
  return { path: everyPath, method: null, headers: [] };
}

/** null: it was refused, for without a condition it would match more. */
function matchOf(match: Fields): RouteMatch | null {
  const before = match.origin.outcome;
  match.ignore("name", "statPrefix");
  if (match.flag("ignoreUriCase") === true) match.refuse("ignoreUriCase", "paths differ by case here");
  for (const field of ["scheme", "port", "sourceLabels", "withoutHeaders"])
    match.refuse(field, "no match here asks for this: without it the rule would match more");
  const [how, uri] = stringMatch(match.inner("uri"));
  const path =
    how === "exact"
      ? ({ type: "Exact", value: uri } as const)
      : how === "prefix"
        ? beginning(uri)
        : how === "regex"
          ? ({ type: "RegularExpression", value: whole(uri) } as const)
          : everyPath;
  const [methodHow, method] = stringMatch(match.inner("method"));
  if (methodHow !== "none" && methodHow !== "exact")
    match.refuse("method", "methods are matched exactly here");
  const [hostHow, host] = stringMatch(match.inner("authority"));
  if (hostHow !== "none" && hostHow !== "exact")
    match.refuse("authority", "hosts are matched exactly here, or by *.example");
  const from = match.text("sourceNamespace");
  if (from !== undefined)
    match.refuse("sourceNamespace", "a route in that namespace is for its callers: write it there");
  const headers = valuesOf(match.inner("headers"));
  const query = valuesOf(match.inner("queryParams"), false);
  if (match.origin.outcome === "refused" && before !== "refused") return null;
  return {
    path,
    method: methodHow === "exact" ? method : null,
    headers,
    ...(query.length === 0 ? {} : { query }),
    ...(hostHow === "exact" ? { host: host.toLowerCase() } : {}),
  };
}

function valuesOf(all: Fields, lower = true): RouteMatch["headers"] {
  return all.names.map((name) => {
    const [how, value] = stringMatch(all.inner(name));
    const made = headerThat(name, how === "none" ? "present" : how, value);
    return lower ? made : { ...made, name };
  });
}

function stringMatch(fields: Fields): readonly ["exact" | "prefix" | "regex" | "none", string] {
  for (const how of ["exact", "prefix", "regex"] as const) {
    const value = fields.text(how);
    if (value !== undefined) return [how, value];
  }
  return ["none", ""];
}

function actionOf(
  rule: Fields,
  target: Target,
  namespace: string,
  matches: readonly Fields[],
): Written | null {
  if (rule.has("delegate")) {
    rule.refuse("delegate", "a route here is whole in one document: write the rules of the other one here");
    return null;
  }
  const headers = rule.inner("headers");
  const action: Written = {
    ...edits(headers),
    ...backendsOf(rule, target, namespace),
    ...redirectOf(rule),
    ...respondOf(rule),
    ...rewriteOf(rule, matches),
    ...timesOf(rule),
    ...extrasOf(rule, target, namespace),
  };
  return Object.fromEntries(Object.entries(action).filter(([, value]) => value !== undefined));
}

function edits(headers: Fields): Written {
  const of = (side: "request" | "response"): Written | undefined => {
    const fields = headers.inner(side);
    return headerEdits(fields.texts("set"), fields.texts("add"), fields.words("remove"), fields);
  };
  return { requestHeaders: of("request"), responseHeaders: of("response") };
}

function backendsOf(rule: Fields, target: Target, namespace: string): Written {
  const routes = rule.list("route");
  if (routes.length === 0) return {};
  const weights = wholeWeights(routes.map((each) => each.number("weight") ?? (routes.length === 1 ? 1 : 0)));
  const backends = routes.map((route, at) => {
    const to = destinationOf(route.inner("destination"), target, namespace);
    const filters = saying(edits(route.inner("headers"))) ?? {};
    return { ...to, ...(routes.length === 1 ? {} : { weight: weights[at] }), ...filters };
  });
  return { backends };
}

function redirectOf(rule: Fields): Written {
  if (!rule.has("redirect")) return {};
  const redirect = rule.inner("redirect");
  redirect.loss("derivePort", "the port follows the scheme here");
  const status = redirect.number("redirectCode") ?? 301;
  return {
    redirect: saying({
      status,
      path: redirect.text("uri"),
      host: redirect.text("authority")?.toLowerCase(),
      scheme: redirect.text("scheme"),
      port: redirect.number("port"),
    }),
  };
}

function respondOf(rule: Fields): Written {
  if (!rule.has("directResponse")) return {};
  const answer = rule.inner("directResponse");
  const body = answer.inner("body");
  body.refuse("bytes", "bodies are texts here");
  return { respond: saying({ status: answer.number("status"), body: body.text("string") }) };
}

/** Of a prefix what was matched is replaced; else the whole path. */
function rewriteOf(rule: Fields, matches: readonly Fields[]): Written {
  if (!rule.has("rewrite")) return {};
  const rewrite = rule.inner("rewrite");
  rewrite.refuse(
    "uriRegexRewrite",
    "a path is rewritten by a policy there: path-rewrite takes an expression",
  );
  const uri = rewrite.text("uri");
  const host = rewrite.text("authority")?.toLowerCase();
  if (uri === undefined) return { rewrite: saying({ host }) };
  const prefixes = matches.filter(
    (match) => (match.value["uri"] as Written | undefined)?.["prefix"] !== undefined,
  );
  if (prefixes.length === 0) return { rewrite: saying({ path: uri, host }) };
  rewrite.refuse(
    "uri",
    `it replaces what was matched of the path, letter by letter, and prefixes are whole segments here: write match: {path: /prefix} with rewrite: {prefix: ${uri}} where that is meant`,
  );
  return {};
}

function timesOf(rule: Fields): Written {
  const retries = rule.inner("retries");
  const request = rule.duration("timeout");
  const backendRequest = retries.duration("perTryTimeout");
  const codes = retryCodes(retries);
  for (const field of ["retryRemoteLocalities", "retryIgnorePreviousHosts"])
    retries.loss(field, "another attempt goes to another instance, by zones as always");
  return {
    timeouts: saying({ request: durationText(request), backendRequest: durationText(backendRequest) }),
    retry: saying({
      attempts: retries.number("attempts"),
      codes: codes.length === 0 ? undefined : codes,
      backoff: durationText(retries.duration("backoff")),
    }),
  };
}

/** Connections that fail, refused streams and resets are a reason here anyway. */
const givenReasons = ["connect-failure", "refused-stream", "reset", "reset-before-request"];

function retryCodes(retries: Fields): readonly number[] {
  const reasons = (retries.text("retryOn") ?? "").split(",").map((each) => each.trim());
  const codes = reasons.flatMap((reason): readonly number[] => {
    if (reason === "gateway-error") return [502, 503, 504];
    if (reason === "5xx") return [500, 502, 503, 504];
    if (/^[45]\d\d$/.test(reason)) return [Number(reason)];
    if (reason !== "" && !givenReasons.includes(reason))
      retries.origin.loss(
        [...retries.path, "retryOn"],
        `${reason} is no reason that a route says; Traffic has retries.on and retries.grpc`,
      );
    return [];
  });
  return [...new Set(codes)];
}

function extrasOf(rule: Fields, target: Target, namespace: string): Written {
  const shares = (): number | undefined =>
    rule.inner("mirrorPercentage").number("value") ?? rule.number("mirrorPercent");
  const one = rule.has("mirror") ? [{ to: rule.inner("mirror"), percent: shares() }] : [];
  const more = rule.list("mirrors").map((each) => ({
    to: each.inner("destination"),
    percent: each.inner("percentage").number("value"),
  }));
  const mirrors = [...one, ...more].map(({ to, percent }) =>
    saying({ ...destinationOf(to, target, namespace), percent }),
  );
  return {
    mirror: mirrors.length === 0 ? undefined : mirrors,
    cors: corsOf(rule),
    fault: faultOf(rule, target),
  };
}

function corsOf(rule: Fields): Written | undefined {
  if (!rule.has("corsPolicy")) return undefined;
  const cors = rule.inner("corsPolicy");
  cors.loss("unmatchedPreflights", "a preflight request of another origin is answered here");
  const origins = cors.list("allowOrigins").flatMap((each) => {
    const [how, value] = stringMatch(each);
    if (how === "exact") return [value];
    each.origin.refuse(each.path, "origins are exact here, or have * for a subdomain");
    return [];
  });
  const all = [...cors.words("allowOrigin"), ...origins];
  const said = (words: readonly string[]): readonly string[] | undefined =>
    words.length === 0 ? undefined : words;
  const maxAge = cors.duration("maxAge");
  return saying({
    allowOrigins: said(all),
    allowMethods: said(cors.words("allowMethods")),
    allowHeaders: said(cors.words("allowHeaders")),
    exposeHeaders: said(cors.words("exposeHeaders")),
    allowCredentials: cors.flag("allowCredentials"),
    maxAge: maxAge === undefined ? undefined : Math.max(1, Math.round(maxAge / 1000)),
  });
}

function faultOf(rule: Fields, target: Target): Written | undefined {
  if (!rule.has("fault")) return undefined;
  const fault = rule.inner("fault");
  const shareIn = (fields: Fields): number | undefined =>
    fields.inner("percentage").number("value") ?? fields.number("percent");
  const delay = fault.inner("delay");
  const abort = fault.inner("abort");
  delay.refuse("exponentialDelay", "a delay is fixed here");
  abort.refuse("http2Error", "an abort is a status here");
  target.allowFaults(rule.origin);
  return saying({
    delay: saying({ duration: durationText(delay.duration("fixedDelay")), percent: shareIn(delay) }),
    abort: saying({
      status: abort.number("httpStatus"),
      grpc: abort.text("grpcStatus"),
      percent: shareIn(abort),
    }),
  });
}
