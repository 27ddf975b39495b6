/** Finds the route of a request: the list is in order of precedence, the first that fits wins. */
import type { HeaderMatch, PathMatch, RouteMatch } from "../../model/document.ts";
import { compileExpression, type Expression } from "../../model/expression.ts";
import type { Fields } from "../../wire/fields.ts";

/** What routes look at. */
export interface RouteQuestion {
  readonly method: string;
  readonly path: string;
  readonly fields: Fields;
}

interface Matchable {
  readonly matcher: RouteMatcher;
}

export function matchRoute<Route extends Matchable>(
  routes: readonly Route[],
  question: RouteQuestion,
): Route | null {
  for (let at = 0; at < routes.length; at++) {
    const route = routes[at] as Route;
    if (route.matcher.fits(question)) return route;
  }
  return null;
}

/** One match with its expressions compiled. Throws when one is not valid. */
export class RouteMatcher {
  readonly #method: string | null;
  readonly #path: (path: string) => boolean;
  readonly #headers: readonly ((fields: Fields) => boolean)[];

  constructor(match: RouteMatch) {
    this.#method = match.method;
    this.#path = pathMatcher(match.path);
    this.#headers = match.headers.map(headerMatcher);
  }

  fits(question: RouteQuestion): boolean {
    if (this.#method !== null && this.#method !== question.method) return false;
    if (!this.#path(question.path)) return false;
    const headers = this.#headers;
    for (let at = 0; at < headers.length; at++) {
      if (!(headers[at] as (fields: Fields) => boolean)(question.fields)) return false;
    }
    return true;
  }
}

/** Fits everything: what stands for a route that cannot be understood, so that nothing below it is reached by mistake. */
export const anyRequest = new RouteMatcher({
  path: { type: "PathPrefix", value: "/" },
  method: null,
  headers: [],
});

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
  if (match.type === "Exact") return (fields) => combined(fields, name) === value;
  const expression = expressionOf(value);
  return (fields) => {
    const found = combined(fields, name);
    return found !== null && expression.test(found);
  };
}

/** Several fields of one name count as one list (RFC 9110 section 5.3), so that a second one cannot hide from a route. */
function combined(fields: Fields, name: string): string | null {
  const first = fields.get(name);
  if (first === null) return null;
  const all = fields.getAll(name);
  return all.length === 1 ? first : all.join(", ");
}

function expressionOf(text: string): Expression {
  const result = compileExpression(text);
  if (!result.ok) throw new Error(`the expression ${text} cannot be used: ${result.problem}`);
  return result.expression;
}
