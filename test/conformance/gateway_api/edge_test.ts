/**
 * Cases of gateways of the Gateway API, from its published documents as they are: loaded, compiled by the controller's compiler, and
 * asked the requests of their tests from outside, over planes in memory. `ORIGIN.md` says what this is and what it is not.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { issueText } from "../../../src/config/issue.ts";
import { loadDocuments } from "../../../src/config/load.ts";
import { SnapshotCompiler } from "../../../src/controller/compile/snapshot_compiler.ts";
import { instanceId, type Instance } from "../../../src/model/service.ts";
import { MemoryApp, MemoryCall, type AppRequest, type MemoryAnswer } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { testMs } from "../../support/patience.ts";
import { named, Planes, runtime, trustDomain } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";
import { edgeVectors, type EdgeVector } from "./edge_vectors.ts";

setDefaultTimeout(testMs);

const folder = join(import.meta.dir, "edge");
const infra = "gateway-conformance-infra";
const backends = [
  ...["infra-backend-v1", "infra-backend-v2", "infra-backend-v3"].map((name) => `${name}.${infra}`),
  ...["app-backend-v1", "app-backend-v2"].map((name) => `${name}.gateway-conformance-app-backend`),
  "web-backend.gateway-conformance-web-backend",
];
/** Services are declared here by documents of heddle. */
const assumed = backends
  .map((key) => {
    const { name, namespace } = named(key);
    return `{kind: Service, name: ${name}, namespace: ${namespace}, port: 8080, protocol: http}\n`;
  })
  .join("---\n");

interface Scene {
  ask(vector: EdgeVector): Promise<{ readonly answer: MemoryAnswer; readonly at: AppRequest | null }>;
}

/** One machine runs the gateway, another one the backends. */
async function sceneOf(document: string, gateway: string): Promise<Scene> {
  const files = ["_manifests.yaml", `${document}.yaml`].map((file) => ({
    ...{ file, text: readFileSync(join(folder, file), "utf8") },
  }));
  const { documents, issues } = loadDocuments([...files, { file: "assumed.yaml", text: assumed }], {
    policies: null,
  });
  expect(issues.filter(({ severity }) => severity === "error").map(issueText)).toEqual([]);
  const net = new MemoryNet();
  const apps = new Map(backends.map((key) => [key, echoApp(net, named(key).name)]));
  const edge = named(`${gateway}.${infra}`);
  const services = Object.fromEntries([...apps].map(([key, { port }]) => [key, { app: port }]));
  const planes = await Planes.inMemory(
    net,
    {
      name: "edge",
      services: { [`${gateway}.${infra}`]: { app: 9 } },
      ...{ gateways: [edge], files: runtime.files },
    },
    { name: "b", services },
  );
  const inbound = planes.machine("b").plane.inboundPort;
  const compiler = new SnapshotCompiler({
    ...{ trustDomain, bundle: { trustDomain, sequence: 1, rootsPem: planes.roots } },
    ...{ deniedIds: [], deniedSerials: [], sessionSecret: null, leadsTo: new Map(), policies: new Map() },
    ...{ trials: new Map(), addresses: new Map(), drains: new Set<string>() },
    documents: documents.map((each) => each.document),
    instances: [...apps].map(([key, { port }]): Instance => ({
      id: instanceId("b", { service: named(key), port }),
      ...{ service: named(key), node: "b", address: "127.0.0.1", port: inbound, labels: {}, ready: true },
    })),
  });
  planes.machine("edge").plane.apply(compiler.compile({ node: "edge", services: [edge], uses: [] }));
  planes.machine("b").plane.apply(compiler.compile({ node: "b", services: backends.map(named), uses: [] }));
  return {
    ask: async ({ path, host = "any.example", method = "GET", headers = {}, port = 80 }) => {
      const written = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
      const before = new Map([...apps].map(([key, app]) => [key, app.requests.length]));
      const call = new MemoryCall(net, port, [`${method} ${path} HTTP/1.1\r\n${written.join("")}\r\n`]);
      await net.settle();
      const reached = [...apps].flatMap(([key, { requests }]) => requests.slice(before.get(key)));
      expect(reached.length).toBeLessThanOrEqual(1);
      return { answer: call.answer, at: reached[0] ?? null };
    },
  };
}

const scenes = new Map<string, Promise<Scene>>();

/** The same for all requests of a document to one gateway. */
function sceneFor(document: string, gateway: string): Promise<Scene> {
  const key = `${document} ${gateway}`;
  const scene = scenes.get(key) ?? sceneOf(document, gateway);
  scenes.set(key, scene);
  return scene;
}

/** Answers with its name. */
function echoApp(net: MemoryNet, name: string): MemoryApp {
  const text = `HTTP/1.1 200 OK\r\ncontent-length: ${name.length}\r\n\r\n${name}`;
  return new MemoryApp(net, { at: (step, socket) => void (step === "whole" && socket.write(bytesOf(text))) });
}

async function hold(document: string, vector: EdgeVector): Promise<void> {
  const scene = await sceneFor(document, vector.gateway ?? "same-namespace");
  const { answer, at } = await scene.ask(vector);
  const { path, backend, location, appPath, appHost } = vector;
  expect(answer.status).toBe(vector.status ?? (backend === undefined ? 404 : 200));
  expect(answer.fields.get("location")).toBe(location);
  if (backend === undefined) return expect(at).toBeNull();
  expect(answer.body).toBe(backend);
  expect(at?.target).toBe(appPath ?? path);
  if (appHost !== undefined) expect(at?.all.find(([name]) => name === "host")?.[1]).toBe(appHost);
}

function shown({
  path,
  host = "",
  method = "GET",
  headers = {},
  port = 80,
  gateway = "",
}: EdgeVector): string {
  const words = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [method, `${host}${port === 80 ? "" : `:${port}`}${path}`, ...words, gateway].join(" ").trim();
}

for (const [document, asked] of Object.entries(edgeVectors))
  describe(`${document} at a gateway`, () => {
    for (const vector of asked) test(shown(vector), async () => hold(document, vector));
  });

/** What no request is asked of here still has to be read, or to be refused in words. */
test("every published document of gateways is read, or refused at a place of it, and 21 of 93 are held by requests", () => {
  const files = readdirSync(folder).filter((file) => file !== "_manifests.yaml");
  for (const file of files) {
    const text = readFileSync(join(folder, file), "utf8");
    const { issues } = loadDocuments([{ file, text }], { policies: null });
    for (const issue of issues) expect(issue.line).toBeGreaterThan(0);
  }
  expect([Object.keys(edgeVectors).length, files.length]).toEqual([21, 93]);
});
