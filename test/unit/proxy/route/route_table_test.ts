/** Which route a request takes: by the order of the Gateway API, whatever the number of routes, beside a slow and plain reading of it. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { compileRoutes } from "../../../../src/controller/compile/compile_routes.ts";
import type { HttpRouteDocument, RouteMatch } from "../../../../src/model/document.ts";
import { compileExpression } from "../../../../src/model/expression.ts";
import { literalStart } from "../../../../src/model/expression_syntax.ts";
import { RouteMatcher, type RouteQuestion } from "../../../../src/proxy/route/match_route.ts";
import { RouteTable } from "../../../../src/proxy/route/route_table.ts";
import { idOf, named, trustDomain } from "../../../support/planes.ts";
import { fieldsOf } from "../../../support/wire.ts";

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly caller: string;
}

const segment = fc.constantFrom("a", "b", "ab");
const somePath = fc.array(segment, { maxLength: 3 }).map((parts) => `/${parts.join("/")}`);
const someHost = fc.constantFrom("x.test", "y.x.test", "z.y.x.test", "other.test");
const someValues = fc.dictionary(fc.constantFrom("k", "l", "m"), fc.constantFrom("1", "2"), { maxKeys: 3 });
const someCaller = fc.constantFrom("web", "job", "web.prod", "job.prod");

const someMatch: fc.Arbitrary<RouteMatch> = fc
  .record({
    path: fc.oneof(
      fc.record({
        type: fc.constantFrom("Exact" as const, "PathPrefix" as const),
        value: somePath,
      }),
      fc.record({
        type: fc.constant("RegularExpression" as const),
        value: fc.constantFrom("^/a", "^/a/b$", "b", "^/[ab]+/", "^/ab/a"),
      }),
    ),
    method: fc.constantFrom(null, null, "GET"),
    headers: someValues,
    query: someValues,
    host: fc.constantFrom(undefined, undefined, "x.test", "y.x.test", "*.x.test", "*.test"),
    from: fc.constantFrom(undefined, undefined, "web", "job"),
  })
  .map(({ path, method, headers, query, host, from }) => ({
    ...{ path, method, headers: listOf(headers) },
    ...(Object.keys(query).length === 0 ? {} : { query: listOf(query) }),
    ...(host === undefined ? {} : { host }),
    ...(from === undefined ? {} : { from: [from] }),
  }));

interface Written {
  readonly name: string;
  readonly namespace: string;
  readonly order: number;
  readonly rules: readonly (readonly RouteMatch[])[];
}

const someDocument: fc.Arbitrary<Written> = fc.record({
  name: fc.constantFrom("r", "s", "t"),
  namespace: fc.constantFrom("default", "default", "prod"),
  order: fc.constantFrom(0, 0, 1),
  rules: fc.array(fc.array(someMatch, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 5 }),
});

const someRequest: fc.Arbitrary<Asked> = fc.record({
  method: fc.constantFrom("GET", "PUT"),
  path: somePath,
  query: someValues,
  host: someHost,
  headers: someValues,
  caller: someCaller,
});

function listOf(values: Readonly<Record<string, string>>): RouteMatch["headers"] {
  return Object.entries(values).map(([name, value]) => ({ type: "Exact", name, value }));
}

function documentOf({ name, namespace, order, rules }: Written): HttpRouteDocument {
  return {
    ...{ kind: "HTTPRoute", name, namespace, order, service: named("web") },
    rules: rules.map((matches, at) => ({
      ...{ name: `${at}`, matches, backends: [], policies: [], requestTimeoutMs: null, idempotent: false },
    })),
  };
}

function tableOf(
  documents: readonly HttpRouteDocument[],
): RouteTable<{ name: string; matcher: RouteMatcher }> {
  const compiled = compileRoutes(documents, { trustDomain, services: new Map(), bind: () => [] });
  return new RouteTable(compiled.map(({ name, match }) => ({ name, matcher: new RouteMatcher(match) })));
}

function questionOf({ method, path, query, host, headers }: Asked): RouteQuestion {
  const pairs = Object.entries(query).map(([name, value]) => `${name}=${value}`);
  const target = pairs.length === 0 ? path : `${path}?${pairs.join("&")}`;
  const fields = fieldsOf(...Object.entries(headers).map(([name, value]) => `${name}: ${value}`));
  return { method, target, path, authority: `${host}:80`, fields };
}

// ------------------------------------------------------------------------------------------------ the plain reading

/** Whether a match fits, by its words. */
function plainlyFits(match: RouteMatch, namespace: string, asked: Asked): boolean {
  const { type, value } = match.path;
  const path =
    type === "Exact"
      ? asked.path === value
      : type === "PathPrefix"
        ? `${asked.path}/`.startsWith(value === "/" ? "/" : `${value}/`)
        : new RegExp(value).test(asked.path);
  const has = (values: Readonly<Record<string, string>>, wanted: RouteMatch["headers"] = []): boolean =>
    wanted.every((each) => values[each.name] === each.value);
  const { host } = match;
  const hosts =
    host === undefined || host === asked.host || (host.startsWith("*") && asked.host.endsWith(host.slice(1)));
  const [name = "", own = "default"] = asked.caller.split(".");
  const callers = match.from === undefined || (match.from.includes(name) && own === namespace);
  const consumers = namespace === "default" || own === namespace;
  const method = match.method === null || match.method === asked.method;
  return (
    path &&
    method &&
    hosts &&
    callers &&
    consumers &&
    has(asked.headers, match.headers) &&
    has(asked.query, match.query)
  );
}

