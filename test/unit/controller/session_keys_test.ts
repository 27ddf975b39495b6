/** Keys of sessions: made once, one for each service that has sessions, for the machines that call it and nobody else. */
import { afterEach, describe, expect, test } from "bun:test";
import type { DocumentsAnswer } from "../../../src/api/document_messages.ts";
import { controllerPaths } from "../../../src/api/messages.ts";
import { sessionSecretMark, type SessionSecret } from "../../../src/controller/session_secret.ts";
import { limits } from "../../../src/model/limits.ts";
import { ControllerUnderTest } from "../../support/controller_under_test.ts";

let host: ControllerUnderTest;
afterEach(() => host.close());

async function apply(text: string, dryRun = false): Promise<void> {
  const body = { files: [{ file: "mesh.yaml", text }], policies: [], prune: false, dryRun };
  await host.operator().call("POST", controllerPaths.documents, body);
}

const services = ["web", "shop", "bare"]
  .map((name) => `{kind: Service, name: ${name}, port: 80}`)
  .join("\n---\n");
const sessions = ["web", "shop"]
  .map((name) => `{kind: Traffic, name: ${name}, service: ${name}, sessionPersistence: {}}`)
  .join("\n---\n");

/** By service, as the machine's snapshot has them. */
async function keysOf(machine: string): Promise<Record<string, string | undefined>> {
  const reader = host.follow(machine, "", ["web.default", "shop.default", "bare.default"]);
  await host.until(() => reader.news.length > 0);
  const [line] = reader.news;
  reader.close();
  const destinations = line?.kind === "snapshot" ? line.snapshot.destinations : [];
  return Object.fromEntries(destinations.map((each) => [each.service.name, each.sessionKey]));
}

describe("the key of a service's sessions", () => {
  test("is another one for each service that has them, the same for every machine, and none for others", async () => {
    host = await ControllerUnderTest.start();
    for (const name of ["vm-1", "vm-2"]) await host.addNode(name, []);
    await apply(`${services}\n---\n${sessions}`);
    const { web = "", shop = "", bare } = await keysOf("vm-1");
    expect([web, shop].map((key) => Buffer.from(key, "base64").length)).toEqual([32, 32]);
    expect(web).not.toBe(shop);
    expect(bare).toBeUndefined();
    expect(await keysOf("vm-2")).toEqual({ web, shop, bare: undefined });
  });

  test("stays what it is, whatever is applied", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", []);
    await apply(`${services}\n---\n${sessions}`);
    const before = await keysOf("vm-1");
    await apply("{kind: Service, name: more, port: 80}");
    expect(await keysOf("vm-1")).toEqual(before);
  });

  test("gives way to another one once its secret is old, stays good beside that one, and is not replaced again", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", []);
    await apply(`${services}\n---\n${sessions}`);
    const before = await keysOf("vm-1");
    const stored = (): SessionSecret => JSON.parse(host.store.get(sessionSecretMark)?.value ?? "null");
    const { secret } = stored();
    const madeMs = Date.now() - limits.sessionSecretMs;
    await host.put(sessionSecretMark, JSON.stringify({ secret, madeMs }));
    await host.until(() => stored().secret !== secret);
    expect(stored().before?.secret).toBe(secret);
    await host.until(() => host.controller.catalog.sessionSecret?.secret === stored().secret);
    const reader = host.follow("vm-1", "", ["web.default", "bare.default"]);
    const { destinations } = await reader.snapshot(1);
    reader.close();
    const [bare, web] = destinations;
    expect(web?.sessionKey).not.toBe(before["web"]);
    expect(web?.sessionKeyBefore?.key).toBe(before["web"] as string);
    expect(web?.sessionKeyBefore?.replacedS).toBe(Math.ceil((stored().madeMs as number) / 1_000));
    expect([bare?.sessionKey, bare?.sessionKeyBefore]).toEqual([undefined, undefined]);
    const after = stored();
    await host.put(sessionSecretMark, JSON.stringify(after));
    await apply("{kind: Service, name: more, port: 80}");
    expect(stored()).toEqual(after);
  });

  test("of a version that never replaced it is replaced at once, and stays good", async () => {
    host = await ControllerUnderTest.start();
    const secret = Buffer.alloc(32, 5).toString("base64");
    await host.put(sessionSecretMark, JSON.stringify({ secret }));
    const stored = (): SessionSecret => JSON.parse(host.store.get(sessionSecretMark)?.value ?? "null");
    await host.until(() => stored().secret !== secret);
    expect(stored().before?.secret).toBe(secret);
  });

  test("is there for a service of which only a rule of a route has sessions", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", []);
    const off = "{kind: Traffic, name: shop, service: shop, sessionPersistence: {type: None}}";
    const route = (name: string, type: string): string =>
      `{kind: HTTPRoute, name: ${name}, service: ${name}, rules: [{sessionPersistence: {type: ${type}}}]}`;
    const http = services.replaceAll("port: 80", "port: 80, protocol: http");
    await apply([http, off, route("web", "Cookie"), route("shop", "None")].join("\n---\n"));
    const { web = "", shop } = await keysOf("vm-1");
    expect([Buffer.from(web, "base64").length, shop]).toEqual([32, undefined]);
  });

  test("is not made by a dry run, and no operator reads it", async () => {
    host = await ControllerUnderTest.start();
    await apply(services, true);
    expect(host.store.get(sessionSecretMark)).toBeNull();
    await apply(services);
    expect(host.store.get(sessionSecretMark)).not.toBeNull();
    const shown = (await host.operator().call("GET", controllerPaths.documents)).body as DocumentsAnswer;
    expect(JSON.stringify(shown)).not.toContain("secret");
  });
});
