import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { issueCodes } from "../../../src/config/issue_codes.ts";
import { issueText } from "../../../src/config/issue.ts";
import { lintDocuments, type KnownInstance } from "../../../src/config/lint/lint.ts";
import { loadDocuments } from "../../../src/config/load.ts";
import { testMs } from "../../support/patience.ts";

setDefaultTimeout(testMs);

const web =
  "{kind: Service, name: web, port: 80, protocol: http, subsets: {v1: {version: v1}, v2: {version: v2}}}";

/** `HED0110 web.yaml:3`, of documents that have no errors; each is a line of its own. */
function lint(lines: readonly string[], instances: readonly KnownInstance[] = []): string[] {
  const text = [web, ...lines].join("\n---\n");
  const { documents, issues } = loadDocuments([{ file: "web.yaml", text }], { policies: null });
  expect(issues.filter(({ severity }) => severity === "error").map(issueText)).toEqual([]);
  return lintDocuments(documents, instances).map(({ code, field, line }) => `${code} ${line} ${field}`);
}

const route = (name: string, ...rules: readonly string[]): string =>
  `{kind: HTTPRoute, name: ${name}, service: web, rules: [${rules.join(", ")}]}`;

describe("rules that never get a request are told", () => {
  test("where another document's rule asks the same, in other words too", () => {
    const first = route("a", "{match: {path: /x, headers: {a: '1', b: '2'}}}");
    const second = route(
      "b",
      "{match: {path: /x/, headers: [{name: B, value: '2'}, {name: A, value: '1'}]}}",
    );
    expect(lint([first, second])).toEqual(["HED0110 5 rules[0]"]);
  });

  test("where an expression takes all that its prefix has", () => {
    expect(lint([route("a", "{match: {path: '~ ^/x'}}", "{match: {path: /x}}")])).toEqual([
      "HED0110 3 rules[1]",
    ]);
    expect(lint([route("a", "{match: {path: '~ ^/.*$'}}", "{}")])).toEqual(["HED0110 3 rules[1]"]);
    expect(lint([route("a", "{match: {path: '~ ^/x.y'}}", "{match: {path: /x}}")])).toEqual([]);
  });

  test("where callers are among those of the rule before", () => {
    const own = "spiffe://corp.example/ns/default/sa";
    const rules = (one: string, two: string): string[] =>
      lint([route("a", `{match: {from: ${one}}}`, `{match: {from: ${two}}}`)]);
    expect(rules(`"${own}/*"`, `"${own}/web"`)).toEqual(["HED0110 3 rules[1]"]);
    expect(rules(`"${own}/web"`, `"${own}/*"`)).toEqual([]);
  });

  test("by the match where others of the rule are reached", () => {
    const rules = ["{match: {path: /x}}", "{matches: [{path: /y}, {path: /x}]}"];
    expect(lint([route("a", ...rules)])).toEqual(["HED0111 3 rules[1].matches[1]"]);
  });

  test("and not those of which one asks more", () => {
    const rules = ["{match: {path: /x, method: GET}}", "{match: {path: /x}}", "{match: {path: = /x}}", "{}"];
    expect(lint([route("a", ...rules)])).toEqual([]);
  });
});

describe("routes of two documents", () => {
  const byUser = route("a", "{match: {headers: {x-user: ada}}}");
  const byTeam = route("b", "{match: {headers: {x-team: blue}}}");

  test("that only their names put in order are told", () => {
    expect(lint([byUser, byTeam])).toEqual(["HED0112 5 rules[0]"]);
  });

  test("are not told where an order says it, or no request fits both", () => {
    expect(lint([byUser, byTeam.replace("service: web", "service: web, order: 1")])).toEqual([]);
    expect(lint([byUser, route("b", "{match: {headers: {x-user: bob}}}")])).toEqual([]);
  });
});

describe("redirects without end are told", () => {
  test("where the rule matches its own new place", () => {
    expect(lint([route("a", "{match: {path: /x}, redirect: {prefix: /x/y}}")])).toEqual([
      "HED0151 3 rules[0].redirect",
    ]);
    expect(lint([route("a", "{match: {path: /x}, redirect: {path: /x/y}}")])).toEqual([
      "HED0151 3 rules[0].redirect",
    ]);
    expect(lint([route("a", "{redirect: {prefix: /v2}}")])).toEqual(["HED0151 3 rules[0].redirect"]);
    expect(lint([route("a", "{match: {path: = /x}, redirect: {path: /x, status: 301}}")])).toEqual([
      "HED0150 3 rules[0].redirect",
    ]);
  });

  test("where two rules lead to one another, by their host too", () => {
    const there = "{match: {path: = /a}, redirect: {path: /b}}";
    expect(lint([route("a", there, "{match: {path: = /b}, redirect: {host: web.mesh, path: /a}}")])).toEqual([
      "HED0152 3 rules[0].redirect",
    ]);
  });

  test("and not where a more specific rule answers, or the place is outside of the mesh", () => {
    expect(lint([route("a", "{redirect: {path: /login}}", "{match: {path: /login}}")])).toEqual([]);
    expect(lint([route("a", "{redirect: {host: shop.example}}")])).toEqual([]);
    expect(lint([route("a", "{redirect: {scheme: https}}")])).toEqual([]);
    expect(lint([route("a", "{match: {path: /x}, redirect: {prefix: /y}}")])).toEqual([]);
  });
});

