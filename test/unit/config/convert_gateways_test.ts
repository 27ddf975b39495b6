/**
 * What gateways of other meshes become is asked requests: converted, compiled by the controller's compiler, and asked from outside over
 * planes in memory. Answers are those that the original documents say.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { convertDocuments, type DialectName } from "../../../src/config/convert/convert.ts";
import { issueText } from "../../../src/config/issue.ts";
import { loadDocuments } from "../../../src/config/load.ts";
import { SnapshotCompiler } from "../../../src/controller/compile/snapshot_compiler.ts";
import type { GatewayDocument, ServiceDocument } from "../../../src/model/document.ts";
import { instanceId, serviceKey, type Instance, type ServiceName } from "../../../src/model/service.ts";
import { MemoryApp, MemoryCall, type AppRequest } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { testMs } from "../../support/patience.ts";
import { Planes, runtime, trustDomain } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

setDefaultTimeout(testMs);

const samples = join(import.meta.dir, "../../golden/convert");

interface Asked {
  readonly path: string;
  readonly host?: string;
  readonly port: number;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Scene {
  /** Name of who answered, or the status; the request as it came there. */
  ask(asked: Asked): Promise<{ readonly who: string; readonly at: AppRequest | null }>;
}

/** An instance of each service, or of each of its subsets. */
interface Running {
  readonly service: ServiceName;
  readonly node: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly app: MemoryApp;
}

async function sceneOf(dialect: DialectName, text: string): Promise<Scene> {
  const conversion = convertDocuments([{ file: "a.yaml", text }], dialect, { trustDomain });
  expect(conversion.counts.refused).toBe(0);
  const loaded = loadDocuments([{ file: "a.yaml", text: conversion.text }], { policies: null });
  expect(loaded.issues.filter(({ severity }) => severity === "error").map(issueText)).toEqual([]);
  const documents = loaded.documents.map(({ document }) => document);
  const net = new MemoryNet();
  const all = documents.filter((each): each is ServiceDocument => each.kind === "Service");
  const running = all
    .flatMap((service) => instancesOf(service, net))
    .map((each, at) => ({ ...each, node: `m${at}` }));
  const edge = documents.find((each): each is GatewayDocument => each.kind === "Gateway") ?? {
    name: "",
    namespace: "",
  };
  const planes = await Planes.inMemory(
    net,
    { name: "edge", services: { [serviceKey(edge)]: { app: 9 } }, gateways: [edge], files: runtime.files },
    ...running.map(({ node, service, app }) => ({
      name: node,
      services: { [serviceKey(service)]: { app: app.port } },
    })),
  );
  const compiler = new SnapshotCompiler({
    ...{ trustDomain, bundle: { trustDomain, sequence: 1, rootsPem: planes.roots } },
    ...{ deniedIds: [], deniedSerials: [], sessionSecret: null, leadsTo: new Map(), policies: new Map() },
    ...{ trials: new Map(), addresses: new Map(), drains: new Set<string>(), documents },
    instances: running.map(({ service, node, labels, app }): Instance => ({
      ...{ id: instanceId(node, { service, port: app.port }), service, node, address: "127.0.0.1", labels },
      ...{ port: planes.machine(node).plane.inboundPort, ready: true },
    })),
  });
  planes.machine("edge").plane.apply(compiler.compile({ node: "edge", services: [edge], uses: [] }));
  for (const { node, service } of running)
    planes.machine(node).plane.apply(compiler.compile({ node, services: [service], uses: [] }));
  return {
    ask: async ({ path, host = "any.example", method = "GET", headers = {}, port }) => {
      const written = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
      const before = running.map(({ app }) => app.requests.length);
      const call = new MemoryCall(net, port, [`${method} ${path} HTTP/1.1\r\n${written.join("")}\r\n`]);
      await net.settle();
      const { status, body, fields } = call.answer;
      const location = fields.get("location");
      const who = status === 200 ? body : `${status}${location === undefined ? "" : ` ${location}`}`;
      return { who, at: running.flatMap(({ app }, at) => app.requests.slice(before[at]))[0] ?? null };
    },
  };
}

function instancesOf({ name, namespace, subsets }: ServiceDocument, net: MemoryNet): Omit<Running, "node">[] {
  const of = (own: string, labels: Running["labels"]): Omit<Running, "node"> => ({
    ...{ service: { name, namespace }, name: own, labels, app: echoApp(net, own) },
  });
  const some = Object.entries(subsets ?? {});
  return some.length === 0 ? [of(name, {})] : some.map(([subset, labels]) => of(`${name}/${subset}`, labels));
}

/** Answers with its name. */
function echoApp(net: MemoryNet, name: string): MemoryApp {
  const text = `HTTP/1.1 200 OK\r\ncontent-length: ${name.length}\r\n\r\n${name}`;
  return new MemoryApp(net, { at: (step, socket) => void (step === "whole" && socket.write(bytesOf(text))) });
}

function sample(path: string): string {
  return readFileSync(join(samples, path), "utf8");
}

