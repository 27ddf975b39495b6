import { afterAll, expect, test } from "bun:test";
import { hold, release } from "../../../src/registry/holds.ts";
import { MemoryStore } from "../../../src/registry/memory_store.ts";
import { ManualClock } from "../../support/clock.ts";

const clock = new ManualClock(Date.now());
const store = new MemoryStore(clock);
afterAll(() => store.close());
const request = { name: "leader", value: "", ttlMs: 5_000 };

test("what one holds no other holds, until it is over or was released, and since when only rises", async () => {
  const first = await hold(store, "vm-1", request);
  expect(first).toMatchObject({ held: true, holder: "vm-1" });
  expect(await hold(store, "vm-2", request)).toEqual({ ...first, held: false });
  expect(await hold(store, "vm-1", request)).toEqual(first);
  await release(store, "vm-2", "leader");
  expect(await hold(store, "vm-2", request)).toEqual({ ...first, held: false });
  await release(store, "vm-1", "leader");
  const second = await hold(store, "vm-2", request);
  expect(second).toMatchObject({ held: true, holder: "vm-2" });
  expect(second.since).toBeGreaterThan(first.since);
  await clock.advance(20_000);
  const third = await hold(store, "vm-1", request);
  expect(third).toMatchObject({ held: true, holder: "vm-1" });
  expect(third.since).toBeGreaterThan(second.since);
});

test("of many that want it at the same moment one has it", async () => {
  const names = Array.from({ length: 20 }, (_, at) => `vm-${at}`);
  const all = await Promise.all(names.map((name) => hold(store, name, { ...request, name: "another" })));
  expect(all.filter(({ held }) => held)).toHaveLength(1);
});
