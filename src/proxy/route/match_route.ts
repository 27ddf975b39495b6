/** One match of a route, compiled: whether a request fits it. Which of several wins is the business of `route_table.ts`. */
import type { HeaderMatch, PathMatch, QueryMatch, RouteMatch } from "../../model/document.ts";
import type { ModelMatch } from "../../model/inference.ts";
import { compileExpression, type Expression } from "../../model/expression.ts";
import type { Fields } from "../../wire/fields.ts";
import { queryValue } from "../../wire/query.ts";

/** What routes look at. */
export interface RouteQuestion {
  readonly method: string;
  /** With its query. */
  readonly target: string;
  readonly path: string;
  /** Host and port that were meant, lower case. */
  readonly authority: string;
  readonly fields: Fields;
  /** That its body asks for. Absent or null: none that is known. */
  readonly model?: string | null;
}

type Condition = (question: RouteQuestion, callerId: string) => boolean;

/** One match with its expressions compiled. Throws when one is not valid. */
export class RouteMatcher {
  readonly #method: string | null;
  readonly #path: (path: string) => boolean;
  readonly #headers: readonly ((fields: Fields) => boolean)[];
  /** What few routes ask. */
  readonly #more: readonly Condition[];

  constructor(readonly match: RouteMatch) {
    const { query = [], host, from, model } = match;
    this.#method = match.method;
    this.#path = pathMatcher(match.path);
    this.#headers = match.headers.map(headerMatcher);
    this.#more = [
      ...(from === undefined ? [] : [callerMatcher(from)]),
      ...(host === undefined ? [] : [hostMatcher(host)]),
      ...(model === undefined ? [] : [modelMatcher(model)]),
      ...query.map(queryMatcher),
    ];
  }

  /** `callerId`: SPIFFE ID of who calls. */
  fits(question: RouteQuestion, callerId: string): boolean {
    if (this.#method !== null && this.#method !== question.method) return false;
    if (!this.#path(question.path)) return false;
    const headers = this.#headers;
    for (let at = 0; at < headers.length; at++) {
      if (!(headers[at] as (fields: Fields) => boolean)(question.fields)) return false;
    }
    const more = this.#more;
    for (let at = 0; at < more.length; at++) {
      if (!(more[at] as Condition)(question, callerId)) return false;
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
  const prefix = prefixOf(value);
  return (path) =>
    path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f);
}

/** A prefix as paths begin with it: `/v2` for `/v2/`, "" for `/`. */
export function prefixOf(value: string): string {
  return value.endsWith("/") ? value.slice(0, -1) : value;
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

function queryMatcher({ type, name, value }: QueryMatch): Condition {
  if (type === "Exact") return ({ target }) => queryValue(target, name) === value;
  const expression = expressionOf(value);
  return ({ target }) => {
    const found = queryValue(target, name);
    return found !== null && expression.test(found);
  };
}

function modelMatcher({ type, value }: ModelMatch): Condition {
  if (type === "Exact") return ({ model }) => model === value;
  return ({ model }) => model?.startsWith(value) === true;
}

function hostMatcher(host: string): Condition {
  if (!host.startsWith("*.")) return ({ authority }) => hostOf(authority) === host;
  const suffix = host.slice(1);
  return ({ authority }) => {
    const asked = hostOf(authority);
    return asked.length > suffix.length && asked.endsWith(suffix);
  };
}

/** Without the port, and without the dot that ends an absolute name. */
export function hostOf(authority: string): string {
  const colon = authority.startsWith("[") ? authority.indexOf("]") + 1 : authority.indexOf(":");
  const host = colon > 0 && colon < authority.length ? authority.slice(0, colon) : authority;
  return host.endsWith(".") ? host.slice(0, -1) : host;
}

function callerMatcher(from: readonly string[]): Condition {
  const exact = new Set(from.filter((each) => !each.endsWith("/*")));
  // The slash stays: the prefix ends where a segment does.
  const prefixes = from.filter((each) => each.endsWith("/*")).map((each) => each.slice(0, -1));
  return (_, callerId) => exact.has(callerId) || prefixes.some((each) => callerId.startsWith(each));
}

function expressionOf(text: string): Expression {
  const result = compileExpression(text);
  if (!result.ok) throw new Error(`the expression ${text} cannot be used: ${result.problem}`);
  return result.expression;
}
