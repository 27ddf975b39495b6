/** Every match of every rule in the order in which a proxy asks them, and what two of them have to do with one another. */
import type {
  HttpRouteDocument,
  PathMatch,
  QueryMatch,
  RouteMatch,
  RouteRule,
} from "../../model/document.ts";
import type { ModelMatch } from "../../model/inference.ts";
import { compileExpression } from "../../model/expression.ts";
import { literalStart, onlyStart } from "../../model/expression_syntax.ts";
import { compareRanks, isForAll, rankOf } from "../../model/route_rank.ts";
import { serviceKey } from "../../model/service.ts";
import type { Placed } from "../kind.ts";
import { matchPlace } from "../parts/route_match.ts";
import type { Path } from "../yaml_file.ts";

/** One match of one rule. */
export interface RuleMatch extends Placed<HttpRouteDocument> {
  readonly rule: RouteRule;
  readonly ruleAt: number;
  readonly match: RouteMatch;
  readonly matchAt: number;
  /** What the match alone says of its place. */
  readonly rank: readonly number[];
  /** Callers of which namespace it is for; "": all. */
  readonly scope: string;
}

/** By the key of the service; in each list the first that fits counts. */
export function matchesByService(
  routes: readonly Placed<HttpRouteDocument>[],
): ReadonlyMap<string, readonly RuleMatch[]> {
  const byName = [...routes].sort((a, b) => (nameOf(a.document) < nameOf(b.document) ? -1 : 1));
  const all = byName.flatMap((placed, documentAt) =>
    placed.document.rules.flatMap((rule, ruleAt) =>
      rule.matches.map((match, matchAt) => {
        const { document } = placed;
        const scope = isForAll(document) ? "" : document.namespace;
        const rank = rankOf(match);
        const order = [scope === "" ? 1 : 0, ...rank, document.order, documentAt, ruleAt, matchAt];
        return { ...placed, rule, ruleAt, match, matchAt, rank, scope, order };
      }),
    ),
  );
  const sorted = all.sort((a, b) => compareRanks(a.order, b.order));
  return Map.groupBy(sorted, ({ document }) => parentOf(document));
}

/** Requests of a gateway come by host and by listener besides. */
function parentOf({ service, gateway, hostnames = [] }: HttpRouteDocument): string {
  const key = serviceKey(service);
  return gateway === undefined ? key : JSON.stringify([key, gateway, hostnames]);
}

/** `HTTPRoute orders at mesh/orders.yaml:12`, the line of its rule. */
export function placeText({ document, source, ruleAt }: RuleMatch): string {
  return `HTTPRoute ${document.name} at ${source.file}:${source.place(["rules", ruleAt]).line}`;
}

export function pathTo({ source, ruleAt, matchAt }: RuleMatch): Path {
  return ["rules", ruleAt, ...matchPlace(source, ruleAt, matchAt)];
}

function nameOf({ namespace, name }: HttpRouteDocument): string {
  return `${namespace}/${name}`;
}

/** Matches that come before one and have all of its requests have the same literal beginning of the path, and host. */
export function bucketOf({ scope, match: { host = "", path } }: RuleMatch): string {
  const literal = path.type === "RegularExpression" ? literalStart(path.value) || "/" : path.value;
  return JSON.stringify([scope, host, path.type === "Exact", literal]);
}

/** Whether every request that fits the second fits the first. What cannot be told counts as no. */
export function includes(first: RouteMatch, second: RouteMatch): boolean {
  const { method, headers, query = [], host, from, model } = first;
  return (
    pathIncludes(first.path, second.path) &&
    (method === null || method === second.method) &&
    headers.every((each) => isAskedBy(each, second.headers)) &&
    query.every((each) => isAskedBy(each, second.query ?? [])) &&
    (host === undefined || host === second.host) &&
    (model === undefined || modelIncludes(model, second.model)) &&
    (from === undefined || (second.from?.every((caller) => isAmong(caller, from)) ?? false))
  );
}

function modelIncludes(first: ModelMatch, second: ModelMatch | undefined): boolean {
  if (second === undefined) return false;
  if (first.type === "Prefix") return second.value.startsWith(first.value);
  return second.type === "Exact" && first.value === second.value;
}

function pathIncludes(first: PathMatch, second: PathMatch): boolean {
  if (first.type === second.type && first.value === second.value) return true;
  if (second.type === "RegularExpression") return first.value === "/" && first.type === "PathPrefix";
  if (first.type === "Exact") return false;
  if (first.type === "PathPrefix")
    return second.value.startsWith(first.value === "/" ? "/" : `${first.value}/`);
  const start = onlyStart(first.value);
  return start !== null && second.value.startsWith(start);
}

function isAskedBy(condition: QueryMatch, others: readonly QueryMatch[]): boolean {
  const other = others.find(({ name }) => name === condition.name);
  if (other === undefined) return false;
  if (other.type === condition.type) return other.value === condition.value;
  return condition.type === "RegularExpression" && fitsExpression(condition.value, other.value);
}

function isAmong(caller: string, from: readonly string[]): boolean {
  return from.some(
    (each) => each === caller || (each.endsWith("/*") && caller.startsWith(each.slice(0, -1))),
  );
}

/** Whether no request fits both. What cannot be told counts as no. */
export function areApart(first: RouteMatch, second: RouteMatch): boolean {
  if (first.path.type !== second.path.type || first.path.value !== second.path.value) return true;
  if (first.method !== null && second.method !== null && first.method !== second.method) return true;
  if (namesOther(first.headers, second.headers) || namesOther(first.query ?? [], second.query ?? []))
    return true;
  const { from } = second;
  if (modelsApart(first.model, second.model)) return true;
  return (
    first.from !== undefined &&
    from !== undefined &&
    !first.from.some((each) => isAmong(each, from)) &&
    !from.some((each) => isAmong(each, first.from ?? []))
  );
}

function modelsApart(first: ModelMatch | undefined, second: ModelMatch | undefined): boolean {
  if (first === undefined || second === undefined) return false;
  return !modelIncludes(first, second) && !modelIncludes(second, first);
}

function namesOther(first: readonly QueryMatch[], second: readonly QueryMatch[]): boolean {
  return first.some(({ type, name, value }) =>
    second.some((other) => {
      if (other.name !== name) return false;
      if (type === "Exact" && other.type === "Exact") return value !== other.value;
      if (type === other.type) return false;
      return type === "Exact" ? !fitsExpression(other.value, value) : !fitsExpression(value, other.value);
    }),
  );
}

export function fitsExpression(expression: string, text: string): boolean {
  const compiled = compileExpression(expression);
  return compiled.ok && compiled.expression.test(text);
}