/** Clear, that no certificate is needed to ask. */
const cleared: Readonly<Record<string, (text: string) => string>> = {
  "istio/written-gateway-hosts.yaml": (text) =>
    text
      .replaceAll("protocol: HTTPS", "protocol: HTTP")
      .replaceAll(/\n +tls: \{(?:httpsRedirect|mode: SIMPLE).*\}/g, "")
      .replace("bind: 192.0.2.1", "bind: 127.0.0.1"),
  "consul/api-gateway.yaml": (text) => text.replace(/ {4}TLS:\n.*\n.*\n/, ""),
  "kuma/gateway.yaml": (text) =>
    text.replace("protocol: HTTPS", "protocol: HTTP").replace(/\n +tls: \{mode: TERMINATE.*\}/, ""),
};

const answers: Readonly<Record<string, readonly (readonly [Asked, string])[]>> = {
  "istio/bookinfo-gateway.yaml": [
    [{ port: 8080, path: "/productpage" }, "productpage"],
    [{ port: 8080, path: "/productpage/x" }, "404"],
    [{ port: 8080, path: "/statics" }, "productpage"],
    [{ port: 8080, path: "/" }, "404"],
  ],
  // Requests of a host with routes of its own never go by those of all hosts.
  "istio/written-gateway-hosts.yaml": [
    [{ port: 443, host: "shop.example", path: "/cart/1" }, "cart"],
    [{ port: 443, host: "shop.example", path: "/old" }, "301 http://shop.example/new"],
    [{ port: 443, host: "shop.example", path: "/other" }, "404"],
    [{ port: 443, host: "a.shop.example", path: "/cart" }, "front"],
    [{ port: 443, host: "old.example", path: "/" }, "404"],
    [{ port: 80, host: "other.example", path: "/cart" }, "front"],
  ],
  "istio/written-gateway-and-mesh.yaml": [
    [{ port: 8080, host: "reviews", path: "/public" }, "reviews/v1"],
    [{ port: 8080, host: "reviews", path: "/", headers: { "end-user": "jason" } }, "404"],
    [{ port: 8080, path: "/public" }, "404"],
  ],
  "consul/ingress-http.yaml": [
    [{ port: 8080, host: "a.shop.example", path: "/carts" }, "cart/v1 or cart/v2"],
    [{ port: 8080, host: "shop.example", path: "/" }, "shop"],
    [{ port: 8080, host: "docs.ingress.consul", path: "/" }, "docs"],
    [{ port: 8080, host: "docs", path: "/" }, "404"],
  ],
  "consul/api-gateway.yaml": [
    [{ port: 8443, host: "shop.example", path: "/carts" }, "cart or cart-next"],
    [{ port: 8443, host: "shop.example", path: "/carts", method: "POST" }, "404"],
    [
      { port: 8443, host: "shop.example", path: "/x?debug=", headers: { "x-canary": "1" } },
      "cart or cart-next",
    ],
    [{ port: 8443, host: "shop.example", path: "/old" }, "shop"],
    [{ port: 8443, host: "other.example", path: "/carts" }, "web"],
    [{ port: 8443, host: "elsewhere", path: "/carts" }, "404"],
    [{ port: 8080, host: "elsewhere", path: "/carts" }, "web"],
  ],
  "kuma/gateway.yaml": [
    [{ port: 8443, host: "shop.example", path: "/cart/1" }, "cart or cart-next"],
    [{ port: 8443, host: "shop.example", path: "/carts" }, "404"],
    [{ port: 8080, host: "shop.example", path: "/cart/1" }, "front"],
  ],
  "linkerd/gateway.yaml": [
    [{ port: 80, host: "vote.example", path: "/api/x" }, "web"],
    [{ port: 80, host: "vote.example", path: "/apis" }, "404"],
    [{ port: 80, host: "other.example", path: "/api" }, "404"],
  ],
};

for (const [file, asked] of Object.entries(answers))
  test(`${file} answers from outside as the original does`, async () => {
    const scene = await sceneOf(file.split("/")[0] as DialectName, (cleared[file] ?? String)(sample(file)));
    for (const [request, expected] of asked) {
      const { who } = await scene.ask(request);
      expect([request, expected.split(" or ").includes(who) ? expected : who]).toEqual([request, expected]);
    }
  });

describe("a gateway of Consul", () => {
  test("edits fields before the rules of a service's own router do, and both are seen", async () => {
    const scene = await sceneOf("consul", sample("consul/ingress-http.yaml"));
    const { at } = await scene.ask({
      port: 8080,
      host: "shop.example",
      path: "/cart",
      headers: { "x-internal": "1" },
    });
    const fields = Object.fromEntries(at?.all ?? []);
    expect([fields["x-gateway"], fields["x-route"], fields["x-internal"]]).toEqual([
      "edge",
      "cart",
      undefined,
    ]);
  });

  test("rewrites the whole path of an exact match", async () => {
    const scene = await sceneOf(
      "consul",
      (cleared["consul/api-gateway.yaml"] ?? String)(sample("consul/api-gateway.yaml")),
    );
    const { at } = await scene.ask({ port: 8443, host: "shop.example", path: "/old" });
    expect(at?.target).toBe("/new");
  });
});
