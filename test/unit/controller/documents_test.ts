import { afterEach, describe, expect, test } from "bun:test";
import type { ApplyAnswer, DocumentsAnswer } from "../../../src/api/document_messages.ts";
import { controllerPaths } from "../../../src/api/messages.ts";
import type { StoredPolicy } from "../../../src/controller/catalog.ts";
import type { PolicyBundler } from "../../../src/controller/policy_uses.ts";
import { limits } from "../../../src/model/limits.ts";
import { ControlRefusal } from "../../../src/api/control.ts";
import { ControllerUnderTest, noPolicies } from "../../support/controller_under_test.ts";

const service = (name: string, extra = ""): string =>
  `kind: Service\nname: ${name}\nport: 80\nprotocol: http\n${extra}`;
const route = (text: string): string => `kind: HTTPRoute\nname: web\nservice: web\nrules:\n${text}`;

let host: ControllerUnderTest;
afterEach(() => host.close());

interface Extra {
  readonly prune?: boolean;
  readonly dryRun?: boolean;
  readonly revision?: number;
  readonly policies?: readonly { readonly file: string; readonly text: string }[];
}

async function apply(texts: readonly string[], extra: Extra = {}): Promise<ApplyAnswer> {
  const files = texts.map((text, at) => ({ file: `${at}.yaml`, text }));
  const body = { files, policies: [], prune: false, dryRun: false, ...extra };
  return (await host.operator().call("POST", controllerPaths.documents, body)).body as ApplyAnswer;
}

async function refusalOf(call: Promise<unknown>): Promise<ControlRefusal> {
  return call.then(
    () => {
      throw new Error("Expected a refusal");
    },
    (error: ControlRefusal) => error,
  );
}

async function standing(): Promise<string[]> {
  const answer = (await host.operator().call("GET", controllerPaths.documents)).body as DocumentsAnswer;
  return answer.documents.map((each) => `${each.kind}/${each.name}`);
}

function changesOf(answer: ApplyAnswer): string[] {
  return answer.changes.map((each) => `${each.change} ${each.kind}/${each.name}`);
}

