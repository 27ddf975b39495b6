/** Which route of a service a request takes, and for each other one why not, in words. */
import type { RouteMatch } from "../model/document.ts";
import type { RouteView } from "../model/evidence.ts";
import {
  callersText,
  headersText,
  hostText,
  matchText,
  modelText,
  pathText,
  queryText,
} from "../model/route_words.ts";
import type { CompiledRoute } from "../model/snapshot.ts";
import { RouteMatcher } from "../proxy/route/match_route.ts";
import { noFields } from "../wire/head_fields.ts";
import type { Fields } from "../wire/fields.ts";

/** What is known of a request. */
export interface RouteSubject {
  readonly method: string;
  readonly path: string;
  /** With its query. null: that was not remembered, nor whom it asked for. */
  readonly target: string | null;
  readonly authority: string | null;
  /** SPIFFE ID of who calls. */
  readonly sourceId: string;
  /** null: they were not remembered. */
  readonly fields: Fields | null;
  /** That it asks for; null: none, or that was not remembered. */
  readonly model?: string | null;
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
function lostWith({ match }: CompiledRoute, later: boolean, { fields, target }: RouteSubject): string {
  if (later) return "it fits too, and comes later";
  if (fields === null && match.headers.length > 0) return `a header did not fit: ${headersText(match)}`;
  const { query = [], host, model } = match;
  if (model !== undefined) return `it takes ${modelText(match)}, and it asked for another`;
  if (target === null && query.length > 0) return `the query did not fit: ${queryText(match)}`;
  if (target === null && host !== undefined) return `it takes ${hostText(match)}, and it asked for another`;
  return "it fits now: the routes have changed since, or a header";
}

/** null: it fits, as far as is known. */
function misfitOf(match: RouteMatch, subject: RouteSubject): string | null {
  const { method, path, target, authority, fields } = subject;
  if (match.method !== null && match.method !== method) return `it takes ${match.method}, not ${method}`;
  if (!fits({ ...everything, path: match.path }, subject)) return `it takes ${pathText(match)}, not ${path}`;
  const { from, host, query = [] } = match;
  if (from !== undefined && !fits({ ...everything, from }, subject))
    return `it takes ${callersText(match)}, not ${subject.sourceId}`;
  if (host !== undefined && authority !== null && !fits({ ...everything, host }, subject))
    return `it takes ${hostText(match)}, not ${authority === "" ? "the service by its name" : authority}`;
  const unmet = query.find((each) => target !== null && !fits({ ...everything, query: [each] }, subject));
  if (unmet !== undefined)
    return `it takes ${queryText({ query: [unmet] })}, and the query has no such parameter`;
  if (
    match.model !== undefined &&
    (subject.model ?? null) !== null &&
    !fits({ ...everything, model: match.model }, subject)
  )
    return `it takes ${modelText(match)}, not ${subject.model}`;
  if (fields === null) return null;
  const missing = match.headers.find((header) => !fits({ ...everything, headers: [header] }, subject));
  if (missing === undefined) return null;
  const found = fields.getAll(missing.name);
  const has = found.length === 0 ? "the request has none" : "the request has another";
  return `it takes ${headersText({ headers: [missing] })}, and ${has}`;
}

const everything: RouteMatch = { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] };

/** One that cannot be understood takes everything, and refuses it. */
function fits(
  match: RouteMatch,
  { method, path, target, authority, sourceId, fields, model = null }: RouteSubject,
): boolean {
  const known = { target: target ?? path, authority: authority ?? "", fields: fields ?? noFields, model };
  try {
    return new RouteMatcher(match).fits({ method, path, ...known }, sourceId);
  } catch {
    return true;
  }
}
