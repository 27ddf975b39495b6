/** `kind: HTTPRoute`: which requests to a service go where, and what happens to them on the way. */
import * as v from "valibot";
import { formatDuration } from "../../base/duration.ts";
import type { HttpRouteDocument, RouteMatch, RouteRule } from "../../model/document.ts";
import { protocolsOf } from "../../model/gateway_routes.ts";
import { perParent } from "../../model/route_parents.ts";
import { defaultNamespace, serviceKey } from "../../model/service.ts";
import { wholeGroup } from "../../model/traffic.ts";
import { declaresRequests, type Fit } from "../document_set.ts";
import { common, duration, flag, list, name, object, resolveService, said } from "../fields.ts";
import type { Report } from "../issue_at.ts";
import { defineKind, type Neighbourhood, type Placed, type PlacedUse, type ReportOn } from "../kind.ts";
import { checkBackendForms, checkBackends, expandBackends, requestBackendFields } from "../parts/backends.ts";
import { checkFilters, expandFilters, filterFields } from "../parts/filters.ts";
import { grantedAsField } from "../parts/granted.ts";
import { checkMirrors } from "../parts/mirror.ts";
import { hostname } from "../parts/hostname.ts";
import {
  checkParents,
  checkParentsFit,
  expandParents,
  isOfGateway,
  parentFields,
} from "../parts/route_parents.ts";
import { checkSlashes } from "../parts/paths.ts";
import { furtherAttempts, retryCodes } from "../parts/retries.ts";
import { checkPolicies, expandPolicies, placedPolicies, policies } from "../parts/policies.ts";
import { priorityName } from "../parts/priority.ts";
import { checkMatch, expandMatch, match, matchPlace } from "../parts/route_match.ts";
import { checkSessions, sessionPersistence } from "../parts/session_persistence.ts";
import { inMs } from "../parts/traffic_part.ts";
import type { Path } from "../yaml_file.ts";

const rule = object({
  name: v.optional(said(name, "Its name in logs and metrics (default: rule-0, rule-1 and so on)")),
  match: v.optional(
    said(match, "Requests that it is for; all that stands here must hold (default: all requests)"),
  ),
  matches: v.optional(said(list(match, 64, 1), "Several of them: one that holds is enough")),
  ...requestBackendFields,
  ...filterFields,
  timeouts: v.optional(
    said(
      object({
        request: v.optional(
          said(
            duration,
            "From the request's head to the end of the answer, retries included; 0s: none (default: as Traffic says)",
          ),
        ),
        backendRequest: v.optional(
          said(duration, "One attempt to the end of its answer; 0s: none (default: perTry of Traffic)"),
        ),
      }),
      "How long its requests may take",
    ),
  ),
  retry: v.optional(
    said(
      object({
        attempts: v.optional(said(furtherAttempts, "Attempts beyond the first (default: as Traffic says)")),
        codes: v.optional(said(retryCodes, "HTTP statuses that are a reason (default: as Traffic says)")),
        backoff: v.optional(said(duration, "Shortest wait before each (default: none)")),
      }),
      "When its requests are sent again, over what Traffic says; which failures beside statuses Traffic alone says",
    ),
  ),
  idempotent: v.optional(
    said(
      flag,
      "Requests with methods such as POST may be sent again, too: the app tells repeats (default: false)",
    ),
  ),
  priority: v.optional(
    said(
      priorityName,
      "How much its requests matter when not all can be served: critical, default, sheddable or background (default: default)",
    ),
  ),
  sessionPersistence: v.optional(
    said(
      sessionPersistence.schema,
      "Whether the requests of a client's session go to the same instance, in place of what Traffic says; sessions of two rules are never the same (default: as Traffic says)",
    ),
  ),
  policies,
});

const schema = object({
  kind: v.literal("HTTPRoute"),
  ...common,
  ...parentFields("Service whose requests it directs, in the same namespace"),
  ...grantedAsField,
  hostnames: v.optional(
    said(
      list(hostname, 16),
      "Of a gateway: hosts that its requests are for: exact, or *.example for all below it (default: all)",
    ),
  ),
  order: v.optional(
    said(
      v.pipe(v.number("a whole number"), v.safeInteger("a whole number")),
      "Among routes of one service the lower is asked first; then by name (default: 0)",
    ),
  ),
  rules: said(list(rule, 16, 1), "The first that matches counts"),
});

