/** CORS filters by the cases of the Gateway API (HTTPRouteCORS) and by the Fetch standard. */
import { describe, expect, test } from "bun:test";
import { crossing } from "../../../../src/proxy/rewrite/cors.ts";
import type { Cors } from "../../../../src/model/route_filters.ts";
import { fieldsFrom } from "../../../../src/wire/head_fields.ts";

const plain: Cors = { origins: [], credentials: false, methods: [], headers: [], expose: [], maxAgeS: 5 };
const first: Cors = {
  ...plain,
  origins: ["https://www.foo.com", "https://*.bar.com"],
  ...{ methods: ["GET", "OPTIONS"], headers: ["x-header-1", "x-header-2"] },
  ...{ expose: ["x-header-3", "x-header-4"], credentials: true, maxAgeS: 3600 },
};
const wild: Cors = { ...plain, origins: ["*"], methods: ["*"], headers: ["*"] };

function ask(cors: Cors, method: string, origin: string | null, more: readonly string[] = []) {
  const fields = fieldsFrom(origin === null ? more : ["origin", origin, ...more]);
  const found = crossing(cors, method, fields);
  const pairs = (all: readonly string[]) =>
    Object.fromEntries(all.flatMap((name, at) => (at % 2 === 0 ? [[name, all[at + 1]]] : [])));
  const { preflight = null, answer } = found ?? {};
  return {
    found,
    status: preflight?.status ?? 0,
    // As the client gets them.
    fields: { ...pairs(answer?.add ?? []), ...pairs(answer?.set ?? []), ...pairs(preflight?.headers ?? []) },
  };
}

const preflight = (cors: Cors, origin: string, method: string, headers = "") =>
  ask(cors, "OPTIONS", origin, [
    ...["access-control-request-method", method],
    ...(headers === "" ? [] : ["access-control-request-headers", headers]),
  ]);

describe("a preflight request", () => {
  for (const origin of ["https://www.foo.com", "https://www.bar.com", "https://xpto.www.bar.com"])
    test(`of ${origin} is answered with what it may`, () => {
      expect(preflight(first, origin, "GET", "x-header-1, x-header-2")).toMatchObject({
        status: 200,
        fields: {
          "access-control-allow-origin": origin,
          "access-control-allow-methods": "GET, OPTIONS",
          "access-control-allow-headers": "x-header-1, x-header-2",
          "access-control-expose-headers": "x-header-3, x-header-4",
          "access-control-max-age": "3600",
          "access-control-allow-credentials": "true",
          vary: "origin",
        },
      });
    });

  for (const origin of [
    "https://foobar.com",
    "https://bar.com",
    "http://www.bar.com",
    "https://www.bar.com:8443",
    "https://www.foo.com.evil.example",
    "https://evilbar.com",
    "null",
    "https://*.bar.com",
  ])
    test(`of ${origin} is refused, and names no origin`, () => {
      const { status, fields } = preflight(first, origin, "GET");
      expect(status).toBe(403);
      expect(Object.keys(fields)).toEqual(["vary"]);
    });

  test("gets the wildcard where there are no credentials, and what it asked for where there are", () => {
    expect(preflight(wild, "https://a.example:12345", "PUT", "x-1, x-2").fields).toMatchObject({
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "*",
      "access-control-allow-headers": "*",
    });
    const { fields } = preflight({ ...wild, credentials: true }, "https://other.foo.com", "PUT", "x-1, x-2");
    expect(fields).toMatchObject({
      "access-control-allow-origin": "https://other.foo.com",
      "access-control-allow-methods": "PUT",
      "access-control-allow-headers": "x-1, x-2",
      "access-control-allow-credentials": "true",
    });
    expect(preflight({ ...wild, credentials: true }, "https://a.example", "PUT").fields).not.toHaveProperty(
      "access-control-allow-headers",
    );
  });

  test("hears nothing of credentials, methods and headers that nobody allowed", () => {
    const { fields } = preflight({ ...plain, origins: ["https://a.example"] }, "https://a.example", "GET");
    expect(Object.keys(fields).sort()).toEqual([
      ...["access-control-allow-origin", "access-control-max-age", "vary"],
    ]);
  });
});

describe("another request", () => {
  test("goes on, and its answer says who may read it", () => {
    const { found, fields } = ask(first, "GET", "https://www.bar.com");
    expect(found?.preflight).toBeNull();
    expect(fields).toMatchObject({ "access-control-allow-origin": "https://www.bar.com" });
    // OPTIONS without what makes it a preflight request.
    expect(ask(first, "OPTIONS", "https://www.bar.com").found?.preflight).toBeNull();
  });

  test("of another origin goes on, and what the app says of it is left out", () => {
    const { found, fields } = ask(first, "GET", "https://foobar.com");
    expect(found?.preflight).toBeNull();
    expect(found?.answer.remove).toContain("access-control-allow-origin");
    expect(Object.keys(fields)).toEqual(["vary"]);
  });

  test("of no page is not touched", () => {
    expect(ask(first, "GET", null).found).toBeNull();
  });
});

test("an origin without a port means the usual one of its scheme, and * any", () => {
  const allows = (pattern: string, origin: string) =>
    preflight({ ...plain, origins: [pattern] }, origin, "GET").status === 200;
  expect(allows("https://a.example:443", "https://a.example")).toBe(true);
  expect(allows("http://a.example", "http://a.example:80")).toBe(true);
  expect(allows("https://a.example", "https://a.example:8443")).toBe(false);
  expect(allows("https://a.example:*", "https://a.example:8443")).toBe(true);
  expect(allows("https://*", "https://a.example")).toBe(true);
  expect(allows("http://*", "https://a.example")).toBe(false);
});
