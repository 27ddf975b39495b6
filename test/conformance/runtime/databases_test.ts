/** Contract of databases. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runtime } from "../../support/runtime_under_test.ts";

const folder = mkdtempSync(join(tmpdir(), "heddle-database-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a transaction that throws leaves nothing behind", () => {
  const database = runtime.databases.open(":memory:");
  database.execute("CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB)");
  const insert = database.prepare("INSERT INTO entries VALUES (?, ?)");
  const count = database.prepare<{ count: number }>("SELECT count(*) AS count FROM entries");
  expect(() =>
    database.transaction(() => {
      insert.run("a", new Uint8Array([1]));
      throw new Error("changed my mind");
    }),
  ).toThrow("changed my mind");
  expect(count.get()).toEqual({ count: 0 });
  expect(database.transaction(() => insert.run("a", new Uint8Array([1])).changes)).toBe(1);
  expect(count.get()).toEqual({ count: 1 });
  database.close();
});

test("a file keeps what was written, with durable commits", () => {
  const path = join(folder, "kept.db");
  const first = runtime.databases.open(path);
  expect(first.prepare<{ journal_mode: string }>("PRAGMA journal_mode").get()).toEqual({
    journal_mode: "wal",
  });
  expect(first.prepare<{ synchronous: number }>("PRAGMA synchronous").get()).toEqual({ synchronous: 2 });
  first.execute("CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB)");
  first.prepare("INSERT INTO entries VALUES (?, ?)").run("a", new Uint8Array([1, 2]));
  first.close();
  const second = runtime.databases.open(path);
  const select = second.prepare<{ key: string; value: Uint8Array }>("SELECT * FROM entries WHERE key = ?");
  expect(select.all("a")).toEqual([{ key: "a", value: new Uint8Array([1, 2]) }]);
  expect(select.get("b")).toBeNull();
  second.close();
});

test("one file holds all that was committed once it is closed", () => {
  const path = join(folder, "closed.db");
  const database = runtime.databases.open(path);
  database.execute("CREATE TABLE entries (key TEXT)");
  const insert = database.prepare("INSERT INTO entries VALUES (?)");
  database.transaction(() => insert.run("a"));
  database.prepare("SELECT key FROM entries").all();
  database.close();
  expect(readdirSync(folder).filter((name) => name.startsWith("closed.db"))).toEqual(["closed.db"]);
});

test("a file that is no database is refused by name", () => {
  const path = join(folder, "notes.txt");
  writeFileSync(path, "this is text, and longer than the header of a database would be ".repeat(20));
  expect(() => runtime.databases.open(path)).toThrow(path);
  expect(() => runtime.databases.open(join(folder, "absent/file.db"))).toThrow(
    join(folder, "absent/file.db"),
  );
});