type Written = v.InferOutput<typeof schema>;
type WrittenRule = v.InferOutput<typeof rule>;
function expand(written: Written): HttpRouteDocument {
  const namespace = written.namespace ?? defaultNamespace;
  return {
    kind: "HTTPRoute",
    name: written.name,
    namespace,
    ...expandParents(written, namespace),
    ...(written.grantedAs === undefined ? {} : { grantedAs: written.grantedAs }),
    ...(written.hostnames === undefined || written.hostnames.length === 0
      ? {}
      : { hostnames: written.hostnames }),
    order: written.order ?? 0,
    rules: written.rules.map((rule, at) => expandRule(rule, at, namespace)),
  };
}

function expandRule(rule: WrittenRule, at: number, namespace: string): RouteRule {
  const { request: requestMs = 0, backendRequest: perTryMs } = rule.timeouts ?? {};
  const { retry } = rule;
  const filters = expandFilters(rule, namespace);
  return {
    name: rule.name ?? `rule-${at}`,
    matches: (rule.matches ?? [rule.match ?? {}]).map(expandMatch),
    backends: expandBackends(rule, namespace),
    // 0s means none (GEP-2257).
    requestTimeoutMs: requestMs === 0 ? null : requestMs,
    ...(rule.timeouts?.request === 0 ? { requestUnbounded: true } : {}),
    ...(perTryMs === undefined ? {} : { perTryMs }),
    ...(retry === undefined ? {} : { retry: inMs(retry, ["backoff"]) }),
    policies: expandPolicies(rule.policies),
    idempotent: rule.idempotent ?? false,
    ...(filters === null ? {} : { filters }),
    ...(rule.priority === undefined ? {} : { priority: rule.priority }),
    ...(rule.sessionPersistence === undefined
      ? {}
      : { sessionPersistence: sessionPersistence.expand(rule.sessionPersistence, namespace) }),
  };
}

function check(written: Written, report: Report): void {
  checkParents(written, report);
  if (written.hostnames !== undefined && !isOfGateway(written))
    report(["hostnames"], "this is for a gateway: requests to a service are known by its name", {
      key: true,
    });
  const names = new Set<string>();
  written.rules.forEach((rule, at) => {
    const path: Path = ["rules", at];
    if (isOfGateway(written)) checkLeads(rule, path, report);
    const name = rule.name ?? `rule-${at}`;
    if (names.has(name))
      report([...path, "name"], `"${name}" names two rules of this route`, { code: "HED0103" });
    names.add(name);
    if (rule.match !== undefined && rule.matches !== undefined)
      report([...path, "match"], "match and matches exclude each other", { key: true });
    if (rule.match !== undefined) checkMatch(rule.match, [...path, "match"], report);
    rule.matches?.forEach((each, index) => checkMatch(each, [...path, "matches", index], report));
    checkBackendForms(rule, path, report);
    checkFilters(rule, (rule.matches ?? [rule.match ?? {}]).map(expandMatch), path, report);
    const { request = 0, backendRequest = 0 } = rule.timeouts ?? {};
    if (request > 0 && backendRequest > request) {
      const longer = `one attempt, ${formatDuration(backendRequest)}, may take longer than the whole request, ${formatDuration(request)}`;
      report([...path, "timeouts", "backendRequest"], longer);
    }
  });
}

/** A gateway has no instances that requests could go to by default. */
function checkLeads({ split, backends, redirect, respond }: WrittenRule, path: Path, report: Report): void {
  if ([split, backends, redirect, respond].every((each) => each === undefined))
    report(path, "a rule of a gateway says where its requests go: split, backends, redirect or respond");
}

const requests = { needs: "protocol http, http2 or grpc", fits: declaresRequests };
const asRoute: Fit = { what: "a route", ...requests };
const asBackend: Fit = { what: "a backend of a route", ...requests };
const asMirror: Fit = { what: "a mirror", ...requests };
/** A warning: whoever takes `faults` out of the Mesh must be able to, whatever routes say. */
const noFaults =
  "no fault is made: the Mesh document would have to say faults: allowed, for as long as they are wanted";

/** Bodies are read where the service that is called says what they are. */
function checkModels(document: HttpRouteDocument, { set, report }: Neighbourhood): void {
  const unread = perParent(document).find(({ gateway, service }) => {
    const found = set.options.services.get(serviceKey(service));
    return gateway !== undefined || (found !== undefined && found.inference === undefined);
  });
  if (unread === undefined) return;
  const { gateway, service } = unread;
  const why =
    gateway === undefined
      ? `${serviceKey(service)} has no inference: its document has to say what runs its models`
      : "a gateway reads no bodies: send its requests to a service with inference, whose routes can";
  document.rules.forEach(({ matches, backends, filters }, at) => {
    const all = [...matches, ...backends.map((each) => each.filters), filters];
    if (all.some((each) => each?.model !== undefined))
      report(["rules", at], `this rule goes by the model that requests ask for, but ${why}`, { key: true });
  });
}

