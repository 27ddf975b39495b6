/** Filters of routes, by the tables of the Gateway API (HTTPPathModifier, HTTPRequestRedirectFilter), and on requests through planes in memory. */
import { describe, expect, test } from "bun:test";
import type { BackendFilters, Redirect, RouteFilters, RouteMatch } from "../../../src/model/document.ts";
import type { CompiledRoute } from "../../../src/model/snapshot.ts";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import { locationOf, rewrittenTarget } from "../../../src/proxy/rewrite/filters.ts";
import { MemoryApp, MemoryCall, type AppRequest, type MemoryAnswer } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { named, Planes, runtime } from "../../support/planes.ts";
import { ScriptedPolicies } from "../../support/scripted_policies.ts";
import { bytesOf } from "../../support/wire.ts";

const came = (target: string) => ({ target, path: target.split("?")[0] as string });

describe("a prefix is replaced by whole segments", () => {
  const table: readonly (readonly [path: string, prefix: string, value: string, becomes: string])[] = [
    ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
    ["/foo/bar", "/foo", "/xyz/", "/xyz/bar"],
    ["/foo/bar", "/foo/", "/xyz", "/xyz/bar"],
    ["/foo/bar", "/foo/", "/xyz/", "/xyz/bar"],
    ["/foo", "/foo", "/xyz", "/xyz"],
    ["/foo/", "/foo", "/xyz", "/xyz/"],
    ["/foo/bar", "/foo", "/", "/bar"],
    ["/foo/", "/foo", "/", "/"],
    ["/foo", "/foo", "/", "/"],
    ["/foo?a=1", "/foo", "/xyz", "/xyz?a=1"],
    ["/foo/bar", "/", "/xyz", "/xyz/foo/bar"],
    // Written by a policy since, and the `*` of OPTIONS: nothing is cut out of their middle.
    ["/elsewhere", "/foo", "/", "/elsewhere"],
    ["/foobar?a=1", "/foo", "/xyz", "/foobar?a=1"],
    ["*", "/", "/xyz", "*"],
  ];
  for (const [path, prefix, value, becomes] of table)
    test(`${path}: ${prefix} by ${value}`, () => {
      expect(rewrittenTarget({ whole: false, value }, prefix, came(path)).target).toBe(becomes);
    });

  test("or the whole path is, and the query stays", () => {
    expect(rewrittenTarget({ whole: true, value: "/one" }, "/foo", came("/foo/bar?q"))).toEqual({
      ...{ target: "/one?q", path: "/one" },
    });
  });
});

describe("a redirect leads to", () => {
  const table: readonly (readonly [redirect: Partial<Redirect>, authority: string, location: string])[] = [
    [{ host: "b.example" }, "a.example", "http://b.example/foo/x?q"],
    [{ host: "b.example" }, "a.example:8080", "http://b.example:8080/foo/x?q"],
    [{ port: 8081 }, "a.example", "http://a.example:8081/foo/x?q"],
    [{ port: 80 }, "a.example:8080", "http://a.example/foo/x?q"],
    [{ scheme: "https" }, "a.example:8080", "https://a.example/foo/x?q"],
    [{ scheme: "https", port: 8443 }, "a.example", "https://a.example:8443/foo/x?q"],
    [{ scheme: "https", port: 443 }, "a.example", "https://a.example/foo/x?q"],
    [{ scheme: "http", port: 8080 }, "a.example", "http://a.example:8080/foo/x?q"],
    [{ path: { whole: true, value: "/new" } }, "a.example", "http://a.example/new?q"],
    [{ path: { whole: false, value: "/new" } }, "a.example", "http://a.example/new/x?q"],
    [{}, "[::1]:8080", "http://[::1]:8080/foo/x?q"],
  ];
  for (const [redirect, authority, location] of table)
    test(location, () => {
      expect(locationOf({ status: 302, ...redirect }, "/foo", came("/foo/x?q"), authority)).toBe(location);
    });
});

test("a redirect of OPTIONS * leads to the root", () => {
  expect(locationOf({ status: 302, host: "b.example" }, "/", came("*"), "a.example")).toBe(
    "http://b.example/",
  );
});

interface Told {
  readonly answer: MemoryAnswer;
  /** Its bytes. */
  readonly text: string;
  readonly requests: readonly AppRequest[];
}

