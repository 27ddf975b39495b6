/** What documents of other meshes become is asked requests: the route index decides, as it does in a proxy. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { convertDocuments, type DialectName } from "../../../src/config/convert/convert.ts";
import { inOrder } from "../../../src/config/convert/ordered_rules.ts";
import { loadDocuments } from "../../../src/config/load.ts";
import { compileAccess } from "../../../src/controller/compile/compile_access.ts";
import { compileRoutes } from "../../../src/controller/compile/compile_routes.ts";
import type { HttpRouteDocument, RouteMatch, ServiceDocument } from "../../../src/model/document.ts";
import { compareRanks, rankOf } from "../../../src/model/route_rank.ts";
import { serviceKey } from "../../../src/model/service.ts";
import { decideAccess } from "../../../src/proxy/guard/access.ts";
import { RouteMatcher, type RouteQuestion } from "../../../src/proxy/route/match_route.ts";
import { RouteTable } from "../../../src/proxy/route/route_table.ts";
import { seeded } from "../../support/chance.ts";
import { testMs } from "../../support/patience.ts";

setDefaultTimeout(testMs);

const samples = join(import.meta.dir, "../../golden/convert");
const trustDomain = "corp.example";

function documentsOf(dialect: DialectName, file: string) {
  const text = readFileSync(join(samples, dialect, file), "utf8");
  const conversion = convertDocuments([{ file, text }], dialect, { trustDomain });
  const { documents } = loadDocuments([{ file, text: conversion.text }], { policies: null });
  return documents.map(({ document }) => document);
}

interface Asked {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly from?: string;
}

/** Where a request goes: `orders/v1 90, orders/v2 10`, `redirect 301`, `404`. */
function answer(dialect: DialectName, file: string, key: string, asked: Asked): string {
  const documents = documentsOf(dialect, file);
  const services = new Map<string, ServiceDocument>();
  for (const each of documents) if (each.kind === "Service") services.set(serviceKey(each), each);
  const routes = documents.filter(
    (each): each is HttpRouteDocument => each.kind === "HTTPRoute" && serviceKey(each.service) === key,
  );
  const compiled = compileRoutes(routes, { trustDomain, services, bind: () => [] });
  if (compiled.length === 0) return "the service itself";
  const table = new RouteTable(compiled.map((route) => ({ route, matcher: new RouteMatcher(route.match) })));
  const caller = `spiffe://${trustDomain}/ns/default/sa/${asked.from ?? "anybody"}`;
  const found = table.find(questionOf(asked), caller);
  if (found === null) return "404";
  const { filters, backends } = found.route;
  if (filters?.redirect !== undefined) return `redirect ${filters.redirect.status}`;
  expect(backends.map(({ invalid }) => invalid)).toEqual(backends.map(() => null));
  const shares = backends.map(({ service, subset, weight }) => {
    const name = subset === null ? service.name : `${service.name}/${subset}`;
    return backends.length === 1 ? name : `${name} ${weight}`;
  });
  return shares.join(", ");
}

function questionOf({ path, method = "GET", headers = {} }: Asked): RouteQuestion {
  const get = (name: string): string | null => headers[name] ?? null;
  const fields = { get, getAll: (name: string) => (get(name) === null ? [] : [get(name)]) };
  const [plain = ""] = path.split("?");
  return { method, target: path, path: plain, authority: "web.mesh", fields: fields as never };
}

