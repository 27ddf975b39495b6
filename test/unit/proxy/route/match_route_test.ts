/** Routes: the first that fits wins; prefixes are whole segments, headers are lists, methods exact. */
import { describe, expect, test } from "bun:test";
import type { HeaderMatch, PathMatch, RouteMatch } from "../../../../src/model/document.ts";
import { anyRequest, RouteMatcher, type RouteQuestion } from "../../../../src/proxy/route/match_route.ts";
import { idOf } from "../../../support/planes.ts";
import { fieldsOf } from "../../../support/wire.ts";

const everything: RouteMatch = { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] };

function fits(
  match: Partial<RouteMatch>,
  path: string,
  options: { method?: string; fields?: string[]; authority?: string; caller?: string } = {},
): boolean {
  const { method = "GET", fields = [], authority = "web.mesh", caller = idOf("web") } = options;
  const question: RouteQuestion = {
    ...{ method, target: path, path: path.split("?")[0] as string, authority },
    fields: fieldsOf(...fields),
  };
  return new RouteMatcher({ ...everything, ...match }).fits(question, caller);
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

describe("a parameter of the query", () => {
  const query = (value: string, type: "Exact" | "RegularExpression" = "Exact"): Partial<RouteMatch> => ({
    query: [{ type, name: "v", value }],
  });

  test("fits by its exact name and value, whatever stands beside it", () => {
    expect(fits(query("2"), "/x?v=2")).toBe(true);
    expect(fits(query("2"), "/x?a=1&v=2&b=3")).toBe(true);
    for (const target of ["/x", "/x?", "/x?V=2", "/x?v=22", "/x?v", "/v=2", "/x?vv=2", "/x?a=v=2"])
      expect([target, fits(query("2"), target)]).toEqual([target, false]);
    expect(fits(query(""), "/x?v")).toBe(true);
  });

  test("counts once: of several of one name the first", () => {
    expect(fits(query("1"), "/x?v=1&v=2")).toBe(true);
    expect(fits(query("2"), "/x?v=1&v=2")).toBe(false);
  });

  test("is read as its app reads it, so that no escape leads past a route", () => {
    expect(fits(query("a b"), "/x?v=a+b")).toBe(true);
    expect(fits(query("2"), "/x?%76=%32")).toBe(true);
    expect(fits(query("%zz"), "/x?v=%zz")).toBe(true);
  });

  test("fits an expression that it contains", () => {
    expect(fits(query("^[0-9]+$", "RegularExpression"), "/x?v=12")).toBe(true);
    expect(fits(query("^[0-9]+$", "RegularExpression"), "/x?v=a")).toBe(false);
    expect(fits(query("", "RegularExpression"), "/x")).toBe(false);
  });
});

describe("a host", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["shop.example", "shop.example", true],
    ["shop.example", "shop.example:8080", true],
    ["shop.example", "shop.example.", true],
    ["shop.example", "a.shop.example", false],
    ["shop.example", "", false],
    ["*.example", "shop.example", true],
    ["*.example", "a.shop.example:80", true],
    ["*.example", "example", false],
    ["*.example", ".example", false],
    ["*.example", "shopexample", false],
  ];
  for (const [host, authority, fit] of cases)
    test(`${host} ${fit ? "fits" : "does not fit"} "${authority}"`, () => {
      expect(fits({ host }, "/", { authority })).toBe(fit);
    });
});

test("a caller fits by its ID, or by whole segments that it begins with", () => {
  const from = [idOf("web"), "spiffe://mesh.test/ns/prod/sa/*"];
  for (const [caller, fit] of [
    [idOf("web"), true],
    [idOf("web2"), false],
    [idOf("any.prod"), true],
    [idOf("any.production"), false],
    ["", false],
  ] as const)
    expect([caller, fits({ from }, "/", { caller })]).toEqual([caller, fit]);
});

test("what stands for a route that cannot be understood fits everything, also OPTIONS *", () => {
  const question = { method: "OPTIONS", target: "*", path: "*", authority: "", fields: fieldsOf() };
  expect(anyRequest.fits(question, "")).toBe(true);
});

test("an expression that is none cannot become a route", () => {
  expect(() => new RouteMatcher({ ...everything, ...path("RegularExpression", "(") })).toThrow(
    "cannot be used",
  );
});
