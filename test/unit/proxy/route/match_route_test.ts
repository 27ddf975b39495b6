/** Routes: the first that fits wins; prefixes are whole segments, headers are lists, methods exact. */
import { describe, expect, test } from "bun:test";
import type { HeaderMatch, PathMatch, RouteMatch } from "../../../../src/model/document.ts";
import { anyRequest, matchRoute, RouteMatcher } from "../../../../src/proxy/route/match_route.ts";
import { fieldsOf } from "../../../support/wire.ts";

const everything: RouteMatch = { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] };

function fits(
  match: Partial<RouteMatch>,
  path: string,
  options: { method?: string; fields?: string[] } = {},
): boolean {
  const { method = "GET", fields = [] } = options;
  return new RouteMatcher({ ...everything, ...match }).fits({ method, path, fields: fieldsOf(...fields) });
}

const path = (type: PathMatch["type"], value: string): Partial<RouteMatch> => ({ path: { type, value } });
const header = (type: HeaderMatch["type"], name: string, value: string): Partial<RouteMatch> => ({
  headers: [{ type, name, value }],
});

describe("a path", () => {
  const cases: readonly (readonly [PathMatch["type"], string, string, boolean])[] = [
    ["Exact", "/v2", "/v2", true],
    ["Exact", "/v2", "/v2/", false],
    ["Exact", "/v2", "/V2", false],
    ["PathPrefix", "/", "/anything", true],
    ["PathPrefix", "/v2", "/v2", true],
    ["PathPrefix", "/v2", "/v2/x", true],
    ["PathPrefix", "/v2", "/v2example", false],
    ["PathPrefix", "/v2/", "/v2", true],
    ["PathPrefix", "/v2/", "/v2/x", true],
    ["PathPrefix", "/v2", "/v", false],
    ["RegularExpression", "/v[0-9]+/.*", "/v12/x", true],
    ["RegularExpression", "/v[0-9]+", "/x/v12/y", true],
    ["RegularExpression", "^/v[0-9]+$", "/v12", true],
    ["RegularExpression", "^/v[0-9]+$", "/v12/x", false],
    ["RegularExpression", "^/v[0-9]+$", "/x/v12", false],
  ];
  for (const [type, value, asked, fit] of cases)
    test(`${asked} ${fit ? "fits" : "does not fit"} ${type} ${value}`, () => {
      expect(fits(path(type, value), asked)).toBe(fit);
    });
});

describe("a header", () => {
  test("fits by its exact value, its name in any case", () => {
    expect(fits(header("Exact", "x-canary", "yes"), "/", { fields: ["X-Canary: yes"] })).toBe(true);
    expect(fits(header("Exact", "x-canary", "yes"), "/", { fields: ["x-canary: Yes"] })).toBe(false);
    expect(fits(header("Exact", "x-canary", "yes"), "/")).toBe(false);
  });

  test("that stands twice counts as one list, so that a second one hides nothing", () => {
    const fields = ["x-a: yes", "x-a: no"];
    expect(fits(header("Exact", "x-a", "yes"), "/", { fields })).toBe(false);
    expect(fits(header("Exact", "x-a", "yes, no"), "/", { fields })).toBe(true);
  });

  test("fits an expression that it contains", () => {
    const match = header("RegularExpression", "x-user", "^beta-[0-9]+");
    expect(fits(match, "/", { fields: ["x-user: beta-7"] })).toBe(true);
    expect(fits(match, "/", { fields: ["x-user: no beta-7"] })).toBe(false);
    expect(fits(match, "/")).toBe(false);
  });

  test("is one of several that must all fit", () => {
    const both = {
      headers: [...(header("Exact", "a", "1").headers ?? []), ...(header("Exact", "b", "2").headers ?? [])],
    };
    expect(fits(both, "/", { fields: ["a: 1", "b: 2"] })).toBe(true);
    expect(fits(both, "/", { fields: ["a: 1"] })).toBe(false);
  });
});

test("a method fits exactly", () => {
  expect(fits({ method: "GET" }, "/", { method: "GET" })).toBe(true);
  expect(fits({ method: "GET" }, "/", { method: "get" })).toBe(false);
  expect(fits({ method: "GET" }, "/", { method: "HEAD" })).toBe(false);
});

test("the first route that fits wins, and none is null", () => {
  const routes = [path("Exact", "/a"), path("PathPrefix", "/a"), path("PathPrefix", "/")].map(
    (match, name) => ({
      name,
      matcher: new RouteMatcher({ ...everything, ...match }),
    }),
  );
  const found = (asked: string) =>
    matchRoute(routes, { method: "GET", path: asked, fields: fieldsOf() })?.name;
  expect([found("/a"), found("/a/b"), found("/c")]).toEqual([0, 1, 2]);
  expect(matchRoute(routes.slice(0, 2), { method: "GET", path: "/c", fields: fieldsOf() })).toBeNull();
});

test("what stands for a route that cannot be understood fits everything, also OPTIONS *", () => {
  expect(anyRequest.fits({ method: "OPTIONS", path: "*", fields: fieldsOf() })).toBe(true);
});

test("an expression that is none cannot become a route", () => {
  expect(() => new RouteMatcher({ ...everything, ...path("RegularExpression", "(") })).toThrow(
    "cannot be used",
  );
});
