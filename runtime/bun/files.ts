/** Files of the Bun adapter. Every failure but "does not exist" throws and names its path. */
import { readFileSync, watch as watchFolder } from "node:fs";
import { appendFile, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Files } from "../contract.ts";
import { codeOf } from "./errors.ts";

function absent(error: unknown): boolean {
  const code = codeOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

function failure(action: string, path: string, error: unknown): Error {
  return new Error(`Cannot ${action} ${path}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
}

async function orAbsent<T, A>(action: string, path: string, work: () => Promise<T>, none: A): Promise<T | A> {
  try {
    return await work();
  } catch (error) {
    if (absent(error)) return none;
    throw failure(action, path, error);
  }
}

async function named<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failure(action, path, error);
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function writeAtomic(path: string, bytes: Uint8Array | string, mode = 0o644): Promise<void> {
  const beside = join(dirname(path), `.${basename(path)}.${process.pid}.${crypto.randomUUID()}`);
  try {
    const file = await open(beside, "wx", mode);
    try {
      await file.chmod(mode);
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

export const files: Files = {
  read: (path) => orAbsent("read", path, async () => new Uint8Array(await readFile(path)), null),
  readSync(path) {
    try {
      return new Uint8Array(readFileSync(path));
    } catch (error) {
      if (absent(error)) return null;
      throw failure("read", path, error);
    }
  },
  writeAtomic: (path, bytes, mode) => named("write", path, () => writeAtomic(path, bytes, mode)),
  append: (path, bytes) => named("append to", path, () => appendFile(path, bytes)),
  list: (path) => orAbsent("list", path, async () => (await readdir(path)).sort(), []),
  stat: (path) =>
    orAbsent(
      "look at",
      path,
      async () => {
        const found = await stat(path);
        return {
          size: found.size,
          modifiedMs: found.mtimeMs,
          folder: found.isDirectory(),
          mode: found.mode & 0o7777,
        };
      },
      null,
    ),
  makeFolder: (path, mode) =>
    named("make folder", path, async () => {
      await mkdir(path, { recursive: true, ...(mode === undefined ? {} : { mode }) });
    }),
  remove: (path) => named("remove", path, () => rm(path, { recursive: true, force: true })),
  watch(path, changed) {
    const watcher = watchFolder(path, { recursive: true }, () => changed());
    return { close: () => watcher.close() };
  },
};
