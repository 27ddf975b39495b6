import { afterEach, describe, expect, spyOn, test } from "bun:test";
import type { ApplyAnswer } from "../../../src/api/document_messages.ts";
import { controllerPaths, registryKeys, type StatusAnswer } from "../../../src/api/messages.ts";
import { SnapshotCompiler } from "../../../src/controller/compile/snapshot_compiler.ts";
import { limits } from "../../../src/model/limits.ts";
import { isWhole } from "../../../src/model/snapshot_version.ts";
import { ControllerUnderTest, type SnapshotReader } from "../../support/controller_under_test.ts";

const web = { name: "web", namespace: "default" };
const service = (name: string): string => `kind: Service\nname: ${name}\nport: 80\nprotocol: http\n`;

let host: ControllerUnderTest;
afterEach(() => host.close());

async function apply(...texts: readonly string[]): Promise<ApplyAnswer> {
  const files = texts.map((text, at) => ({ file: `${at}.yaml`, text }));
  const body = { files, policies: [], prune: false, dryRun: false };
  return (await host.operator().call("POST", controllerPaths.documents, body)).body as ApplyAnswer;
}

async function nodeStatus(name: string) {
  const status = (await host.operator().call("GET", controllerPaths.status)).body as StatusAnswer;
  return { status, node: status.nodes.find((each) => each.name === name) };
}

async function ask(node: string, uses: readonly string[]): Promise<unknown> {
  return (await host.as(`/node/${node}`).call("PUT", controllerPaths.uses, uses)).body;
}

describe("a machine's stream", () => {
  test("begins with its snapshot and goes on with what changes it, and nothing else", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", [web]);
    await apply(service("web"), service("api"));
    const reader = host.follow("vm-1", "", ["api.default"]);
    const first = await reader.snapshot(1);
    expect(isWhole(first)).toBe(true);
    expect(first.destinations.map((each) => each.endpoints.length)).toEqual([0]);
    await host.addInstance("vm-1", "web");
    await apply(service("unrelated"));
    await host.addInstance("vm-2", "api");
    const second = await reader.snapshot(2);
    expect(second.destinations[0]?.endpoints.map((each) => each.id)).toEqual(["vm-2/api.default/8080"]);
    expect(reader.news).toHaveLength(2);
  });

  test("is one of few: the oldest of one machine ends when it opens more, those of others stay", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", [web]);
    await host.addNode("vm-2", [web]);
    const other = host.follow("vm-2");
    await other.snapshot(1);
    const readers: SnapshotReader[] = [];
    for (let each = 0; each < limits.snapshotStreamsPerNodeMax + 2; each++) {
      const reader = host.follow("vm-1");
      await reader.snapshot(1);
      readers.push(reader);
    }
    await host.until(() => readers.filter((each) => each.ended !== undefined).length === 2);
    expect(readers.map((each) => each.ended !== undefined)).toEqual(readers.map((_, at) => at < 2));
    expect(other.ended).toBeUndefined();
    expect((await nodeStatus("vm-1")).node?.connected).toBe(true);
  });

  test("takes the machine's replies, of a member alone, and passes over what it does not know", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", [web]);
    const reader = host.follow("vm-1");
    const { version } = await reader.snapshot(1);
    const reply = { kind: "reply", version, error: null, certificates: [] };
    expect(reader.say({ kind: "of-a-later-day", version: 7 })).toBe(true);
    expect((await nodeStatus("vm-1")).node?.acknowledged).toBe("");
    expect(reader.say(reply)).toBe(true);
    expect(reader.say({ ...reply, ofALaterProxy: 1 })).toBe(true);
    expect((await nodeStatus("vm-1")).node?.acknowledged).toBe(version);
    expect(() => reader.say({ ...reply, version: 7 })).toThrow("Expected string but received 7");
    await host.operator().call("POST", `${controllerPaths.nodes}/vm-1/remove`, {});
    expect(() => reader.say(reply)).toThrow("not part of this mesh");
  });

  test("says that the version it came with still is the one", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", [web]);
    const before = host.follow("vm-1");
    const { version } = await before.snapshot(1);
    before.close();
    const reader = host.follow("vm-1", version);
    await host.until(() => reader.news.length > 0);
    expect(reader.news).toMatchObject([{ kind: "current", version }]);
    expect((await nodeStatus("vm-1")).node?.acknowledged).toBe(version);
  });

  test("brings a service that its apps newly ask for", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", [web]);
    await apply(service("api"));
    const reader = host.follow("vm-1");
    expect((await reader.snapshot(1)).destinations).toEqual([]);
    await host.as("/node/vm-1").call("PUT", controllerPaths.uses, ["api.default"]);
    expect((await reader.snapshot(2)).destinations.map((each) => each.service.name)).toEqual(["api"]);
  });

  test("hears at once which of the names it asks for no service has, and is sent those that exist", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", [web]);
    await host.addNode("vm-2", [web]);
    await apply(service("api"));
    const [reader, other] = [host.follow("vm-1"), host.follow("vm-2")];
    await Promise.all([reader.snapshot(1), other.snapshot(1)]);
    const asked = await ask("vm-1", ["api.default", "bogus.default", "soon.default"]);
    expect(asked).toEqual({ missing: ["bogus.default", "soon.default"] });
    // Not gathered with what else may change: somebody waits.
    await reader.snapshot(2);
    expect(await ask("vm-1", ["api.default", "soon.default"])).toEqual({ missing: ["soon.default"] });
    expect(other.news).toHaveLength(1);
    await apply(service("soon"));
    const third = await reader.snapshot(3);
    expect(third.destinations.map((each) => each.service.name)).toEqual(["api", "soon"]);
    expect((await other.snapshot(2)).destinations).toEqual([]);
  });

  test("costs nobody a snapshot when names that no service has are asked for", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", [web]);
    await apply(service("api"));
    const reader = host.follow("vm-1", "", ["api.default"]);
    await reader.snapshot(1);
    const compiled = spyOn(SnapshotCompiler.prototype, "compile");
    for (let at = 0; at < 100; at++) await ask("vm-1", ["api.default", `bogus-${at}.default`]);
    expect(compiled).not.toHaveBeenCalled();
    compiled.mockRestore();
    expect(reader.news).toHaveLength(1);
  });

  test("is not told that a service is missing by a controller that cannot read the documents", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", [web]);
    host.controller.catalog.documents = null;
    await expect(ask("vm-1", ["api.default"])).rejects.toMatchObject({ status: 503 });
  });

  test("gathers a burst of changes", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", []);
    await apply(service("api"));
    const reader = host.follow("vm-1", "", ["api.default"]);
    await reader.snapshot(1);
    for (let at = 0; at < 20; at++) await host.addInstance(`vm-${at}`, "api");
    await host.until(() =>
      reader.news.some(
        (line) => line.kind === "snapshot" && line.snapshot.destinations[0]?.endpoints.length === 20,
      ),
    );
    expect(reader.news.length).toBeLessThan(10);
  });

  test("ends when the machine is removed, and its identity is denied to the others", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", [web]);
    await host.addNode("vm-2", []);
    const [first, second] = [host.follow("vm-1"), host.follow("vm-2")];
    await Promise.all([first.snapshot(1), second.snapshot(1)]);
    await host.operator().call("POST", `${controllerPaths.nodes}/vm-1/remove`, {});
    await host.until(() => first.ended !== undefined);
    expect(first.news.at(-1)).toEqual({ kind: "removed" });
    const denied = (await second.snapshot(2)).deniedIds;
    expect(denied).toEqual(["spiffe://corp.example/node/vm-1", "spiffe://corp.example/ns/default/sa/web"]);
    const again = host.follow("vm-1");
    await host.until(() => again.ended !== undefined);
    expect(again.news).toEqual([{ kind: "removed" }]);
  });

  test("is refused to everybody but machines", async () => {
    host = await ControllerUnderTest.start();
    for (const path of ["/operator/ada", "/ns/default/sa/web", null]) {
      const call = host.as(path).call("POST", controllerPaths.snapshots, { version: "", uses: [] });
      await expect(call).rejects.toMatchObject({ status: path === null ? 401 : 403 });
    }
  });
});

