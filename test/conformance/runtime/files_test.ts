/** Contract of files: a reader sees the old or the new whole; absence is a value; failures name the path. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runtime } from "../../support/runtime_under_test.ts";
import { until } from "../../support/sockets.ts";

const { files } = runtime;
const folder = mkdtempSync(join(tmpdir(), "heddle-files-"));
afterAll(() => rmSync(folder, { recursive: true }));
const text = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : new TextDecoder().decode(bytes);

describe("an atomic write", () => {
  test("is never seen in part", async () => {
    const path = join(folder, "atomic");
    const versions = ["a", "b"].map((letter) => letter.repeat(300_000));
    await files.writeAtomic(path, versions[0] ?? "");
    let writing = true;
    const writer = (async () => {
      for (let count = 0; count < 30; count++) await files.writeAtomic(path, versions[count % 2] ?? "");
      writing = false;
    })();
    let reads = 0;
    while (writing) {
      expect(versions).toContain(readFileSync(path, "latin1"));
      reads++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writer;
    expect(reads).toBeGreaterThan(10);
    expect(await files.list(folder)).toEqual(["atomic"]);
  });

  test("gives the mode that was asked for, whatever the umask", async () => {
    const path = join(folder, "secret");
    await files.writeAtomic(path, new TextEncoder().encode("key"), 0o600);
    expect((await files.stat(path))?.mode).toBe(0o600);
    await files.writeAtomic(path, "shared", 0o666);
    expect((await files.stat(path))?.mode).toBe(0o666);
  });

  test("that many start at once leaves one of them, whole, and nothing beside it", async () => {
    const path = join(folder, "contended");
    const versions = Array.from({ length: 20 }, (_, index) => String(index).repeat(10_000));
    await Promise.all(versions.map((version) => files.writeAtomic(path, version)));
    expect(readFileSync(path, "latin1")).toBe(versions.at(-1) ?? "");
    expect((await files.list(folder)).filter((name) => name.includes("contended"))).toEqual(["contended"]);
  });

  test("into a folder that is not there fails and names the path", async () => {
    const path = join(folder, "nowhere/file");
    expect(files.writeAtomic(path, "x")).rejects.toThrow(path);
  });
});

test("what does not exist is null or empty, and removing it is fine", async () => {
  const path = join(folder, "absent");
  expect(await files.read(path)).toBeNull();
  expect(files.readSync(path)).toBeNull();
  expect(await files.stat(path)).toBeNull();
  expect(await files.list(path)).toEqual([]);
  await files.remove(path);
});

test("other failures name the path", async () => {
  expect(files.read(folder)).rejects.toThrow(folder);
  expect(() => files.readSync(folder)).toThrow(folder);
});

test("a file moves over another one, and one that is not there cannot", async () => {
  const [from, to] = [join(folder, "moved"), join(folder, "place")];
  await files.writeAtomic(from, "new");
  await files.writeAtomic(to, "old");
  await files.move(from, to);
  expect([text(await files.read(to)), await files.read(from)]).toEqual(["new", null]);
  await expect(files.move(from, to)).rejects.toThrow(`Cannot move ${from}`);
  await files.remove(to);
});

test("remove takes what a write that was cut left beside the file, with and without it", async () => {
  for (const names of [[".new.cut"], ["cut", ".new.cut"]]) {
    for (const name of names) await files.append(join(folder, name), "half");
    await files.remove(join(folder, "cut"));
    expect(readdirSync(folder).filter((name) => name.includes("cut"))).toEqual([]);
  }
});

describe("a write in place", () => {
  test("leaves the file the one that it was, with what was written and nothing of before", async () => {
    const path = join(folder, "in place");
    await files.writeAtomic(path, "what was here before", 0o600);
    const before = await files.stat(path);
    await files.writeInPlace(path, "now");
    expect(text(await files.read(path))).toBe("now");
    expect(await files.stat(path)).toMatchObject({ inode: before?.inode, mode: 0o600, size: 3 });
    await files.remove(path);
  });

  test("fails where there is no file, and names the path", async () => {
    const path = join(folder, "no file");
    await expect(files.writeInPlace(path, "x")).rejects.toThrow(`Cannot write ${path}`);
    expect(await files.stat(path)).toBeNull();
  });

  test("follows no link", async () => {
    const [path, other] = [join(folder, "link"), join(folder, "other")];
    await files.writeAtomic(other, "other");
    symlinkSync(other, path);
    await expect(files.writeInPlace(path, "x")).rejects.toThrow(`Cannot write ${path}`);
    expect(text(await files.read(other))).toBe("other");
    for (const each of [path, other]) await files.remove(each);
  });
});

test("append adds to the end, folders are made with their parents and removed with all below", async () => {
  const deep = join(folder, "one/two");
  await files.makeFolder(deep, 0o700);
  await files.makeFolder(deep);
  const path = join(deep, "log");
  await files.append(path, "a");
  await files.append(path, new TextEncoder().encode("b"));
  expect(text(await files.read(path))).toBe("ab");
  expect(await files.stat(deep)).toMatchObject({ folder: true, mode: 0o700 });
  expect(await files.stat(path)).toMatchObject({ folder: false, size: 2, owner: runtime.process.user });
  await files.remove(join(folder, "one"));
  expect(await files.stat(deep)).toBeNull();
});

test("a watcher hears of an atomic write", async () => {
  const watched = join(folder, "watched");
  await files.makeFolder(watched);
  let changes = 0;
  const watcher = files.watch(watched, () => void changes++);
  await files.writeAtomic(join(watched, "file"), "x");
  await until(() => changes > 0, "the watcher calls");
  watcher.close();
});
