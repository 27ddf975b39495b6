/** `http-route` and `tcp-route`: what an api-gateway of Consul takes. Of rules the most specific counts, as in the Gateway API. */
import type { PathMatch, RouteMatch } from "../../model/document.ts";
import { kinds } from "../kinds.ts";
import { retryOf, type ConsulChains, type Weighted } from "./consul_chains.ts";
import { nameOf, type AnyCase, type ConsulEntry } from "./consul_entry.ts";
import type { GatewayDrafts } from "./gateway_drafts.ts";
import {
  durationText,
  labelOf,
  saying,
  type RouteOwner,
  type RuleDraft,
  type Target,
  type Written,
} from "./target.ts";
import { beginning, everyPath, everything, headerEdits, headerThat, whole } from "./words.ts";

export interface GatewayPlace {
  readonly target: Target;
  readonly chains: ConsulChains;
  readonly gateways: GatewayDrafts;
}

export function readHttpRoute({ origin, name, fields }: ConsulEntry, place: GatewayPlace): void {
  const hostnames = fields.words("Hostnames").map((host) => host.toLowerCase());
  const parents = fields.list("Parents");
  for (const parent of parents) {
    const owner = ownerOf(parent, hostnames.includes("*") ? [] : hostnames, name.namespace, place);
    if (owner === null) continue;
    const rules = fields.list("Rules").map((rule): RuleDraft => {
      const written = rule.list("Matches");
      const matches = written.length === 0 ? [everything] : written.map(matchOf);
      return {
        origin,
        path: rule.fields.path,
        matches,
        action: actionOf(rule, written, name.namespace, place),
      };
    });
    const own = parents.length === 1 ? name.name : `${name.name}-${owner.name}`;
    place.gateways.route(own, owner, rules, "specific");
  }
}

export function readTcpRoute({ origin, name, fields }: ConsulEntry, place: GatewayPlace): void {
  for (const parent of fields.list("Parents")) {
    const owner = ownerOf(parent, [], name.namespace, place);
    if (owner === null) continue;
    const to = weightedOf(fields.list("Services"), name.namespace);
    for (const { service } of to) place.target.service(service, origin).protocol = "tcp";
    const backends = place.chains.backendsOf(to, name.namespace);
    place.target.add(kinds.TCPRoute.name, name, { ...owner.attached, backends }, origin);
  }
}

/** null: it was refused. */
function ownerOf(
  parent: AnyCase,
  hostnames: readonly string[],
  namespace: string,
  { gateways }: GatewayPlace,
): (RouteOwner & { readonly attached: NonNullable<RouteOwner["attached"]> }) | null {
  parent.ignore("Kind");
  const gateway = nameOf(parent.text("Name") ?? "", parent.text("Namespace") ?? namespace);
  const listener = parent.text("SectionName") ?? "";
  const owner = gateways.ownerOf(
    gateway,
    hostnames,
    namespace,
    listener === "" ? undefined : labelOf(listener),
  );
  if (owner === null) parent.refuse("Name", `no document declares the gateway ${gateway.name}`);
  return owner;
}

function matchOf(match: AnyCase): RouteMatch {
  const path = match.inner("Path");
  const value = path.text("Value") ?? "/";
  const ways: Readonly<Record<string, PathMatch>> = {
    exact: { type: "Exact", value },
    regex: { type: "RegularExpression", value: whole(value) },
    prefix: beginning(value),
  };
  const how = path.text("Match") ?? "prefix";
  const found = match.has("Path") ? ways[how.toLowerCase()] : everyPath;
  if (found === undefined) path.refuse("Match", `expected exact, prefix or regex, not ${how}`);
  const query = match.list("Query").map((each) => valueOf(each, false));
  const method = match.text("Method")?.toUpperCase() ?? "";
  return {
    path: found ?? everyPath,
    method: method === "" || method === "ALL" ? null : method,
    headers: match.list("Headers").map((each) => valueOf(each, true)),
    ...(query.length === 0 ? {} : { query }),
  };
}