describe("the status", () => {
  test("shows what each machine has, what it refused and why", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", [web]);
    const reader = host.follow("vm-1");
    const { version } = await reader.snapshot(1);
    const machine = host.as("/node/vm-1");
    await machine.call("POST", controllerPaths.reply, { version, error: null, certificates: [] });
    await apply(service("web"));
    const next = await reader.snapshot(2);
    const certificates = [{ id: "spiffe://corp.example/node/vm-1", notAfterMs: 2, issuedMs: 1 }];
    await machine.call("POST", controllerPaths.reply, { version, error: "too new", certificates });
    const { node, status } = await nodeStatus("vm-1");
    expect(node).toMatchObject({ connected: true, wanted: next.version, error: "too new", certificates });
    expect(status.services).toEqual([web]);
    expect(status.registry).toEqual({ ok: true, detail: "connected" });
    reader.close();
    await host.until(() => !host.controller.publisher.state("vm-1").connected);
  });
});

describe("documents that stand and cannot be read", () => {
  const key = `${registryKeys.documents}Access/default/web`;

  test("change nothing for a machine until they are applied anew", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", [web]);
    await apply(service("web"), "kind: Access\nname: web\nservice: web\nallow: [{from: web}]\n");
    const reader = host.follow("vm-1");
    expect((await reader.snapshot(1)).locals[0]?.access.otherwise).toBe("deny");
    await host.put(
      key,
      JSON.stringify({ file: "Access/default/web", text: "kind: Access\nnew: 1\n", leadsTo: [] }),
    );
    expect(host.controller.catalog.problem).toContain("Access/default/web:1:1");
    expect((await nodeStatus("vm-1")).status.registry.ok).toBe(false);
    await host.addNode("vm-2", []);
    expect(reader.news).toHaveLength(1);
    await apply("kind: Access\nname: web\nservice: web\nallow: [{from: any}]\n");
    expect((await reader.snapshot(2)).locals[0]?.access.allow).toHaveLength(1);
    expect(host.controller.catalog.problem).toBeNull();
  });

  test("hold back every snapshot of a controller that never could read them", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", [web]);
    host.controller.catalog.documents = null;
    const reader = host.follow("vm-1", "old");
    await host.until(() => reader.lines.length > 0);
    expect(reader.news).toEqual([]);
  });

  test("do not take the other entries along", async () => {
    host = await ControllerUnderTest.start();
    await host.put(`${registryKeys.nodes}broken`, "{");
    await host.addNode("vm-1", [web]);
    expect([...host.controller.catalog.nodes.keys()]).toEqual(["vm-1"]);
    expect(host.controller.catalog.problem).toBe("cannot read nodes/broken");
  });
});
