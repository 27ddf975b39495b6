/** A registry whose store was put back to what it was, asked by a controller that knows more. */
import { expect, test } from "bun:test";
import type { RangeAnswer } from "../../../src/api/messages.ts";
import { registryPaths } from "../../../src/api/messages.ts";
import { MemoryStore } from "../../../src/registry/memory_store.ts";
import { createRegistry } from "../../../src/registry/server.ts";
import type { Reached, Store } from "../../../src/registry/store.ts";
import { ManualClock } from "../../support/clock.ts";
import { DirectControl } from "../../support/direct_control.ts";
import { runtime } from "../../support/planes.ts";

/** The first line of a watch, or why there is none; and the epoch that the registry names after it. */
async function watched(reached: Reached) {
  const clock = new ManualClock();
  const memory = new MemoryStore(clock);
  const store: Store = Object.assign(Object.create(memory) as MemoryStore, {
    epoch: "etcd-7",
    reached: async () => reached,
    watch: memory.watch.bind(memory),
    range: memory.range.bind(memory),
    revision: memory.revision.bind(memory),
    get: memory.get.bind(memory),
    problem: () => null,
  });
  const { app } = createRegistry({ store, clock, random: runtime.random, trustDomain: "corp.example" });
  const control = new DirectControl(app, "spiffe://corp.example/heddle/controller/one");
  const watch = (epoch: string) =>
    new Promise<unknown>((resolve) => {
      const path = `${registryPaths.watch}?prefix=&from=1&epoch=${epoch}`;
      control.stream(path, { line: resolve, ended: (error) => resolve(error?.message) });
    });
  const named = async (): Promise<string> =>
    ((await control.call("GET", `${registryPaths.range}?prefix=&after=`)).body as RangeAnswer).epoch;
  const line = await watch("etcd-7");
  const epoch = await named();
  const again = await watch(epoch);
  const further = await named();
  control.close();
  memory.close();
  return { line, epoch, again, further };
}

test("revisions that its store will never have again are of another life, and all has to be read anew", async () => {
  const { line, epoch } = await watched("never");
  expect(line).toMatchObject({ kind: "compacted" });
  expect(epoch).toMatch(/^etcd-7-[0-9a-f]{16}$/);
});

test("a store that is put back once more begins one more life", async () => {
  const { epoch, again, further } = await watched("never");
  expect(again).toMatchObject({ kind: "compacted" });
  expect(further).toMatch(/^etcd-7-[0-9a-f]{16}$/);
  expect(further).not.toBe(epoch);
});

test("a registry that is only behind says so, and its life goes on", async () => {
  expect(await watched("late")).toMatchObject({
    line: expect.stringContaining("is behind"),
    epoch: "etcd-7",
  });
  expect(await watched("here")).toMatchObject({
    line: { kind: "heartbeat", revision: expect.anything() },
    epoch: "etcd-7",
  });
});
