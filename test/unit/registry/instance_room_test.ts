/** How much one machine, and one service on it, may put into the registry. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import { registryKeys, registryPaths } from "../../../src/api/messages.ts";
import { limits } from "../../../src/model/limits.ts";
import type { Instance } from "../../../src/model/service.ts";
import { MemoryStore } from "../../../src/registry/memory_store.ts";
import { createRegistry } from "../../../src/registry/server.ts";
import { DirectControl } from "../../support/direct_control.ts";

const trustDomain = "corp.example";
const { clock, random } = createRuntime();
const services = ["web", "api", "db", "cache"].map((name) => ({ name, namespace: "default" }));

let store: MemoryStore;
let app: ReturnType<typeof createRegistry>["app"];

beforeEach(async () => {
  store = new MemoryStore(clock);
  app = createRegistry({ store, clock, random, trustDomain }).app;
  for (const name of ["vm-1", "vm-2"]) {
    const node = { name, services, publicKey: "", joinedMs: 0, removed: false };
    await store.commit([], [{ do: "put", key: registryKeys.nodes + name, value: JSON.stringify(node) }]);
  }
});
afterEach(() => store.close());

const as = (name: string): DirectControl =>
  new DirectControl(app, `spiffe://${trustDomain}/ns/default/sa/${name}`);

function register(name: string, port: number, change: Partial<Instance> = {}): Promise<unknown> {
  const node = change.node ?? "vm-1";
  const instance = {
    id: `${node}/${name}.default/${port}`,
    service: { name, namespace: "default" },
    node,
    address: "10.0.0.1",
    port: 7445,
    labels: {},
    ready: true,
    ...change,
  };
  return as(name).call("PUT", registryPaths.instances, { instance, ttlMs: 10_000 });
}

/** How many of so many were taken, and why the first was not. */
async function taken(calls: readonly Promise<unknown>[]): Promise<{ count: number; refused: string }> {
  const results = await Promise.allSettled(calls);
  const [first] = results.filter((each) => each.status === "rejected");
  return {
    count: results.filter((each) => each.status === "fulfilled").length,
    refused: first === undefined ? "" : (first.reason as Error).message,
  };
}

const many = (name: string, count: number, change: Partial<Instance> = {}, firstPort = 1_000) =>
  Array.from({ length: count }, (_, at) => register(name, firstPort + at, change));

const labelsOf = (bytes: number, size = 200): Record<string, string> =>
  Object.fromEntries(
    Array.from({ length: bytes / size }, (_, at) => [
      `l${String(at).padStart(3, "0")}`,
      "x".repeat(size - 4),
    ]),
  );

test("one service has so many instances on a machine, named by the limit, and as many on the next", async () => {
  const { count, refused } = await taken(many("web", 300));
  expect(count).toBe(limits.instancesPerServiceMax);
  expect(refused).toContain(`vm-1/web.default/`);
  expect(refused).toContain(`at most ${limits.instancesPerServiceMax} are allowed (instancesPerServiceMax)`);
  expect((await taken(many("web", 1, { node: "vm-2" }))).count).toBe(1);
});

test("a service that took all that it may leaves room for its neighbours, up to what the machine may have", async () => {
  await taken(many("web", 300));
  expect((await taken(many("api", 10))).count).toBe(10);
  await taken([...many("api", 300), ...many("db", 300), ...many("cache", 300)]);
  expect(store.range(`${registryKeys.instances}vm-1/`).entries).toHaveLength(limits.instancesPerNodeMax);
  await expect(register("cache", 9_999)).rejects.toThrow("(instancesPerNodeMax)");
});

test("labels of an instance are bounded in bytes and in number, by name", async () => {
  await register("web", 1, { labels: labelsOf(limits.labelBytesMax - 48) });
  await expect(register("web", 2, { labels: labelsOf(10_000) })).rejects.toThrow(
    `instance.labels: expected at most ${limits.labelBytesMax} bytes (labelBytesMax), found 10000`,
  );
  // Three bytes each in UTF-8.
  const wide = Object.fromEntries([..."abcdef"].map((name) => [name, "€".repeat(250)]));
  await expect(register("web", 2, { labels: wide })).rejects.toThrow("found 4506");
  const some = Object.fromEntries(Array.from({ length: limits.labelsMax + 1 }, (_, at) => [`l${at}`, ""]));
  await expect(register("web", 2, { labels: some })).rejects.toThrow(
    `expected at most ${limits.labelsMax} labels (labelsMax), found ${limits.labelsMax + 1}`,
  );
});

test("labels of a machine are bounded in bytes, and one service alone does not use them up", async () => {
  const labels = labelsOf(4_000);
  const { count } = await taken(many("web", 300, { labels }));
  expect(count).toBe(limits.instancesPerServiceMax);
  expect((await taken(many("api", limits.instancesPerServiceMax, { labels }))).count).toBe(
    limits.instancesPerServiceMax,
  );
  const { refused } = await taken(many("db", 300, { labels }));
  expect(refused).toContain(`at most ${limits.labelBytesPerNodeMax} are allowed (labelBytesPerNodeMax)`);
});

test("renewals and changes of what is registered are no new instance, and what is taken back makes room", async () => {
  await taken(many("web", 300));
  await register("web", 1_000);
  await register("web", 1_000, { ready: false });
  await expect(register("web", 9_999)).rejects.toThrow("instancesPerServiceMax");
  await as("web").call("POST", `${registryPaths.instances}/remove`, { id: "vm-1/web.default/1000" });
  await register("web", 9_999);
});

test("an entry that cannot be read keeps no registry from starting, and counts", async () => {
  const key = `${registryKeys.instances}vm-1/web.default/1`;
  await store.commit([], [{ do: "put", key, value: "{" }]);
  app = createRegistry({ store, clock, random, trustDomain }).app;
  expect((await taken(many("web", 300))).count).toBe(limits.instancesPerServiceMax);
});

test("what stands counts for a registry that starts", async () => {
  await taken(many("web", 300));
  app = createRegistry({ store, clock, random, trustDomain }).app;
  await expect(register("web", 9_999)).rejects.toThrow("instancesPerServiceMax");
});