function crossCheck(document: HttpRouteDocument, around: Neighbourhood): void {
  const { set, report } = around;
  checkModels(document, around);
  checkParentsFit(document, { service: asRoute, protocols: protocolsOf.HTTPRoute }, around);
  const services = perParent(document).filter(({ gateway }) => gateway === undefined);
  const [own] = services.flatMap(({ service }) => set.options.services.get(serviceKey(service)) ?? []);
  const isForOwn = services.some(({ service }) => service.namespace !== document.namespace);
  document.rules.forEach((rule, at) => {
    const sessions = rule.sessionPersistence;
    if (sessions !== undefined)
      checkSessions(
        wholeGroup("sessionPersistence", { sessionPersistence: sessions }),
        sessions,
        (field, message) => report(["rules", at, "sessionPersistence", field], message),
      );
    rule.matches.forEach((match, index) => {
      const { path } = match;
      if (path.type !== "RegularExpression") checkSlashes(own ?? null, path.value, ["rules", at], report);
      checkCallers(
        { namespace: document.namespace, isForOwn },
        match,
        ["rules", at, ...matchPlace(around.source, at, index)],
        around,
      );
    });
    const placed = placedPolicies(rule.policies, ["rules", at]);
    checkPolicies(placed, around);
    for (const { use, path } of placed)
      if (use.side === "server")
        around.report(
          [...path, "side"],
          "routes are chosen at the caller's side: attach it to the Service instead",
        );
    checkBackends(rule.backends, ["rules", at], asBackend, around, document);
    checkMirrors(rule.filters?.mirrors ?? [], ["rules", at, "mirror"], asMirror, around, document);
    if (rule.filters?.fault !== undefined && !set.options.faultsAllowed)
      report(["rules", at, "fault"], noFaults, { key: true, code: "HED0153" });
  });
}

/** Those that it names are declared. A route for the callers of its own namespace (`isForOwn`) names no others. */
function checkCallers(
  { namespace, isForOwn }: { readonly namespace: string; readonly isForOwn: boolean },
  { from = [] }: RouteMatch,
  path: Path,
  { set, report }: Neighbourhood,
): void {
  from.forEach((each, at) => {
    const own = from.length === 1 ? [...path, "from"] : [...path, "from", at];
    const isId = each.startsWith("spiffe://");
    const caller = resolveService(isId ? "" : each, namespace);
    if (isForOwn && (isId || caller.namespace !== namespace))
      report(own, `this route is for callers of the namespace ${namespace} alone: name services of it`);
    if (!isId) set.find(caller, { path: own, advice: " (declare it, or write its SPIFFE ID)" }, report);
  });
}

/** A client holds one token by that name: each of the two rules would take it for none, and end the session of the other. */
function checkSessionNames(all: readonly Placed<HttpRouteDocument>[], report: ReportOn): void {
  const first = new Map<string, string>();
  for (const { document, source } of perParentPlaced(all))
    for (const [at, { name, sessionPersistence: sessions }] of document.rules.entries()) {
      if (sessions?.sessionName === undefined || sessions.type === "None") continue;
      const { type, path, sessionName } = wholeGroup("sessionPersistence", { sessionPersistence: sessions });
      const where = type === "Header" ? sessionName?.toLowerCase() : `${sessionName} ${path}`;
      const key = `${serviceKey(document.service)} ${type} ${where}`;
      const own = `${document.name}/${name}`;
      const before = first.get(key);
      first.set(key, before ?? own);
      if (before === undefined || before === own) continue;
      const message = `the rule ${before} has a session of the same name: each ends that of the other, so give it another name`;
      const code = "HED0114";
      if (!report(source, ["rules", at, "sessionPersistence"], message, { code })) return;
    }
}

function perParentPlaced(all: readonly Placed<HttpRouteDocument>[]): Placed<HttpRouteDocument>[] {
  return all.flatMap(({ document, source }) =>
    perParent(document).map((each) => ({ document: each, source })),
  );
}

function policyUses(document: HttpRouteDocument): PlacedUse[] {
  return document.rules.flatMap((rule, at) => placedPolicies(rule.policies, ["rules", at]));
}

const example = `kind: HTTPRoute
name: orders-beta
service: orders
rules:
  - match: {path: /v1, headers: {x-user: beta}}
    split: {orders/v2: 100}
  - split: {orders/v1: 95, orders/v2: 5}
    timeouts: {request: 2s}`;

export const httpRoute = defineKind({
  name: "HTTPRoute",
  words: "Which requests to a service go where, and what happens to them on the way",
  example,
  schema,
  expand,
  check,
  crossCheck,
  crossCheckAll: checkSessionNames,
  policyUses,
});