describe("applying documents", () => {
  test("creates, changes, leaves alone and deletes, and says so", async () => {
    host = await ControllerUnderTest.start();
    expect(changesOf(await apply([service("web"), service("api")]))).toEqual([
      "created Service/web",
      "created Service/api",
    ]);
    const again = await apply([`${service("web")}\n`, service("api", "stream: true\n")]);
    expect(changesOf(again)).toEqual(["unchanged Service/web", "changed Service/api"]);
    const pruned = await apply([service("web")], { prune: true });
    expect(changesOf(pruned)).toEqual(["unchanged Service/web", "deleted Service/api"]);
    expect(await standing()).toEqual(["Service/web"]);
  });

  test("checks the whole set: a route to a service that stands is fine, deleting that service then is not", async () => {
    host = await ControllerUnderTest.start();
    await apply([service("web"), service("api")]);
    await apply([route("- split: {api: 1}\n")]);
    const refusal = await refusalOf(apply([service("web"), route("- split: {api: 1}\n")], { prune: true }));
    expect(refusal.status).toBe(422);
    expect(JSON.stringify(refusal.problem.issues)).toContain("there is no Service api.default");
    expect(await standing()).toEqual(["Service/api", "Service/web", "HTTPRoute/web"]);
  });

  test("takes nothing when one document fails, and reports every problem with its place", async () => {
    host = await ControllerUnderTest.start();
    await apply([service("web")]);
    const bad = [service("web", "stream: true\n"), service("api").replace("80", "many"), "kind: Oops\n"];
    const refusal = await refusalOf(apply(bad));
    const issues = refusal.problem.issues as { file: string; line: number }[];
    expect(issues.map((each) => `${each.file}:${each.line}`)).toEqual(["1.yaml:3", "2.yaml:1"]);
    const answer = (await host.operator().call("GET", controllerPaths.documents)).body as DocumentsAnswer;
    expect(answer.documents.map((each) => each.text)).toEqual([service("web").trim()]);
  });

  test("changes nothing in a dry run, and tells which machines it would reach", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", [{ name: "web", namespace: "default" }]);
    await host.addNode("vm-2", [{ name: "api", namespace: "default" }]);
    const answer = await apply([service("web")], { dryRun: true });
    expect(changesOf(answer)).toEqual(["created Service/web"]);
    expect(answer.proxies).toEqual(["vm-1"]);
    expect(await standing()).toEqual([]);
    expect((await apply([service("web")])).proxies).toEqual(["vm-1"]);
    expect((await apply([service("web")])).proxies).toEqual([]);
  });

  test("tells of each machine what of its snapshot would differ", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", [{ name: "web", namespace: "default" }]);
    await host.addNode("vm-2", [{ name: "api", namespace: "default" }]);
    const reader = host.follow("vm-1", "", ["api.default"]);
    await apply([service("web"), service("api")]);
    const toApi = "kind: HTTPRoute\nname: api\nservice: api\nrules:\n- match: {path: /x}\n- {}\n";
    const access = "kind: Access\nname: api\nservice: api\nallow: [{from: web}]\n";
    const { machines } = await apply([toApi, access], { dryRun: true });
    expect(machines).toEqual([
      { node: "vm-1", changes: ["calls to api.default: routes api/rule-0 api/rule-1"] },
      { node: "vm-2", changes: ["calls of api.default: who may call"] },
    ]);
    await apply([toApi, access]);
    const changed = await apply([toApi.replace("/x", "/y"), service("api", "stream: true\n")]);
    expect(changed.machines).toEqual([
      { node: "vm-1", changes: ["calls to api.default: stream, routes api/rule-0"] },
      { node: "vm-2", changes: ["calls of api.default: stream"] },
    ]);
    reader.close();
  });

  test("tells of a machine that runs a gateway that listeners of that would differ", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", [{ name: "edge", namespace: "default" }]);
    const edge = (more: string): string =>
      `kind: Gateway\nname: edge\nlisteners: [{name: web, port: 80, protocol: http${more}}]\n`;
    await apply([edge("")]);
    const { machines } = await apply([edge(", proxyProtocol: true")], { dryRun: true });
    expect(machines).toEqual([{ node: "vm-1", changes: ["listeners of gateways"] }]);
  });

  test("goes by the revision that its operator saw, and names who changed what when", async () => {
    host = await ControllerUnderTest.start();
    const { revision } = await apply([service("web"), service("api")]);
    await apply([service("web", "stream: true\n")]);
    const refusal = await refusalOf(apply([service("web"), service("api")], { revision }));
    expect([refusal.status, refusal.message]).toEqual([
      409,
      expect.stringMatching(
        /upon revision \d+: Service web\.default was changed by admin at 20\d\d-\S+Z \(revision \d+\)$/,
      ),
    ]);
    // What others changed beside it is no conflict.
    expect(changesOf(await apply([service("api", "stream: true\n")], { revision }))).toEqual([
      "changed Service/api",
    ]);
    const later = host.controller.catalog.revision;
    await apply([service("api")], { prune: true });
    const again = await refusalOf(apply([service("web")], { revision: later }));
    expect(again.message).toMatch(/Service web\.default was deleted by admin at 20\S+ \(revision \d+\)/);
    const { documents } = (await host.operator().call("GET", controllerPaths.documents))
      .body as DocumentsAnswer;
    expect(documents).toEqual([
      expect.objectContaining({ name: "api", by: "admin", atMs: expect.any(Number) }),
    ]);
  });

  test("refuses when somebody else applied in between", async () => {
    let meanwhile = async (): Promise<void> => {};
    const bundler: PolicyBundler = {
      ...noPolicies,
      shipped: [],
      bundle: async () => {
        const once = meanwhile;
        meanwhile = async () => {};
        await once();
        return { policies: [], issues: [] };
      },
    };
    host = await ControllerUnderTest.start(bundler);
    await apply([service("web"), service("api")]);
    meanwhile = async () => void (await apply([route("- split: {api: 1}\n")]));
    const refusal = await refusalOf(apply([service("web")], { prune: true }));
    expect(refusal.status).toBe(409);
    expect(await standing()).toEqual(["Service/api", "Service/web", "HTTPRoute/web"]);
  });

  test("takes applies of different documents at the same moment, and refuses one of two that change the same", async () => {
    let meanwhile = async (): Promise<void> => {};
    const bundler: PolicyBundler = {
      ...noPolicies,
      shipped: [],
      bundle: async () => {
        const once = meanwhile;
        meanwhile = async () => {};
        await once();
        return { policies: [], issues: [] };
      },
    };
    host = await ControllerUnderTest.start(bundler);
    meanwhile = async () => void (await apply([service("api")]));
    expect(changesOf(await apply([service("web")]))).toEqual(["created Service/web"]);
    expect(await standing()).toEqual(["Service/api", "Service/web"]);
    meanwhile = async () => void (await apply([service("web", "stream: true\n")]));
    const refusal = await refusalOf(apply([service("web", "stream: false\n")]));
    expect([refusal.status, refusal.message]).toEqual([
      409,
      expect.stringContaining("Service web.default was changed by admin at "),
    ]);
  });

  test("refuses to apply nothing", async () => {
    host = await ControllerUnderTest.start();
    const refusal = await refusalOf(apply(["# empty\n"]));
    expect([refusal.status, refusal.message]).toEqual([400, expect.stringContaining("nothing to apply")]);
  });

  test("does not delete everything for files that hold nothing", async () => {
    host = await ControllerUnderTest.start();
    await apply([service("web")]);
    expect((await refusalOf(apply(["# empty\n"], { prune: true }))).status).toBe(400);
    expect(await standing()).toEqual(["Service/web"]);
  });

  test("keeps Machine documents out", async () => {
    host = await ControllerUnderTest.start();
    const refusal = await refusalOf(apply([`${service("web")}---\n{kind: Machine, name: vm-1}`]));
    expect(JSON.stringify(refusal.problem.issues)).toContain("belongs on its machine");
  });
});

