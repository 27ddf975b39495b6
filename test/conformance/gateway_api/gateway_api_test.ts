/**
 * Mesh cases of the Gateway API, from its published documents as they are: loaded, compiled, and asked the requests of their tests, over
 * planes in memory. `ORIGIN.md` says what this is and what it is not.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { issueText } from "../../../src/config/issue.ts";
import { loadDocuments } from "../../../src/config/load.ts";
import { compileRoutes } from "../../../src/controller/compile/compile_routes.ts";
import type { HttpRouteDocument, ServiceDocument } from "../../../src/model/document.ts";
import { isAtPort, perParent } from "../../../src/model/route_parents.ts";
import { serviceKey } from "../../../src/model/service.ts";
import { MemoryApp, MemoryCall, type AppRequest, type MemoryAnswer } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { testMs } from "../../support/patience.ts";
import { Planes, trustDomain, type DestinationPlan } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";
import { grpcCall, vectors, weights, type Vector } from "./vectors.ts";

setDefaultTimeout(testMs);

const folder = join(import.meta.dir, "mesh");
const namespace = "gateway-conformance-mesh";
const consumers = `${namespace}-consumer`;
const names = ["echo", "echo-v1", "echo-v2", "echo-v3"];
/** What the cases assume beside their documents: services here, and who calls. */
const assumed = (port: number): string =>
  [...names, "client"]
    .map(
      (name) =>
        `{kind: Service, name: ${name}, namespace: ${namespace}, port: ${port}, protocol: http}\n---\n`,
    )
    .join("");

interface Scene {
  readonly warnings: readonly string[];
  ask(vector: Vector): Promise<{ readonly answer: MemoryAnswer; readonly at: AppRequest | null }>;
}

/** `port`: that of all services. Where the cases have one with several, they are asked once with each. */
async function sceneOf(document: string, port = 80): Promise<Scene> {
  const file = `${document}.yaml`;
  const written = [
    { file, text: readFileSync(join(folder, file), "utf8") },
    { file: "assumed.yaml", text: assumed(port) },
  ];
  const { documents, issues } = loadDocuments(written, { policies: null });
  expect(issues.filter(({ severity }) => severity === "error").map(issueText)).toEqual([]);
  const services = new Map<string, ServiceDocument>();
  for (const { document: each } of documents)
    if (each.kind === "Service") services.set(serviceKey(each), each);
  const routes = documents.flatMap(({ document: each }) => (each.kind === "HTTPRoute" ? [each] : []));
  const net = new MemoryNet();
  const apps = new Map(names.map((name) => [`${name}.${namespace}`, echoApp(net, name)]));
  const upstreams = [...apps.keys()];
  const planes = await Planes.inMemory(
    net,
    {
      name: "a",
      services: {
        [`client.${namespace}`]: { app: 9, upstreams },
        [`client.${consumers}`]: { app: 10, upstreams },
      },
    },
    { name: "b", services: Object.fromEntries([...apps].map(([key, { port }]) => [key, { app: port }])) },
  );
  const planOf = (key: string): DestinationPlan => ({ routes: routesOf(key, routes, services) });
  planes.apply({
    [`client.${namespace}`]: {},
    [`client.${consumers}`]: {},
    ...Object.fromEntries([...apps.keys()].map((key) => [key, planOf(key)])),
  });
  return {
    warnings: issues.map(issueText),
    ask: async (vector) => {
      const { path, host = "echo", method = "GET", headers = {}, from, to = "echo" } = vector;
      const caller = from === undefined ? `client.${namespace}` : `client.${consumers}`;
      const fields = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
      const port = planes.machine("a").port(caller, `${to}.${namespace}`);
      const before = new Map([...apps].map(([key, app]) => [key, app.requests.length]));
      const call = new MemoryCall(net, port, [`${method} ${path} HTTP/1.1\r\n${fields.join("")}\r\n`]);
      await net.settle();
      const reached = [...apps].flatMap(([key, app]) => app.requests.slice(before.get(key)));
      return { answer: call.answer, at: reached[0] ?? null };
    },
  };
}