describe("time limits and retries that never hold are told", () => {
  const traffic = "{kind: Traffic, name: web, service: web, timeouts: {request: 2s}}";

  test("of one attempt, against what its Traffic says", () => {
    const rule = "{timeouts: {backendRequest: 5s}}";
    expect(lint([traffic, route("a", rule)])).toEqual(["HED0140 5 rules[0].timeouts.backendRequest"]);
    expect(lint([route("a", rule)])).toEqual([]);
    expect(lint([traffic, route("a", "{timeouts: {request: 0s, backendRequest: 5s}}")])).toEqual([]);
  });

  test("of connecting", () => {
    expect(lint([traffic.replace("{request", "{connect: 3s, request")])).toEqual([
      "HED0140 3 timeouts.connect",
    ]);
  });

  test("of waits between attempts", () => {
    const rule = (more: string): string => route("a", `{match: {method: GET}, ${more}}`);
    expect(lint([rule("timeouts: {request: 2s}, retry: {attempts: 3, backoff: 1s}")])).toEqual([
      "HED0141 3 rules[0].retry.backoff",
    ]);
    expect(lint([rule("timeouts: {request: 2s, backendRequest: 2s}, retry: {attempts: 1}")])).toEqual([
      "HED0141 3 rules[0].retry",
    ]);
    expect(lint([rule("timeouts: {request: 2s, backendRequest: 500ms}, retry: {attempts: 2}")])).toEqual([]);
  });

  test("of requests that are never sent again", () => {
    const posts = "{match: {method: POST}, retry: {attempts: 2}}";
    expect(lint([route("a", posts)])).toEqual(["HED0130 3 rules[0].retry"]);
    expect(lint([route("a", posts.replace("retry", "idempotent: true, retry"))])).toEqual([]);
    expect(lint([route("a", posts.replace("POST", "PUT"))])).toEqual([]);
    expect(lint([traffic.replace("timeouts: {request: 2s}", "retries: {grpc: [UNAVAILABLE]}")])).toEqual([
      "HED0130 3 retries.grpc",
    ]);
  });

  test("of repeats of every service", () => {
    expect(lint(["{kind: Mesh, name: mesh, traffic: {retries: {idempotent: true}}}"])).toEqual([
      "HED0131 3 traffic.retries.idempotent",
    ]);
  });
});

test("a subset that no instance is of is told once instances are known", () => {
  const service = { name: "web", namespace: "default" };
  expect(lint([])).toEqual([]);
  expect(lint([], [{ service, labels: { version: "v1" } }])).toEqual(["HED0120 1 subsets.v2"]);
});

test("a document of very many rules for one path is looked through in time that does not explode", () => {
  const rules = (from: number): string[] =>
    Array.from({ length: 16 }, (_, at) => `{match: {path: /x, headers: {h: '${from + at}'}}}`);
  const routes = Array.from({ length: 200 }, (_, at) => route(`r${at}`, ...rules(at * 16)));
  const text = [web, ...routes].join("\n---\n");
  const { documents } = loadDocuments([{ file: "many.yaml", text }], { policies: null });
  const started = process.cpuUsage();
  expect(lintDocuments(documents, [])).toEqual([]);
  expect(process.cpuUsage(started).user / 1000).toBeLessThan(5_000);
});

test("a thousand services of ten instances each are looked through in little time", () => {
  const many = Array.from({ length: 1_000 }, (_, at) => web.replace("name: web", `name: s${at}`));
  const instances = Array.from({ length: 10_000 }, (_, at) => ({
    service: { name: `s${at % 1_000}`, namespace: "default" },
    labels: { version: at < 5_000 ? "v1" : "v2" },
  }));
  const text = many.join("\n---\n");
  const { documents } = loadDocuments([{ file: "many.yaml", text }], { policies: null });
  const started = process.cpuUsage();
  expect(lintDocuments(documents, instances)).toEqual([]);
  // Every service with every instance took 0.8 s and more.
  expect(process.cpuUsage(started).user / 1000).toBeLessThan(400);
});

test("every code says what it is, what to do, and is a warning or an error by its number", () => {
  for (const [code, { severity, words, cure }] of Object.entries(issueCodes)) {
    expect([code, severity]).toEqual([code, code < "HED0110" ? "error" : "warning"]);
    expect([words.length > 20, cure.length > 10, words.endsWith(".")]).toEqual([true, true, false]);
  }
});