describe("policies of documents", () => {
  const policy: StoredPolicy = {
    name: "to-beta",
    version: "1.0.0",
    hash: "aa",
    text: "the bundle",
    onError: "open",
    cpuMs: 2,
  };
  const bundler: PolicyBundler = {
    shipped: [],
    bundle: async () => ({ policies: [policy], issues: [] }),
    check: async (_, options) => ({
      issues: options["to"] === undefined ? [{ path: "values.0", message: "to is missing" }] : [],
      services: [String(options["to"])],
    }),
  };

  test("have their options checked at their place", async () => {
    host = await ControllerUnderTest.start(bundler);
    const text = service("web", "policies:\n- use: to-beta\n  with:\n    values: [1]\n");
    const { problem } = await refusalOf(apply([text]));
    expect(problem.issues).toMatchObject([
      {
        file: "0.yaml",
        line: 8,
        column: 14,
        severity: "error",
        message: 'policies[0].with.values.0: to is missing (an option of the policy "to-beta")',
      },
    ]);
  });

  test("are refused where they see requests alone and opaque connections would pass them by", async () => {
    const sees: PolicyBundler = {
      ...bundler,
      bundle: async () => ({
        policies: [
          { ...policy, hooks: ["onRequest"] },
          { ...policy, name: "counts", hash: "bb", hooks: ["onConnection", "onEnd"] },
        ],
        issues: [],
      }),
      check: async () => ({ issues: [] }),
    };
    host = await ControllerUnderTest.start(sees);
    const db = (protocol: string, use: string) =>
      `{kind: Service, name: db, port: 5432${protocol}, policies: [{use: ${use}, with: {}}]}\n`;
    for (const protocol of [", protocol: tcp", ", protocol: tls", ""]) {
      const { problem } = await refusalOf(apply([db(protocol, "to-beta")]));
      const message = expect.stringContaining('the policy "to-beta" sees requests alone');
      expect(problem.issues).toMatchObject([{ file: "0.yaml", line: 1, severity: "error", message }]);
      expect((await apply([db(protocol, "counts")])).warnings).toEqual([]);
    }
  });

  test("are refused where one proxy would need more processes than it may have; those that ship need one", async () => {
    const names = Array.from({ length: limits.policyProcessesMax + 1 }, (_, at) => `p${at}`);
    const bundled = (shipped: number): PolicyBundler => ({
      shipped: [],
      bundle: async () => ({
        policies: names.map((name, at) => ({ ...policy, name, hash: name, shipped: at < shipped })),
        issues: [],
      }),
      check: async () => ({ issues: [], services: [] }),
    });
    const uses = names.map((use) => `- use: ${use}\n  with: {}\n`);
    const texts = [0, 16, 32].map((from) =>
      service(`web-${from}`, `policies:\n${uses.slice(from, from + 16).join("")}`),
    );
    host = await ControllerUnderTest.start(bundled(0));
    const { problem } = await refusalOf(apply(texts));
    const message = expect.stringMatching(
      /^policies\[0\].use: the policy "p32" is one too many.*policyProcessesMax/,
    );
    expect(problem.issues).toMatchObject([{ file: "2.yaml", severity: "error", message }]);
    host.close();
    host = await ControllerUnderTest.start(bundled(2));
    expect((await apply(texts)).warnings).toEqual([]);
  });

  test("travel with the services that they lead to", async () => {
    host = await ControllerUnderTest.start(bundler);
    await host.addNode("vm-1", []);
    await apply([
      service("web", "policies: [{use: to-beta, with: {to: beta}}]\n"),
      service("beta"),
      service("not"),
    ]);
    const reader = host.follow("vm-1", "", ["web.default"]);
    const snapshot = await reader.snapshot(1);
    expect(snapshot.destinations.map((each) => each.service.name)).toEqual(["beta", "web"]);
    expect(snapshot.policies.map((each) => each.hash)).toEqual(["aa"]);
    const bundle = await host.as("/node/vm-1").fetchBytes(controllerPaths.policy.replace(":hash", "aa"));
    expect(new TextDecoder().decode(bundle)).toBe("the bundle");
  });
});

describe("documents are for operators", () => {
  for (const [who, path, status] of [
    ["a machine", "/node/vm-1", 403],
    ["a service", "/ns/default/sa/web", 403],
    ["nobody", null, 401],
  ] as const) {
    test(`not for ${who}`, async () => {
      host = await ControllerUnderTest.start();
      const body = { files: [], policies: [], prune: false, dryRun: true };
      expect((await refusalOf(host.as(path).call("POST", controllerPaths.documents, body))).status).toBe(
        status,
      );
      expect((await refusalOf(host.as(path).call("GET", controllerPaths.documents))).status).toBe(status);
      expect((await refusalOf(host.as(path).call("GET", controllerPaths.status))).status).toBe(status);
    });
  }
});