function valueOf(fields: AnyCase, lower: boolean): RouteMatch["headers"][number] {
  const name = fields.text("Name") ?? "";
  const ways = ["exact", "prefix", "suffix", "regex", "present"] as const;
  const said = (fields.text("Match") ?? "exact").toLowerCase();
  const how = ways.find((each) => each === said);
  if (how === undefined) fields.refuse("Match", `expected ${ways.join(", ")}, not ${said}`);
  const made = headerThat(name, how ?? "exact", fields.text("Value") ?? "");
  return lower ? made : { ...made, name };
}

function actionOf(
  rule: AnyCase,
  matches: readonly AnyCase[],
  namespace: string,
  place: GatewayPlace,
): Written {
  const filters = rule.inner("Filters");
  refuseTokens(filters);
  const retry = filters.inner("RetryFilter");
  const timeout = filters.inner("TimeoutFilter");
  timeout.loss("IdleTimeout", "silence of a stream is bounded by timeouts.streamIdle of Traffic");
  const services = weightedOf(rule.list("Services"), namespace);
  for (const { service, fields } of services)
    place.target.service(service, fields.origin).protocol ??= "http";
  return (
    saying({
      backends: place.chains.backendsOf(services, namespace),
      ...editsOf(filters, rule.inner("ResponseFilters")),
      rewrite: rewriteOf(filters.inner("URLRewrite"), matches),
      timeouts: saying({ request: durationText(timeout.duration("RequestTimeout")) }),
      retry: filters.has("RetryFilter") ? retryOf(retry) : undefined,
    }) ?? {}
  );
}

function refuseTokens(filters: AnyCase): void {
  filters.refuse("JWT", "tokens are looked at by the policy jwt here: without it more may pass");
}

function weightedOf(services: readonly AnyCase[], namespace: string): readonly Weighted[] {
  return services.map((fields): Weighted => {
    const service = nameOf(fields.text("Name") ?? "", fields.text("Namespace") ?? namespace);
    const filters = fields.inner("Filters");
    refuseTokens(filters);
    filters.refuse("URLRewrite", "paths are rewritten by the rule here, for all of its services");
    for (const field of ["RetryFilter", "TimeoutFilter"])
      filters.refuse(field, "it is for the rule here, for all of its services");
    const edits = saying(editsOf(filters, fields.inner("ResponseFilters"))) ?? {};
    return { service, weight: fields.number("Weight") || 1, filters: edits, fields };
  });
}

/** A list of edits, each after those before it. */
function editsOf(request: AnyCase, response: AnyCase): Written {
  const of = (filters: AnyCase): Written | undefined => {
    const all = filters.list("Headers");
    const together = (name: string): Readonly<Record<string, string>> =>
      Object.assign({}, ...all.map((each) => each.texts(name)));
    const removed = all.flatMap((each) => each.words("Remove"));
    return headerEdits(together("Set"), together("Add"), removed, filters.fields);
  };
  return { requestHeaders: of(request), responseHeaders: of(response) };
}

function rewriteOf(rewrite: AnyCase, matches: readonly AnyCase[]): Written | undefined {
  const to = rewrite.text("Path") ?? "";
  if (to === "") return undefined;
  const paths = matches.map((match) => match.inner("Path"));
  if (paths.length > 0 && paths.every((path) => path.text("Match") === "exact")) return { path: to };
  const isEvery = paths.every(
    (path) => (path.text("Match") ?? "prefix") === "prefix" && (path.text("Value") ?? "/") === "/",
  );
  if (isEvery && to.endsWith("/")) return { prefix: to.replace(/(?<=.)\/$/, "") };
  rewrite.refuse(
    "Path",
    `it replaces what was matched of the path, letter by letter, and prefixes are whole segments here: write match: {path: /prefix} with rewrite: {prefix: ${to}} where that is meant`,
  );
  return undefined;
}