/** Answers with its name. */
function echoApp(net: MemoryNet, name: string): MemoryApp {
  const text = `HTTP/1.1 200 OK\r\ncontent-length: ${name.length}\r\n\r\n${name}`;
  return new MemoryApp(net, { at: (step, socket) => void (step === "whole" && socket.write(bytesOf(text))) });
}

function routesOf(
  key: string,
  documents: readonly HttpRouteDocument[],
  services: ReadonlyMap<string, ServiceDocument>,
): ReturnType<typeof compileRoutes> {
  const own = documents
    .flatMap(perParent)
    .filter((route) => serviceKey(route.service) === key && isAtPort(route, services));
  return compileRoutes(own, { trustDomain, services, bind: () => [] });
}

function shown({ path, headers = {}, from = "", to = "", port }: Vector): string {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const words = [path, ...fields, from, to, port === undefined ? "" : `at port ${port}`];
  return words.filter((word) => word !== "").join(" ");
}

async function hold(scene: Scene, vector: Vector): Promise<void> {
  const { answer, at } = await scene.ask(vector);
  const { path, backend, location, appPath, appHeaders = {}, answerHeaders = {} } = vector;
  expect(answer.status).toBe(vector.status ?? 200);
  expect(answer.fields.get("location")).toBe(location);
  if (backend === undefined) return expect(at).toBeNull();
  expect(answer.body).toBe(backend);
  expect(at?.target).toBe(appPath ?? path);
  for (const [name, value] of Object.entries(appHeaders))
    expect([name, valueAt(at, name)]).toEqual([name, value]);
  for (const [name, value] of Object.entries(answerHeaders))
    expect([name, answer.fields.get(name) ?? null]).toEqual([name, value]);
}

/** Several fields of one name as one list. */
function valueAt(request: AppRequest | null, name: string): string | null {
  const all = request?.all.filter(([each]) => each === name).map(([, value]) => value) ?? [];
  return all.length === 0 ? null : all.join(",");
}

for (const [document, asked] of Object.entries(vectors))
  describe(document, () => {
    for (const vector of asked)
      test(shown(vector), async () => hold(await sceneOf(document, vector.port), vector));
  });

for (const [document, shares] of Object.entries(weights))
  test(`${document} sends each backend its part`, async () => {
    const asked: Vector = document.startsWith("grpc") ? grpcCall : { path: "/" };
    const scene = await sceneOf(document, asked.port);
    const count = 400;
    const found: string[] = [];
    for (let at = 0; at < count; at++) found.push((await scene.ask(asked)).answer.body);
    for (const [backend, share] of Object.entries(shares)) {
      const part = found.filter((each) => each === backend).length / count;
      // Five standard deviations.
      expect(Math.abs(part - share)).toBeLessThan(5 * Math.sqrt((share * (1 - share)) / count));
    }
  });

test("every document of the published mesh cases is held", () => {
  const documents = readdirSync(folder).map((file) => file.replace(/\.yaml$/, ""));
  const held = [vectors, weights].flatMap((each) => Object.keys(each));
  expect(documents.length).toBeGreaterThan(15);
  expect(documents.toSorted()).toEqual(held.toSorted());
});

test("a backend's port that its service does not have is told", async () => {
  const { warnings } = await sceneOf("httproute-matching");
  const says = (port: string): string => `${port}.gateway-conformance-mesh has one port, 80`;
  expect(warnings).toEqual([
    `httproute-matching.yaml:22:13: spec.rules[0].backendRefs[0].port: this says nothing: ${says("echo-v1")}`,
    `httproute-matching.yaml:32:13: spec.rules[1].backendRefs[0].port: this says nothing: ${says("echo-v2")}`,
  ]);
});
