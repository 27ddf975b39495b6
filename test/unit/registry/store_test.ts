/** What both stores promise at their edges, and what the durable one does when the disk does not do its part. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import type { Database, Databases } from "../../../runtime/contract.ts";
import { limits } from "../../../src/model/limits.ts";
import { MemoryStore } from "../../../src/registry/memory_store.ts";
import { SqliteStore } from "../../../src/registry/sqlite_store.ts";
import { StoreUnavailable, type Change, type Operation, type Store } from "../../../src/registry/store.ts";
import { ManualClock } from "../../support/clock.ts";
import { runtime } from "../../support/runtime_under_test.ts";

const { databases } = runtime;
const folder = mkdtempSync("/tmp/heddle-store-");
let number = 0;
afterAll(() => rmSync(folder, { recursive: true }));

const newPath = (): string => `${folder}/${number++}.db`;
const put = (key: string, value = "", lease?: string): Operation =>
  lease === undefined ? { do: "put", key, value } : { do: "put", key, value, lease };
const remove = (key: string): Operation => ({ do: "delete", key });
const keysOf = (store: Store): string[] => store.range("").entries.map((each) => each.key);

/** A store under a clock that the test moves. */
class Opened {
  readonly clock = new ManualClock();
  readonly store: Store;

  constructor(open: (clock: ManualClock) => Store) {
    this.store = open(this.clock);
  }

  /** Lets what was asked be written. */
  async done<T>(asked: Promise<T>): Promise<T> {
    // Whoever awaits it below is told of a failure: until then it is not unhandled.
    asked.catch(() => undefined);
    await this.clock.advance(0);
    return asked;
  }

  commit(...operations: Operation[]) {
    return this.done(this.store.commit([], operations));
  }

  lease(id: string, ttlMs: number): Promise<void> {
    return this.done(this.store.lease(id, ttlMs));
  }
}

const kinds: Readonly<Record<string, (clock: ManualClock) => Store>> = {
  memory: (clock) => new MemoryStore(clock),
  sqlite: (clock) => new SqliteStore(databases, newPath(), clock),
};

for (const [kind, open] of Object.entries(kinds)) {
  describe(`the ${kind} store`, () => {
    test("knows since when a key is there, over all changes of its value, until it goes", async () => {
      const opened = new Opened(open);
      await opened.commit(put("a", "1"));
      await opened.commit(put("a", "2"));
      expect(opened.store.get("a")).toMatchObject({ created: 2, modified: 3, value: "2" });
      await opened.commit(remove("a"));
      await opened.commit(put("a", "3"));
      expect(opened.store.get("a")).toMatchObject({ created: 5, modified: 5, value: "3" });
    });

    test("leaves a key that was put elsewhere when its old lease ends", async () => {
      const opened = new Opened(open);
      await opened.lease("old", 60_000);
      await opened.lease("new", 60_000);
      await opened.commit(put("moved", "", "old"), put("freed", "", "old"), put("stays", "", "old"));
      await opened.commit(put("moved", "", "new"), put("freed"));
      await opened.done(opened.store.revoke("old"));
      expect(keysOf(opened.store)).toEqual(["freed", "moved"]);
      await opened.done(opened.store.revoke("new"));
      expect(keysOf(opened.store)).toEqual(["freed"]);
    });

    test("lets nobody watch from a revision that it never had", async () => {
      const { store } = new Opened(open);
      expect(store.watch("", 2, () => {})).toEqual({ ok: false, reason: "compacted", revision: 1 });
      expect(store.watch("", 1, () => {}).ok).toBe(true);
    });

    test("tells each watcher what is under its prefix, once, also what is committed while it is told", async () => {
      const opened = new Opened(open);
      const heard: Record<string, string[]> = { first: [], "i/": [], late: [] };
      const hear = (who: string) => (changes: readonly Change[]) => {
        for (const each of changes) {
          const key = each.kind === "put" ? each.entry.key : each.key;
          heard[who]?.push(`${each.revision} ${each.kind} ${key}`);
        }
      };
      let nested: Promise<unknown> | null = null;
      opened.store.watch("", 1, (changes, revision) => {
        hear("first")(changes);
        if (revision !== 2) return;
        nested = opened.store.commit([], [put("i/2"), remove("other")]);
        // Whoever begins here has been told what there is, and hears of the rest with the others.
        opened.store.watch("", 1, hear("late"));
      });
      opened.store.watch("i/", 1, hear("i/"));
      await opened.commit(put("i/1"), put("other"));
      await opened.done(nested ?? Promise.reject(new Error("nobody was told")));
      expect(heard).toEqual({
        first: ["2 put i/1", "2 put other", "3 put i/2", "3 delete other"],
        "i/": ["2 put i/1", "3 put i/2"],
        late: ["2 put i/1", "2 put other", "3 put i/2", "3 delete other"],
      });
    });

    test("forgets changes that are too much text, however few they are", async () => {
      const opened = new Opened(open);
      const text = "x".repeat(limits.registryHistoryCharactersMax / 8);
      for (let at = 0; at < 9; at++) await opened.commit(put("k", text));
      expect(opened.store.watch("k", 1, () => {}).ok).toBe(false);
      expect(opened.store.watch("k", opened.store.revision() - 1, () => {}).ok).toBe(true);
    });
  });
}

