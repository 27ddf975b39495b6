/** Finds the route of a request: the list is in order of precedence, the first that fits wins. */
import type { HeaderMatch, PathMatch } from "../../model/document.ts";
import { compileExpression, type Expression } from "../../model/expression.ts";
import type { CompiledBackend, CompiledRoute, Destination } from "../../model/snapshot.ts";
import type { Fields } from "../../wire/fields.ts";

export interface RouteQuestion {
  readonly method: string;
  readonly path: string;
  readonly fields: Fields;
}

/** A route with its expressions compiled and its weights added up. */
export interface LiveRoute {
  readonly route: CompiledRoute;
  readonly path: (path: string) => boolean;
  readonly headers: readonly ((fields: Fields) => boolean)[];
  readonly totalWeight: number;
}

export function liveRoutes(destination: Destination): LiveRoute[] {
  return destination.routes.map((route) => ({
    route,
    path: pathMatcher(route.match.path),
    headers: route.match.headers.map(headerMatcher),
    totalWeight: route.backends.reduce((sum, backend) => sum + backend.weight, 0),
  }));
}

export function matchRoute(routes: readonly LiveRoute[], question: RouteQuestion): LiveRoute | null {
  for (const live of routes) {
    const { method } = live.route.match;
    if (method !== null && method !== question.method) continue;
    if (live.path(question.path) && live.headers.every((fits) => fits(question.fields))) return live;
  }
  return null;
}

/** One backend by weight; `unit` is uniform in [0, 1). null when nothing has weight. */
export function chooseBackend(live: LiveRoute, unit: number): CompiledBackend | null {
  let left = unit * live.totalWeight;
  for (const backend of live.route.backends) {
    left -= backend.weight;
    if (left < 0) return backend;
  }
  return null;
}

function pathMatcher(match: PathMatch): (path: string) => boolean {
  const { type, value } = match;
  if (type === "Exact") return (path) => path === value;
  if (type === "RegularExpression") {
    const expression = expressionOf(value);
    return (path) => expression.test(path);
  }
  if (value === "/") return () => true;
  // Whole segments: /v2 matches /v2 and /v2/x, not /v2example.
  const prefix = value.endsWith("/") ? value.slice(0, -1) : value;
  return (path) =>
    path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f);
}

function headerMatcher(match: HeaderMatch): (fields: Fields) => boolean {
  const { name, value } = match;
  if (match.type === "Exact") return (fields) => fields.get(name) === value;
  const expression = expressionOf(value);
  return (fields) => {
    const found = fields.get(name);
    return found !== null && expression.test(found);
  };
}

function expressionOf(text: string): Expression {
  const result = compileExpression(text);
  // The controller let only such expressions pass; the caller refuses the snapshot.
  if (!result.ok) throw new Error(`Cannot use the expression ${text}: ${result.problem}`);
  return result.expression;
}
