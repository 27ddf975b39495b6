import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import fc from "fast-check";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import { parseEtcdAddress } from "../../../src/registry/etcd/etcd_address.ts";
import { openEtcdStore } from "../../../src/registry/etcd/etcd_store.ts";
import { MemoryStore } from "../../../src/registry/memory_store.ts";
import { SqliteStore } from "../../../src/registry/sqlite_store.ts";
import type { Change, Operation, Store } from "../../../src/registry/store.ts";
import { hasEtcd, startEtcd, type Etcd } from "../../support/etcd.ts";
import { hangMs, testMs } from "../../support/patience.ts";

const { clock, databases, net, random } = createRuntime();
const folder = mkdtempSync("/tmp/heddle-store-");
let number = 0;
let etcd: Etcd | null = null;
afterAll(async () => {
  await etcd?.stop();
  rmSync(folder, { recursive: true });
});

const kinds: Readonly<Record<string, () => Promise<Store>>> = {
  memory: async () => new MemoryStore(clock),
  sqlite: async () => new SqliteStore(databases, `${folder}/${number++}.db`, clock),
  etcd: () => etcdStore(`mesh-${number++}`),
};

async function etcdStore(prefix: string): Promise<Store> {
  const address = parseEtcdAddress((etcd as Etcd).url(prefix));
  const store = await openEtcdStore({ ...address, tls: null, net, clock, random });
  if (store === null) throw new Error("etcd was not reached");
  return store;
}

const put = (key: string, value: string): Operation => ({ do: "put", key, value });

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + hangMs;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error("waited in vain");
    await new Promise((resolve) => clock.after(10, () => resolve(undefined)));
  }
}

for (const [kind, make] of Object.entries(kinds)) {
  const missing = kind === "etcd" && !hasEtcd;
  describe.skipIf(missing)(`the ${kind} store${missing ? " (needs etcd)" : ""}`, () => {
    beforeAll(async () => {
      if (kind === "etcd") etcd = await startEtcd();
    }, testMs);

    test("commits all operations in one revision, or none when a condition fails", async () => {
      const store = await make();
      const base = store.revision();
      expect(await store.commit([{ key: "a", modified: 0 }], [put("a", "1"), put("b", "1")])).toEqual({
        ok: true,
        revision: base + 1,
      });
      const revision = base + 1;
      expect(store.get("a")).toEqual({
        key: "a",
        value: "1",
        created: revision,
        modified: revision,
        lease: null,
      });
      expect(await store.commit([{ key: "a", modified: base }], [put("a", "2"), put("c", "2")])).toEqual({
        ok: false,
        reason: "conflict",
        key: "a",
        revision,
      });
      expect(store.range("").entries.map((each) => each.key)).toEqual(["a", "b"]);
      expect(await store.commit([{ key: "a", modified: revision }], [{ do: "delete", key: "a" }])).toEqual({
        ok: true,
        revision: base + 2,
      });
      expect(store.get("a")).toBeNull();
      store.close();
    });

    test("of many commits on the same condition exactly one wins", async () => {
      const store = await make();
      const results = await Promise.all(
        Array.from({ length: 100 }, (_, at) =>
          store.commit([{ key: "k", modified: 0 }], [put("k", String(at))]),
        ),
      );
      expect(results.filter((each) => each.ok).length).toBe(1);
      store.close();
    });

    test("a watch that resumes from any revision sees every change once and in order", async () => {
      const store = await make();
      const base = store.revision();
      for (let at = 0; at < 20; at++)
        await store.commit([], [put(`k/${at % 5}`, String(at)), put(`other/${at}`, "x")]);
      for (const from of [base, base + 6, base + 20]) {
        const seen: Change[] = [];
        const started = store.watch("k/", from, (changes) => void seen.push(...changes));
        expect(started.ok).toBe(true);
        expect(seen.map((each) => each.revision).filter((each) => each <= base + 20)).toEqual(
          Array.from({ length: base + 20 - from }, (_, at) => from + 1 + at),
        );
        await store.commit([], [put("k/0", "again")]);
        expect(seen.at(-1)).toMatchObject({ kind: "put", entry: { key: "k/0", value: "again" } });
        if (started.ok) started.stop();
        await store.commit([], [{ do: "delete", key: "other/0" }]);
      }
      store.close();
    });

    test("changes that are forgotten are told as compacted", async () => {
      const store = await make();
      const base = store.revision();
      const many = Array.from({ length: 2_000 }, (_, at) => put(`k/${at}`, "x"));
      let before = base;
      for (let round = 0; round < 6; round++) {
        before = store.revision();
        expect((await store.commit([], many)).ok).toBe(true);
      }
      expect(store.watch("k/", base, () => {})).toEqual({
        ok: false,
        reason: "compacted",
        revision: store.revision(),
      });
      expect(store.watch("k/", before, () => {}).ok).toBe(true);
      store.close();
    });

    test("keys go with their lease when it ends or is revoked, and stay while it is renewed", async () => {
      const store = await make();
      await store.lease("short", 300);
      await store.lease("long", 60_000);
      await store.commit(
        [],
        [
          { do: "put", key: "i/1", value: "", lease: "short" },
          { do: "put", key: "i/2", value: "", lease: "long" },
        ],
      );
      expect(await store.commit([], [{ do: "put", key: "i/3", value: "", lease: "none" }])).toMatchObject({
        ok: false,
        reason: "no-lease",
      });
      const renewing = setInterval(() => void store.lease("short", 300), 50);
      await new Promise((resolve) => clock.after(700, () => resolve(undefined)));
      expect(store.get("i/1")).not.toBeNull();
      clearInterval(renewing);
      await until(() => store.get("i/1") === null);
      expect(store.get("i/2")).not.toBeNull();
      await store.revoke("long");
      expect(store.get("i/2")).toBeNull();
      store.close();
    });
  });
}