/** Whose transactions fail when `fault` says so of what was written in them. */
function breaking(fault: { of: ((written: readonly unknown[]) => boolean) | null }): Databases {
  return {
    open(path) {
      const real = databases.open(path);
      let written: unknown[] = [];
      const broken: Database = {
        execute: (sql) => real.execute(sql),
        close: () => real.close(),
        prepare(sql) {
          const statement = real.prepare<never>(sql);
          return {
            ...{ get: (...values) => statement.get(...values), all: (...values) => statement.all(...values) },
            run(...values) {
              written.push(...values);
              return statement.run(...values);
            },
          };
        },
        transaction: (work) =>
          real.transaction(() => {
            written = [];
            const result = work();
            if (fault.of?.(written) === true) throw new Error("the disk is full");
            return result;
          }),
      };
      return broken;
    },
  };
}

describe("what the sqlite store cannot write", () => {
  function opened() {
    const fault: Parameters<typeof breaking>[0] = { of: null };
    const disk = new Opened((clock) => new SqliteStore(breaking(fault), newPath(), clock));
    return { fault, disk, store: disk.store };
  }

  test("never was: not for readers, not for watchers, not for who resumes, and not for leases", async () => {
    const { fault, disk, store } = opened();
    await disk.lease("kept", 60_000);
    await disk.commit(put("a", "1", "kept"), put("b", "1"));
    const heard: number[] = [];
    store.watch("", 1, (_, revision) => void heard.push(revision));
    fault.of = () => true;
    await expect(disk.commit(put("a", "2"), remove("b"), put("c"))).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(disk.lease("new", 60_000)).rejects.toThrow("the disk is full");
    await expect(disk.done(store.revoke("kept"))).rejects.toThrow("the disk is full");
    await disk.clock.advance(0);
    expect(store.range("")).toMatchObject({ revision: 2, entries: [{ value: "1" }, { value: "1" }] });
    expect(heard).toEqual([2]);
    fault.of = null;
    expect(await disk.commit(put("d", "", "new"))).toMatchObject({ ok: false, reason: "no-lease" });
    expect(await disk.commit(put("d"))).toEqual({ ok: true, revision: 3 });
    const resumed: Change[] = [];
    store.watch("", 1, (changes) => void resumed.push(...changes));
    expect(resumed.map((each) => each.revision)).toEqual([2, 2, 3]);
    await disk.done(store.revoke("kept"));
    expect(keysOf(store)).toEqual(["b", "d"]);
  });

  test("is refused alone: others of its turn are written", async () => {
    const { fault, disk, store } = opened();
    fault.of = (written) => written.includes("poison");
    const all = ["a", "poison", "b"].map((key) => store.commit([], [put(key)]));
    const settled = await disk.done(Promise.allSettled(all));
    expect(settled.map((each) => each.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(keysOf(store)).toEqual(["a", "b"]);
  });
});

describe("the file of the sqlite store", () => {
  /** What another store finds there, at this clock. */
  const reopened = (path: string, clock: ManualClock): Store => new SqliteStore(databases, path, clock);

  test("has what was asked before the store was closed, and nothing that came later", async () => {
    const { clock, store } = new Opened((at) => new SqliteStore(databases, `${folder}/closed.db`, at));
    const last = store.commit([], [put("a")]);
    store.close();
    expect(await last).toEqual({ ok: true, revision: 2 });
    await expect(store.commit([], [put("b")])).rejects.toBeInstanceOf(StoreUnavailable);
    expect(keysOf(reopened(`${folder}/closed.db`, clock))).toEqual(["a"]);
  });

  test("keeps leases, each with one whole time from the start on, and none that has ended", async () => {
    const path = newPath();
    const first = new Opened((clock) => new SqliteStore(databases, path, clock));
    for (const id of ["long", "ended"]) await first.lease(id, 10_000);
    await first.commit(put("a", "", "long"), put("b", "", "ended"));
    await first.done(first.store.revoke("ended"));
    first.store.close();
    const { clock } = first;
    await clock.advance(60_000);
    const second = reopened(path, clock);
    await clock.advance(9_000);
    expect(keysOf(second)).toEqual(["a"]);
    const refused = second.commit([], [put("c", "", "ended")]);
    await clock.advance(0);
    expect(await refused).toMatchObject({ ok: false, reason: "no-lease" });
    await clock.advance(1_000 + limits.leaseCheckMs);
    expect(keysOf(second)).toEqual([]);
    second.close();
  });

  test("is that of one registry: writes of a second one are refused with the reason", async () => {
    const path = newPath();
    const one = new Opened((clock) => new SqliteStore(databases, path, clock));
    const other = new Opened((clock) => new SqliteStore(databases, path, clock));
    await one.commit(put("a"));
    await expect(other.commit(put("b"))).rejects.toThrow("only one registry may have it");
    expect(await one.commit(put("c"))).toEqual({ ok: true, revision: 3 });
    expect(keysOf(other.store)).toEqual([]);
  });

  test("of a newer version is not touched", () => {
    const path = newPath();
    const newer = databases.open(path);
    newer.execute("PRAGMA user_version = 2");
    newer.close();
    expect(() => reopened(path, new ManualClock())).toThrow("written by a newer version (format 2");
  });

  test("keeps a lease that is renewed while its end waits to be written", async () => {
    const { clock, store } = new Opened((at) => new SqliteStore(databases, newPath(), at));
    const renew = (): Promise<void> => store.lease("l", 1_000);
    const granted = renew();
    await clock.advance(0);
    await granted;
    const added = store.commit([], [put("a", "", "l")]);
    await clock.advance(0);
    await added;
    // Renewed in the turn in which it was found over: that is written first.
    clock.after(1_000, () => void renew());
    await clock.advance(1_000 + 2 * limits.leaseCheckMs);
    expect(keysOf(store)).toEqual(["a"]);
  });
});