const decisions: Readonly<Record<string, readonly (readonly [Asked, string])[]>> = {
  "istio/virtual-service-reviews-jason-v2-v3.yaml reviews": [
    [{ path: "/", headers: { "end-user": "jason" } }, "reviews/v2"],
    [{ path: "/", headers: { "end-user": "ada" } }, "reviews/v3"],
    [{ path: "/any" }, "reviews/v3"],
  ],
  "istio/virtual-service-reviews-80-20.yaml reviews": [[{ path: "/x" }, "reviews/v1 80, reviews/v2 20"]],
  "istio/virtual-service-reviews-v3.yaml reviews": [[{ path: "/x" }, "reviews/v3"]],
  "istio/virtual-service-ratings-mysql-vm.yaml ratings": [[{ path: "/" }, "ratings/v2-mysql-vm"]],
  // The first that fits counts, though another one is more specific.
  "consul/router-paths.json web": [
    [{ path: "/admin" }, "admin"],
    [{ path: "/administrator" }, "admin"],
    [{ path: "/admin/login" }, "admin"],
    [{ path: "/v1/x" }, "api"],
    [{ path: "/v1" }, "web"],
    [{ path: "/" }, "web"],
  ],
  "consul/router-overlap.json web": [
    [{ path: "/api/health", headers: { "x-debug": "1" } }, "debug"],
    [{ path: "/api/x", headers: { "x-debug": "1" } }, "debug"],
    [{ path: "/", headers: { "x-debug": "1" } }, "debug"],
    [{ path: "/api/health" }, "api"],
    [{ path: "/apis" }, "api"],
    [{ path: "/health" }, "web"],
  ],
  "consul/splitter-canary.yaml web": [[{ path: "/" }, "web/v1 90, web/v2 10"]],
  "consul/splitter-services.json web": [[{ path: "/" }, "web 5000, web-rewrite 4950, web-next 50"]],
  "consul/chain.yaml shop": [
    [{ path: "/cart/1" }, "cart/v1 75, cart/v2 25"],
    [{ path: "/" }, "shop"],
  ],
  "consul/chain.yaml cart": [[{ path: "/" }, "cart/v1 75, cart/v2 25"]],
  "consul/router-retries.json web": [
    [{ path: "/coffees" }, "procedure"],
    [{ path: "/coffees", method: "POST" }, "web"],
  ],
  "kuma/route-paths.yaml backend": [
    [{ path: "/v2/x" }, "backend/v2"],
    [{ path: "/v2x" }, "backend"],
    [{ path: "/status" }, "health"],
    [{ path: "/status", method: "POST" }, "backend"],
  ],
  "kuma/route-split.yaml backend": [
    [{ path: "/", from: "frontend" }, "backend/1-0 90, backend/2-0 10"],
    [{ path: "/", from: "other" }, "404"],
  ],
  "kuma/route-headers.yaml backend": [
    [{ path: "/?v=2", headers: { "x-user": "ada", "x-trace": "7", "x-zone": "eu-1" } }, "backend-v2"],
    [{ path: "/?v=2", headers: { "x-user": "ada", "x-zone": "eu-1" } }, "backend"],
    [{ path: "/", headers: { "x-user": "bob" } }, "backend-v2"],
    [{ path: "/", headers: { "x-user": "ab" } }, "backend"],
  ],
  "kuma/route-redirect.yaml shop": [
    [{ path: "/old/x" }, "redirect 301"],
    [{ path: "/new" }, "shop"],
  ],
  "linkerd/route-outbound.yaml web.emojivoto": [
    [{ path: "/", headers: { "x-canary": "true" } }, "web-v2"],
    [{ path: "/" }, "web 90, web-v2 10"],
  ],
  "linkerd/profile.yaml books.booksapp": [
    [{ path: "/books.json" }, "books"],
    [{ path: "/other" }, "books"],
  ],
  "linkerd/profile-split.yaml web.emojivoto": [[{ path: "/" }, "web-v1 900, web-v2 100"]],
};

for (const [what, asked] of Object.entries(decisions)) {
  const [sample = "", service = ""] = what.split(" ");
  const [dialect = "", file = ""] = sample.split("/");
  const key = service.includes(".") ? service : `${service}.default`;
  test(`${what} sends requests where the original does`, () => {
    for (const [request, expected] of asked)
      expect([request, answer(dialect as DialectName, file, key, request)]).toEqual([request, expected]);
  });
}

describe("who may call", () => {
  const id = (namespace: string, name: string): string =>
    `spiffe://${trustDomain}/ns/${namespace}/sa/${name}`;
  const rulesOf = (dialect: DialectName, file: string) => {
    const documents = documentsOf(dialect, file).filter((each) => each.kind === "Access");
    const { deny, allow, otherwise } = compileAccess(documents, trustDomain);
    const shown = (rules: typeof deny): string[] =>
      rules.map(({ source, methods, paths }) =>
        ["value" in source ? source.value : source.kind, ...methods, ...paths].join(" "),
      );
    return { otherwise, deny: shown(deny), allow: shown(allow) };
  };

  test("is who might, and nobody else", () => {
    expect(rulesOf("consul", "intentions-l4.json")).toEqual({
      ...{ otherwise: "deny", deny: [], allow: [id("default", "api")] },
    });
    expect(rulesOf("consul", "intentions-deny-one.json")).toEqual({
      ...{ otherwise: "deny", deny: [id("default", "legacy")], allow: ["any-mesh"] },
    });
    expect(rulesOf("consul", "intentions-l7.yaml")).toEqual({
      otherwise: "deny",
      deny: [`${id("default", "contractor-webapp")} /admin`],
      allow: [
        id("default", "contractor-webapp"),
        `${id("default", "admin-dashboard-webapp")} GET POST /admin`,
        `${id("default", "admin-dashboard-webapp")} /v1/*`,
        `${id("default", "admin-dashboard-webapp")} /reports /reports/*`,
      ],
    });
    expect(rulesOf("linkerd", "tls-identities.yaml")).toEqual({
      otherwise: "deny",
      deny: [],
      allow: [id("emojivoto", "web"), `spiffe://${trustDomain}/ns/batch/sa/`],
    });
    expect(rulesOf("linkerd", "server-audit.yaml").otherwise).toBe("allow");
    expect(rulesOf("linkerd", "networks.yaml")).toEqual({ otherwise: "deny", deny: [], allow: [] });
    expect(rulesOf("kuma", "permission-deny-all.yaml")).toEqual({ otherwise: "deny", deny: [], allow: [] });
    expect(rulesOf("kuma", "permission-spiffe.yaml").allow).toEqual([
      id("default", "orders"),
      `spiffe://${trustDomain}/ns/batch/`,
    ]);
  });
});