/** What decides between two that fit, the first difference counts: the greater is first. */
function plainRank(
  match: RouteMatch,
  document: HttpRouteDocument,
  rule: number,
): readonly (number | string)[] {
  const { type, value } = match.path;
  const { host = "" } = match;
  return [
    document.namespace === "default" ? 0 : 1,
    host === "" ? 0 : host.startsWith("*") ? 1 : 2,
    host.length,
    type === "Exact" ? 1 : 0,
    type === "PathPrefix" ? value.length : type === "Exact" ? 0 : Math.max(1, literalStart(value).length),
    type === "RegularExpression" ? 1 : 0,
    match.method === null ? 0 : 1,
    match.headers.length,
    match.query?.length ?? 0,
    match.from === undefined ? 0 : 1,
    -document.order,
    // Of texts the smaller is first.
    `${document.namespace}/${document.name}`,
    -rule,
  ];
}

function isBefore(a: readonly (number | string)[], b: readonly (number | string)[]): boolean {
  const at = a.findIndex((each, index) => each !== b[index]);
  if (at < 0) return false;
  const [one, two] = [a[at], b[at]];
  return typeof one === "string" ? one < (two as string) : (one as number) > (two as number);
}

function plainly(documents: readonly HttpRouteDocument[], asked: Asked): string | null {
  let best: { readonly name: string; readonly rank: readonly (number | string)[] } | null = null;
  for (const document of documents)
    document.rules.forEach(({ name, matches }, rule) => {
      for (const match of matches) {
        if (!plainlyFits(match, document.namespace, asked)) continue;
        const rank = plainRank(match, document, rule);
        if (best === null || isBefore(rank, best.rank)) best = { name: `${document.name}/${name}`, rank };
      }
    });
  const found = best as { readonly name: string } | null;
  if (found !== null || documents.some(({ namespace }) => namespace === "default"))
    return found?.name ?? null;
  // All routes are for callers of some namespaces: to others none is attached.
  const [, own = "default"] = asked.caller.split(".");
  return documents.some(({ namespace }) => namespace === own) ? "unmatched" : "";
}

test("a request takes the route that the standard's order says, of few and of many", () => {
  const sets = fc.uniqueArray(someDocument, {
    ...{ minLength: 1, maxLength: 5 },
    selector: ({ namespace, name }) => `${namespace}/${name}`,
  });
  fc.assert(
    fc.property(sets, fc.array(someRequest, { minLength: 1, maxLength: 20 }), (written, requests) => {
      const documents = written.map(documentOf);
      const table = tableOf(documents);
      for (const asked of requests) {
        const found = table.find(questionOf(asked), idOf(asked.caller))?.name ?? null;
        expect([asked, found]).toEqual([asked, plainly(documents, asked)]);
      }
    }),
    { numRuns: 300 },
  );
});

test("every expression of the property is one that both readings know", () => {
  for (const text of ["^/a", "^/a/b$", "b", "^/[ab]+/", "^/ab/a"])
    expect(compileExpression(text).ok).toBe(true);
});

test("a thousand routes leave the target of OPTIONS * to the one that takes everything", () => {
  const matches = Array.from({ length: 1_000 }, (_, at) => ({
    ...{ path: { type: "PathPrefix" as const, value: `/${at}` }, method: null, headers: [] },
  }));
  const everything: RouteMatch = { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] };
  const routes = [...matches, everything].map((match, at) => ({ at, matcher: new RouteMatcher(match) }));
  const table = new RouteTable(routes);
  const asked = { method: "OPTIONS", authority: "web.mesh", fields: fieldsOf() };
  expect(table.find({ ...asked, target: "*", path: "*" }, "")?.at).toBe(1_000);
  expect(table.find({ ...asked, target: "/7/x", path: "/7/x" }, "")?.at).toBe(7);
  expect(table.find({ ...asked, target: "/70", path: "/70" }, "")?.at).toBe(70);
  expect(new RouteTable(routes.slice(0, -1)).find({ ...asked, target: "*", path: "*" }, "")).toBeNull();
});

test("a path of many slashes is cut only where some prefix could end", () => {
  const routes = Array.from({ length: 100 }, (_, at) => ({
    ...{
      matcher: new RouteMatcher({ path: { type: "PathPrefix", value: `/${at}` }, method: null, headers: [] }),
    },
  }));
  const path = "/".repeat(16_000);
  let cuts = 0;
  const counted = new Proxy(Object(path) as object, {
    get: (target, name) => {
      if (name === "slice") cuts++;
      const value = Reflect.get(target, name) as unknown;
      return typeof value === "function" ? (value.bind(path) as unknown) : value;
    },
  }) as unknown as string;
  const asked = { method: "GET", target: path, path: counted, authority: "web.mesh", fields: fieldsOf() };
  expect(new RouteTable(routes).find(asked, "")).toBeNull();
  expect(cuts).toBeLessThan(4);
});