/** A request of a service whose only route does this. */
async function ask(
  filters: RouteFilters | undefined,
  request: string,
  backend?: BackendFilters,
  says: ScriptedPolicies["says"] = {},
): Promise<Told> {
  const net = new MemoryNet();
  const policies = new ScriptedPolicies();
  policies.says = says;
  const text = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-app: old\r\n\r\nok";
  const app = new MemoryApp(net, {
    at: (step, socket) => void (step === "whole" && socket.write(bytesOf(text))),
  });
  const planes = await Planes.inMemory(
    net,
    {
      name: "a",
      services: { caller: { app: 9, upstreams: ["web"] } },
      policies: createPolicyChain(policies, runtime.clock),
    },
    { name: "b", services: { web: { app: app.port } } },
  );
  const match: RouteMatch = { path: { type: "PathPrefix", value: "/foo" }, method: null, headers: [] };
  const route: CompiledRoute = {
    ...{ name: "r/1", match, requestTimeoutMs: null, idempotent: false },
    policies: Object.keys(says).length === 0 ? [] : [policies.binding()],
    backends: [
      {
        service: named("web"),
        subset: null,
        weight: 1,
        invalid: null,
        ...(backend === undefined ? {} : { filters: backend }),
      },
    ],
    ...(filters === undefined ? {} : { filters }),
  };
  planes.apply({ caller: {}, web: { routes: [route] } });
  const call = new MemoryCall(net, planes.machine("a").port("caller", "web"), [`${request}\r\n`]);
  await net.settle();
  return { answer: call.answer, text: call.text, requests: app.requests };
}

const request = "GET /foo/x?q=1 HTTP/1.1\r\nhost: web.mesh\r\nx-set: old\r\nX-Add: one\r\nx-gone: 1\r\n";
const changes = {
  ...{ remove: ["x-gone"], set: ["x-set", "new"], add: ["x-add", "two"] },
};

describe("a route", () => {
  test("sets, adds and takes away header fields of requests, names in any case", async () => {
    const { requests } = await ask({ requestHeaders: changes }, request);
    // Of several fields of one name the app keeps the last: what is added stands behind what came.
    const fields = requests[0]?.fields;
    expect([fields?.get("x-set"), fields?.get("x-add"), fields?.get("x-gone")]).toEqual([
      ...["new", "two", undefined],
    ]);
  });

  test("does the same with those of answers, and a backend with those of its own share", async () => {
    const answers = { responseHeaders: { remove: ["x-app"], set: ["x-route", "r"], add: [] } };
    const { answer, requests } = await ask(answers, request, { requestHeaders: changes });
    expect(answer.fields.get("x-app")).toBeUndefined();
    expect(answer.fields.get("x-route")).toBe("r");
    expect(requests[0]?.fields.get("x-set")).toBe("new");
  });

  test("has the last word on fields of answers that a policy writes too, and none is there twice", async () => {
    const responseHeaders = { remove: ["x-gone"], set: ["x-both", "route"], add: [] };
    const headers = { set: { "x-both": "policy", "x-gone": "policy", "x-own": "policy" } };
    const { text } = await ask({ responseHeaders }, request, undefined, {
      onResponse: { do: "next", headers },
    });
    expect(text.match(/^x-(?:both|gone|own): .*$/gm)).toEqual(["x-own: policy", "x-both: route"]);
  });

  test("writes another path and host for the app, and the query stays", async () => {
    const path = { whole: false, value: "/v2" };
    const { requests } = await ask({ rewrite: { path, host: "inner.example" } }, request);
    expect([requests[0]?.target, requests[0]?.fields.get("host")]).toEqual(["/v2/x?q=1", "inner.example"]);
  });

  test("cuts no prefix out of a path that a policy wrote elsewhere", async () => {
    const path = { whole: false, value: "/" };
    const { requests } = await ask({ rewrite: { path } }, request, undefined, {
      onRequest: { do: "next", path: "/barn/x" },
    });
    expect(requests[0]?.target).toBe("/barn/x");
  });

  test("sends clients elsewhere, and no app is asked", async () => {
    const { answer, requests } = await ask({ redirect: { status: 308, host: "b.example" } }, request);
    expect([answer.status, answer.fields.get("location")]).toEqual([308, "http://b.example/foo/x?q=1"]);
    expect(answer.fields.get("x-request-id")).toBeDefined();
    expect(requests).toEqual([]);
  });

  test("answers by itself", async () => {
    const respond = { status: 503, headers: ["retry-after", "60"], body: "closed\n" };
    const { answer, requests } = await ask({ respond }, request);
    expect([answer.status, answer.fields.get("retry-after"), answer.body]).toEqual([503, "60", "closed\n"]);
    expect(requests).toEqual([]);
  });
});