test("the sqlite store says what the memory store says, also over reopening at random points", async () => {
  const operation = fc.record({
    key: fc.constantFrom("a", "b", "c/1", "c/2"),
    value: fc.string({ maxLength: 5 }),
    remove: fc.boolean(),
    condition: fc.option(fc.nat(12)),
    reopen: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 25 }), async (steps) => {
      const path = `${folder}/${number++}.db`;
      let durable = new SqliteStore(databases, path, clock);
      const reference = new MemoryStore(clock);
      for (const step of steps) {
        const conditions = step.condition === null ? [] : [{ key: step.key, modified: step.condition }];
        const operations = [
          step.remove ? { do: "delete" as const, key: step.key } : put(step.key, step.value),
        ];
        expect(await durable.commit(conditions, operations)).toEqual(
          await reference.commit(conditions, operations),
        );
        if (step.reopen) {
          durable.close();
          durable = new SqliteStore(databases, path, clock);
        }
        expect(durable.range("")).toEqual(reference.range(""));
      }
      const seen: Change[][] = [[], []];
      [durable, reference].forEach((store, at) =>
        store.watch("", 1, (changes) => void seen[at]?.push(...changes)),
      );
      expect(seen[0]).toEqual(seen[1]);
      durable.close();
      reference.close();
    }),
    { numRuns: 30 },
  );
});

test("a lease outlives a restart by one whole time", async () => {
  const path = `${folder}/${number++}.db`;
  const first = new SqliteStore(databases, path, clock);
  await first.lease("l", 600);
  await first.commit([], [{ do: "put", key: "i/1", value: "v", lease: "l" }]);
  first.close();
  await new Promise((resolve) => clock.after(700, () => resolve(undefined)));
  const second = new SqliteStore(databases, path, clock);
  expect(second.get("i/1")).not.toBeNull();
  await until(() => second.get("i/1") === null);
  second.close();
});