describe("documents that say together who may call", () => {
  const ofText = (dialect: DialectName, text: string) => {
    const conversion = convertDocuments([{ file: "a.yaml", text }], dialect, { trustDomain });
    const { documents } = loadDocuments([{ file: "a.yaml", text: conversion.text }], { policies: null });
    const access = (name: string) =>
      compileAccess(
        documents.flatMap(({ document }) =>
          document.kind === "Access" && document.service.name === name ? [document] : [],
        ),
        trustDomain,
      );
    const passes = (name: string, caller: string, path = "/", namespace = "default"): boolean =>
      decideAccess(access(name), `spiffe://${trustDomain}/ns/${namespace}/sa/${caller}`, "GET", path)
        .verdict === "allow";
    return { passes, counts: conversion.counts };
  };
  const service = (port: string): string =>
    `apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {selector: {app: shop}, ports: [${port}]}\n---\n`;

  test("one that is refused leaves a document that cannot be applied, until somebody has decided who may call", () => {
    const spec = `selector: {matchLabels: {app: shop}}, rules: [{when: [{key: "request.auth.claims[groups]", values: [a]}]}]`;
    const policy = `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: "a\\nkind: Service"}\nspec: {${spec}}\n`;
    const made = convertDocuments([{ file: "a.yaml", text: policy }], "istio", { trustDomain });
    expect(made.counts.refused).toBe(1);
    const { issues } = loadDocuments([{ file: "a.yaml", text: made.undecided }], { policies: null });
    expect(issues.filter(({ severity }) => severity === "error").map(({ message }) => message)).toEqual([
      expect.stringContaining("Undecided"),
    ]);
    expect(made.undecided).toStartWith("# AuthorizationPolicy a kind: Service (a.yaml:1) was refused:\n# - ");
  });

  test("what is refused and says who may call leaves word of it, however its kind is written and wherever it counts", () => {
    const resource = (group: string, kind: string): string =>
      `{apiVersion: ${group}/v1alpha1, kind: ${kind}, metadata: {name: a}, spec: {}}`;
    for (const [dialect, file, text] of [
      ["consul", "a.hcl", 'KIND = "service-intentions"\nName = "*"\n'],
      ["consul", "a.yaml", '{Kind: service_intentions, Name: "*"}'],
      ["consul", "a.yaml", resource("consul.hashicorp.com", "GatewayPolicy")],
      ["consul", "a.yaml", resource("consul.hashicorp.com", "RouteAuthFilter")],
      ["kuma", "a.yaml", "{type: TrafficPermission, mesh: default, name: a}"],
    ] as const) {
      const { counts, undecided } = convertDocuments([{ file, text }], dialect, { trustDomain });
      expect([text, counts.refused]).toEqual([text, 1]);
      expect([text, undecided]).toEqual([text, expect.stringContaining("kind: Undecided")]);
    }
  });

  test("a field of Consul that stands in two ways is refused: a denial in one of them would be lost", () => {
    const text =
      'Kind = "service-intentions"\nName = "db"\nSources { Name = "*"\n Action = "allow" }\nsources { Name = "web"\n Action = "deny" }\n';
    const made = convertDocuments([{ file: "a.hcl", text }], "consul", { trustDomain });
    expect(made.sources.flatMap(({ notes }) => notes)).toContainEqual({
      ...{ kind: "refused", line: 5, field: "sources" },
      text: "it is the same field as Sources, which stands here, too",
    });
    expect(made.undecided).toContain("kind: Undecided");
  });

  test("a permission of Kuma for one port of a service is refused: it would open the one that there is", () => {
    const permission = (section: string): string =>
      `type: MeshTrafficPermission\nmesh: default\nname: a\nspec:\n  targetRef: {kind: Dataplane, labels: {app: shop}${section}}\n  from: [{targetRef: {kind: Mesh}, default: {action: Allow}}]\n`;
    expect(ofText("kuma", permission("")).counts).toEqual({ converted: 1, loss: 0, refused: 0 });
    expect(ofText("kuma", permission(", sectionName: admin")).counts.refused).toBe(1);
  });

  test("a denial of Istio lets nobody in where another document allows", () => {
    const policy = (name: string, action: string, who: string): string =>
      `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: ${name}}\nspec: {selector: {matchLabels: {app: shop}}, action: ${action}, rules: [{from: [{source: {principals: ["cluster.local/ns/default/sa/${who}"]}}]}]}\n---\n`;
    const denial = policy("a", "DENY", "legacy");
    for (const text of [
      `${denial}${policy("b", "ALLOW", "web")}`,
      `${policy("b", "ALLOW", "web")}${denial}`,
    ]) {
      const { passes } = ofText("istio", `${service("{port: 80}")}${text}`);
      expect(["web", "legacy", "other"].map((who) => passes("shop", who))).toEqual([true, false, false]);
    }
    const alone = ofText("istio", `${service("{port: 80}")}${denial}`);
    expect(["legacy", "other"].map((who) => alone.passes("shop", who))).toEqual([false, true]);
  });

  test("what Istio allows on another port is allowed on none", () => {
    const policy = `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a}\nspec: {selector: {matchLabels: {app: shop}}, rules: [{to: [{operation: {ports: ["9090"]}}]}, {from: [{source: {principals: ["cluster.local/ns/default/sa/web"]}}], to: [{operation: {ports: ["8080"]}}]}]}\n`;
    const { passes } = ofText("istio", `${service("{port: 80, targetPort: 8080}")}${policy}`);
    expect(["web", "other"].map((who) => passes("shop", who))).toEqual([true, false]);
  });

  test("who Istio denies by all methods is denied by all, whatever else is named", () => {
    const policy = `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a}\nspec: {selector: {matchLabels: {app: shop}}, action: DENY, rules: [{to: [{operation: {methods: [POST, "*"]}}]}]}\n`;
    expect(ofText("istio", `${service("{port: 80}")}${policy}`).passes("shop", "web")).toBe(false);
  });

  test("who may call another port of a server of Linkerd may not call the service", () => {
    const server = (name: string, port: string, caller: string): string =>
      `apiVersion: policy.linkerd.io/v1beta3\nkind: Server\nmetadata: {name: ${name}, namespace: default}\nspec: {podSelector: {matchLabels: {app: shop}}, port: ${port}}\n---\napiVersion: policy.linkerd.io/v1alpha1\nkind: AuthorizationPolicy\nmetadata: {name: ${name}, namespace: default}\nspec: {targetRef: {group: policy.linkerd.io, kind: Server, name: ${name}}, requiredAuthenticationRefs: [{kind: ServiceAccount, name: ${caller}}]}\n---\n`;
    const both = `${server("admin", "9990", "prometheus")}${server("http", "8080", "web")}`;
    const known = ofText("linkerd", `${service("{port: 80, targetPort: 8080}")}${both}`);
    expect(["web", "prometheus"].map((who) => known.passes("shop", who))).toEqual([true, false]);
    // Nobody says which of them it is.
    const named = ofText("linkerd", `${service("{port: 80, targetPort: http}")}${both}`);
    expect(["web", "prometheus"].map((who) => named.passes("shop", who))).toEqual([false, false]);
    expect(named.counts.loss).toBe(2);
  });

  test("a permission of Kuma for all services lets nobody in where that of a service refuses them", () => {
    const all = `type: MeshTrafficPermission\nmesh: default\nname: all\nspec: {targetRef: {kind: Mesh}, from: [{targetRef: {kind: Mesh}, default: {action: Allow}}]}\n---\n`;
    const own = `type: MeshTrafficPermission\nmesh: default\nname: own\nspec: {targetRef: {kind: MeshService, name: shop}, from: [{targetRef: {kind: Mesh}, default: {action: Deny}}, {targetRef: {kind: MeshService, name: web}, default: {action: Allow}}]}\n---\n`;
    const dataplane = (name: string): string =>
      `type: Dataplane\nmesh: default\nname: ${name}-1\nnetworking: {address: 10.0.0.1, inbound: [{port: 8080, tags: {kuma.io/service: ${name}, kuma.io/protocol: http}}]}\n---\n`;
    const { passes } = ofText("kuma", `${dataplane("shop")}${dataplane("cart")}${all}${own}`);
    expect([passes("shop", "web"), passes("shop", "other"), passes("cart", "other")]).toEqual([
      true,
      false,
      true,
    ]);
  });

  test("all services of a namespace of Consul are those alone", () => {
    const entry = (sources: string): string =>
      `{"Kind": "service-intentions", "Name": "shop", "Sources": [${sources}]}`;
    const some = ofText("consul", entry(`{"Name": "*", "Namespace": "billing", "Action": "allow"}`));
    expect([some.passes("shop", "x", "/", "billing"), some.passes("shop", "x")]).toEqual([true, false]);
    const named = entry(
      `{"Name": "web", "Namespace": "billing", "Action": "allow"}, {"Name": "*", "Namespace": "billing", "Action": "deny"}`,
    );
    expect(ofText("consul", named).passes("shop", "web", "/", "billing")).toBe(true);
  });

  test("a source of Consul with rules of its own is refused where those of all sources let more pass", () => {
    const of = (name: string, path: string): string =>
      `{"Name": "${name}", "Permissions": [{"Action": "allow", "HTTP": {"PathExact": "${path}"}}]}`;
    const text = `{"Kind": "service-defaults", "Name": "shop", "Protocol": "http"}\n---\n{"Kind": "service-intentions", "Name": "shop", "Sources": [${of("web", "/a")}, ${of("*", "/b")}]}`;
    expect(ofText("consul", text).counts.refused).toBe(1);
  });
});

