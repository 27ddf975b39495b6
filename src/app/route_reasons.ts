/** Which route of a service a request takes, and for each other one why not, in words. */
import type { RouteMatch } from "../model/document.ts";
import type { RouteView } from "../model/evidence.ts";
import { headersText, matchText, pathText } from "../model/route_words.ts";
import type { CompiledRoute } from "../model/snapshot.ts";
import { RouteMatcher } from "../proxy/route/match_route.ts";
import { noFields } from "../wire/head_fields.ts";
import type { Fields } from "../wire/fields.ts";

/** What is known of a request. */
export interface RouteSubject {
  readonly method: string;
  readonly path: string;
  /** null: they were not remembered. */
  readonly fields: Fields | null;
  /** The route that it took; null: the first that fits. */
  readonly took: string | null;
}

export interface ChosenRoute {
  readonly views: readonly RouteView[];
  /** null: none. */
  readonly chosen: CompiledRoute | null;
}

export function routesFor(routes: readonly CompiledRoute[], subject: RouteSubject): ChosenRoute {
  const misfits = routes.map(({ match }) => misfitOf(match, subject));
  const at = routes.findIndex(
    ({ name }, index) => misfits[index] === null && (subject.took === null || subject.took === name),
  );
  const views = routes.map((route, index) => ({
    name: route.name,
    match: matchText(route.match),
    chosen: index === at,
    because: index === at ? "" : (misfits[index] ?? lostWith(route, at >= 0 && index > at, subject)),
  }));
  return { views, chosen: routes[at] ?? null };
}

/** Nothing that is known of the request speaks against it. */
function lostWith({ match }: CompiledRoute, later: boolean, { fields }: RouteSubject): string {
  if (later) return "it fits too, and comes later";
  if (fields === null && match.headers.length > 0) return `a header did not fit: ${headersText(match)}`;
  return "it fits now: the routes have changed since, or a header";
}

/** null: it fits, as far as is known. */
function misfitOf(match: RouteMatch, { method, path, fields }: RouteSubject): string | null {
  if (match.method !== null && match.method !== method) return `it takes ${match.method}, not ${method}`;
  const asked = { method, path, fields: fields ?? noFields };
  if (!fits({ ...match, method: null, headers: [] }, asked))
    return `it takes ${pathText(match)}, not ${path}`;
  if (fields === null) return null;
  const missing = match.headers.find(
    (header) => !fits({ path: { type: "PathPrefix", value: "/" }, method: null, headers: [header] }, asked),
  );
  if (missing === undefined) return null;
  const found = fields.getAll(missing.name);
  const has = found.length === 0 ? "the request has none" : "the request has another";
  return `it takes ${headersText({ headers: [missing] })}, and ${has}`;
}

/** One that cannot be understood takes everything, and refuses it. */
function fits(match: RouteMatch, asked: { method: string; path: string; fields: Fields }): boolean {
  try {
    return new RouteMatcher(match).fits(asked);
  } catch {
    return true;
  }
}
