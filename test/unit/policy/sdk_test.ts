/** What authors of policies are given. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { HeaderList } from "../../../src/policy/header_list.ts";
import { QueryList } from "../../../src/policy/query_list.ts";
import { next, respond, routeTo } from "../../../src/policy/sdk.ts";

test("constructors only build the data", () => {
  expect(next()).toEqual({ do: "next" });
  expect(next({ path: "/x" })).toEqual({ do: "next", path: "/x" });
  expect(routeTo("a")).toEqual({ do: "route", service: "a" });
  expect(routeTo("a", { subset: "v2" })).toEqual({ do: "route", service: "a", subset: "v2" });
  expect(respond(403, "no")).toEqual({ do: "respond", status: 403, reason: "no" });
  expect(respond(200, "x", "body", { a: "b" })).toEqual({
    do: "respond",
    status: 200,
    reason: "x",
    body: "body",
    headers: { a: "b" },
  });
});

describe("headers", () => {
  const headers = new HeaderList(["a", "1", "b", "2", "a", "3"]);
  test("are found without case, joined or one by one", () => {
    expect(headers.get("A")).toBe("1, 3");
    expect(headers.getAll("a")).toEqual(["1", "3"]);
    expect(headers.get("c")).toBeNull();
    expect([headers.has("B"), headers.has("c")]).toEqual([true, false]);
    expect([...headers]).toEqual([
      ["a", "1"],
      ["b", "2"],
      ["a", "3"],
    ]);
  });
});

describe("a query", () => {
  test("reads what URLSearchParams writes", () => {
    const pair = fc.tuple(fc.string(), fc.string());
    fc.assert(
      fc.property(fc.array(pair), (pairs) => {
        const text = new URLSearchParams(pairs).toString();
        expect([...new QueryList(text)].map((each) => [...each])).toEqual([...new URLSearchParams(text)]);
      }),
    );
  });

  test("leaves a percent sign that starts nothing, and never throws", () => {
    expect(new QueryList("a=%zz&b=100%&c=%ff&d").getAll("a")).toEqual(["%zz"]);
    expect(new QueryList("b=100%").get("b")).toBe("100%");
    expect(new QueryList("d").get("d")).toBe("");
    fc.assert(fc.property(fc.string(), (text) => void [...new QueryList(text)]));
  });
});