describe("rules of which the first counts", () => {
  const paths = [
    { type: "PathPrefix", value: "/" },
    { type: "Exact", value: "/a/b" },
    { type: "Exact", value: "/a" },
    { type: "RegularExpression", value: "^/a" },
    { type: "RegularExpression", value: "^/a/" },
    { type: "RegularExpression", value: "^/ab" },
    { type: "RegularExpression", value: "^(?:/a/.*b)$" },
  ] as const;
  const random = seeded(11);
  const one = <Value>(values: readonly Value[]): Value =>
    values[Math.floor(random.unit() * values.length)] as Value;
  const anyMatch = (): RouteMatch => ({
    path: one(paths),
    method: one([null, null, "GET", "POST"]),
    headers: ["x", "y"].flatMap((name) =>
      one<RouteMatch["headers"]>([
        [],
        [],
        [{ type: "Exact", name, value: one(["1", "2"]) }],
        [{ type: "RegularExpression", name, value: one([".*", "^1"]) }],
      ]),
    ),
  });
  const anyRequest = (): Asked => ({
    path: one(["/", "/a", "/a/b", "/a/c/b", "/ab", "/a/x", "/z"]),
    method: one(["GET", "POST"]),
    headers: Object.fromEntries(
      ["x", "y"].flatMap((name) => one([[], [[name, "1"]], [[name, "2"]], [[name, "12"]]] as string[][][])),
    ) as Record<string, string>,
  });

  test("answer the same where the most specific does, or are refused", () => {
    let refused = 0;
    for (let round = 0; round < 400; round++) {
      const rules = Array.from({ length: 2 + Math.floor(random.unit() * 4) }, () => ({
        matches: Array.from({ length: 1 + Math.floor(random.unit() * 2) }, anyMatch),
      }));
      const ordered = inOrder(rules);
      if (!ordered.ok) {
        refused++;
        continue;
      }
      const sorted = ordered.matches
        .flatMap((matches, rule) => matches.map((match) => ({ match, rule })))
        .sort((a, b) => compareRanks(rankOf(a.match), rankOf(b.match)) || a.rule - b.rule);
      for (let at = 0; at < 40; at++) {
        const asked = anyRequest();
        const fits = (match: RouteMatch): boolean => new RouteMatcher(match).fits(questionOf(asked), "");
        const expected = rules.findIndex(({ matches }) => matches.some(fits));
        const found = sorted.find(({ match }) => fits(match))?.rule ?? -1;
        expect({ rules, asked, found }).toEqual({ rules, asked, found: expected });
      }
    }
    expect(refused).toBeLessThan(200);
    expect(refused).toBeGreaterThan(0);
  });
});
