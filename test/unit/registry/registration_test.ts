/** Who may register what: an instance of its own service, on a machine that may be it. */
import { afterAll, expect, test } from "bun:test";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import { registryKeys, registryPaths } from "../../../src/api/messages.ts";
import { limits } from "../../../src/model/limits.ts";
import type { Instance, Node } from "../../../src/model/service.ts";
import { MemoryStore } from "../../../src/registry/memory_store.ts";
import { createRegistry } from "../../../src/registry/server.ts";
import { DirectControl } from "../../support/direct_control.ts";

const trustDomain = "corp.example";
const { clock, random } = createRuntime();
const store = new MemoryStore(clock);
const { app } = createRegistry({ store, clock, random, trustDomain });
afterAll(() => store.close());

const web = { name: "web", namespace: "default" };
const asWeb = new DirectControl(app, `spiffe://${trustDomain}/ns/default/sa/web`);

async function addNode(name: string, services: Node["services"], removed = false): Promise<void> {
  const node: Node = { name, services, publicKey: "", joinedMs: 0, removed };
  await store.commit([], [{ do: "put", key: registryKeys.nodes + name, value: JSON.stringify(node) }]);
}

function register(change: Partial<Instance>): Promise<unknown> {
  const node = change.node ?? "vm-1";
  const id = `${node}/web.default/8080`;
  const instance = {
    id,
    service: web,
    node,
    address: "10.0.0.1",
    port: 7445,
    labels: {},
    ready: true,
    ...change,
  };
  return asWeb.call("PUT", registryPaths.instances, { instance, ttlMs: 10_000 });
}

await addNode("vm-1", [web]);
await addNode("vm-2", [{ name: "db", namespace: "default" }]);
await addNode("vm-3", [web], true);

test("an instance on a machine that may be its service is registered, and taken back by its service", async () => {
  await register({});
  const id = "vm-1/web.default/8080";
  expect(store.get(registryKeys.instances + id)).not.toBeNull();
  const asDb = new DirectControl(app, `spiffe://${trustDomain}/ns/default/sa/db`);
  const takeBack = { id };
  const path = `${registryPaths.instances}/remove`;
  await expect(asDb.call("POST", path, takeBack)).rejects.toMatchObject({ status: 403 });
  await asWeb.call("POST", path, takeBack);
  expect(store.get(registryKeys.instances + id)).toBeNull();
});

test("nothing is registered on a machine that may not be the service, was removed, or is unknown", async () => {
  for (const node of ["vm-2", "vm-3", "vm-4"])
    await expect(register({ node })).rejects.toMatchObject({ status: 403 });
});

test("nothing is registered for another service, or under another name than its place", async () => {
  const db = { name: "db", namespace: "default" };
  await expect(register({ service: db })).rejects.toMatchObject({ status: 403 });
  for (const id of [
    "vm-2/web.default/8080",
    "vm-1/web.default/x",
    "vm-1/web.default/8080/x",
    "vm-1/db.default/8080",
  ])
    await expect(register({ id })).rejects.toMatchObject({ status: 400 });
});

test("an instance says where it stands and how large its share is, within bounds", async () => {
  const said = { zone: "eu-1a", region: "eu-1", weight: 3, apart: true } as const;
  await register(said);
  const entry = store.get(`${registryKeys.instances}vm-1/web.default/8080`);
  expect(JSON.parse(entry?.value ?? "")).toMatchObject(said);
  for (const wrong of [{ zone: "Not a zone" }, { weight: 0 }, { weight: limits.instanceWeightMax + 1 }])
    await expect(register(wrong)).rejects.toMatchObject({ status: 400 });
});

test("what a newer proxy says of an instance besides is left out, and the rest is held to what it must be", async () => {
  const newer = { zone: "eu-1a", colour: "blue", constructor: { hidden: true } } as Partial<Instance>;
  await register(newer);
  const key = `${registryKeys.instances}vm-1/web.default/8080`;
  const stored = JSON.parse(store.get(key)?.value ?? "{}") as Record<string, unknown>;
  expect([stored["zone"], Object.keys(stored).includes("colour")]).toEqual(["eu-1a", false]);
  const { modified } = store.get(key) ?? {};
  await register(newer);
  expect(store.get(key)?.modified).toBe(modified as number);
  await expect(register({ ...newer, port: 0 })).rejects.toMatchObject({ status: 400 });
});
