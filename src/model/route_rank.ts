/**
 * Which of two matches of routes comes first, where a request fits both: the precedence of the Gateway API, with what heddle adds to
 * it (hosts and expressions). The compiler sorts by it, and `heddle lint` tells by it which rules never get a request.
 */
import type { HttpRouteDocument, PathMatch, RouteMatch } from "./document.ts";
import { literalStart } from "./expression_syntax.ts";

/** Each a number: the smaller comes first. */
export type MatchRank = readonly [
  host: number,
  hostLength: number,
  exact: number,
  literal: number,
  expression: number,
  method: number,
  model: number,
  modelLength: number,
  headers: number,
  query: number,
  callers: number,
];

/** The host comes before the path, the model behind both. Exact first; then by how much of the path is literal, an expression before a prefix of the same length. */
export function rankOf({
  path,
  method,
  headers,
  query = [],
  host = "",
  from = [],
  model,
}: RouteMatch): MatchRank {
  return [
    host === "" ? 2 : wildness(host),
    -host.length,
    path.type === "Exact" ? 0 : 1,
    path.type === "Exact" ? 0 : -literalLength(path),
    path.type === "RegularExpression" ? 0 : 1,
    method === null ? 1 : 0,
    model === undefined ? 2 : model.type === "Exact" ? 0 : 1,
    -(model?.value.length ?? 0),
    -headers.length,
    -query.length,
    from.length === 0 ? 1 : 0,
  ];
}

/** Below 0: the first comes first. */
export function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (let at = 0; at < a.length; at++) {
    const difference = (a[at] as number) - (b[at] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** A name with `*.` comes after one without. */
export function wildness(hostname: string): number {
  return hostname.startsWith("*.") ? 1 : 0;
}

/** A route in the namespace of its service is for every caller; in another one it is for the callers of that (GEP-1426). Those of gateways are for all. */
export function isForAll({
  gateway,
  namespace,
  service,
}: Pick<HttpRouteDocument, "gateway" | "namespace" | "service">): boolean {
  return gateway !== undefined || namespace === service.namespace;
}

/** Every path begins with a slash, so an expression that is tied to nothing still stands above the prefix `/`. */
function literalLength(path: PathMatch): number {
  return path.type === "RegularExpression" ? Math.max(1, literalStart(path.value).length) : path.value.length;
}
