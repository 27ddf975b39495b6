/** What operators take out of the mesh: what callers are told of it, who may, and what does not bring it back. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { controllerPaths, registryKeys, type DrainAnswer } from "../../../src/api/messages.ts";
import { readStatus } from "../../../src/app/operator_lists.ts";
import { showStatus } from "../../../src/cli/status_command.ts";
import { Terminal } from "../../../src/cli/terminal.ts";
import type { ServiceName } from "../../../src/model/service.ts";
import type { Snapshot } from "../../../src/model/snapshot.ts";
import { ControllerUnderTest } from "../../support/controller_under_test.ts";
import { terminalUnderTest } from "../../support/terminal_under_test.ts";

const named = (name: string): ServiceName => ({ name, namespace: "default" });
const [web, db] = [named("web"), named("db")];
const document = (name: string): string =>
  JSON.stringify({
    file: "mesh.yaml",
    text: `{kind: Service, name: ${name}, port: 80, protocol: http}`,
    leadsTo: [],
  });

let host: ControllerUnderTest;
beforeEach(async () => {
  host = await ControllerUnderTest.start();
  for (const name of ["web", "db"])
    await host.put(`${registryKeys.documents}Service/default/${name}`, document(name));
  await host.addNode("vm-1", [web]);
  await host.addNode("vm-2", [web, db]);
  for (const [node, service] of [
    ["vm-1", "web"],
    ["vm-2", "web"],
    ["vm-2", "db"],
  ] as const)
    await host.addInstance(node, service);
});
afterEach(() => host.close());

async function set(node: string, service: ServiceName | null, drained: boolean): Promise<DrainAnswer> {
  const answer = await host.operator().call("POST", controllerPaths.drains, { node, service, drained });
  return answer.body as DrainAnswer;
}

/** Ids of the endpoints that callers on a machine may call, and what that machine is told of its own services. */
async function seen(node = "vm-1"): Promise<{ called: string[]; own: string[] }> {
  const reader = host.follow(node, "", ["web.default", "db.default"]);
  const snapshot: Snapshot = await reader.snapshot(1);
  reader.close();
  const endpoints = snapshot.destinations.flatMap((each) => each.endpoints);
  expect(endpoints.filter(({ ready, drained }) => ready === (drained === true))).toEqual([]);
  return {
    called: endpoints.filter(({ ready }) => ready).map(({ id }) => id),
    own: snapshot.locals.filter(({ drained }) => drained === true).map(({ service }) => service.name),
  };
}

describe("a drained place", () => {
  test("of one service gets no call, and the others of its machine do", async () => {
    expect(await set("vm-2", web, true)).toEqual({ change: "changed", instances: ["vm-2/web.default/8080"] });
    expect((await seen()).called).toEqual(["vm-2/db.default/8080", "vm-1/web.default/8080"]);
    expect((await seen("vm-2")).own).toEqual(["web"]);
    expect(await set("vm-2", web, true)).toMatchObject({ change: "unchanged" });
    expect(await set("vm-2", web, false)).toMatchObject({ change: "changed" });
    expect((await seen()).called).toHaveLength(3);
  });

  test("that is a machine gets no call at all, and no service of it comes back alone", async () => {
    await set("vm-2", null, true);
    expect((await seen()).called).toEqual(["vm-1/web.default/8080"]);
    expect((await seen("vm-2")).own.sort()).toEqual(["db", "web"]);
    expect(set("vm-2", web, false)).rejects.toThrow("The whole machine vm-2 is drained");
  });

  test("stays drained when its machine joins and its instance registers again", async () => {
    await set("vm-2", web, true);
    await host.addNode("vm-2", [web, db]);
    await host.addInstance("vm-2", "web", false);
    await host.addInstance("vm-2", "web");
    expect((await seen()).called).not.toContain("vm-2/web.default/8080");
  });

  test("is forgotten with its machine, and others of a like name are not", async () => {
    await host.addNode("vm-22", [web]);
    for (const node of ["vm-2", "vm-22"]) await set(node, null, true);
    await set("vm-2", web, true);
    await host.operator().call("POST", `${controllerPaths.nodes}/vm-2/remove`, { force: false });
    expect(host.store.range(registryKeys.drains).entries.map(({ key }) => key)).toEqual(["drains/vm-22"]);
  });

  test("is refused where there is no such machine, or it may not be that service", async () => {
    expect(set("vm-9", null, true)).rejects.toThrow('There is no machine "vm-9"');
    expect(set("vm-1", db, true)).rejects.toThrow("vm-1 does not run db.default");
  });

  test("is told by status, with who did it", async () => {
    await set("vm-1", web, true);
    await set("vm-2", null, true);
    await host.addInstance("vm-2", "db", false);
    const status = await readStatus(host.operator());
    const { host: screen, out } = terminalUnderTest({});
    showStatus(new Terminal(screen), status);
    expect(out()).toMatch(/vm-2 +drained by admin/);
    expect(out()).toMatch(/web\.default +vm-1 +drained /);
    expect(out()).toMatch(/db\.default +vm-2 +drained, not ready/);
  });
});
