/** Files, on hosts with the file system of Node. Every failure but "does not exist" throws and names its path. */
import { constants, readFileSync, watch as watchFolder } from "node:fs";
import { appendFile, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import type { FileError, Files } from "../contract.ts";
import { codeOf } from "./errors.ts";

/** What an atomic write is until it is whole. One fixed name per file, so that a crash leaves at most one behind. */
const besidePrefix = ".new.";
const besideFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

function absent(error: unknown): boolean {
  const code = codeOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** What people know these by; other failures keep the words of the system. */
const words: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left",
  EDQUOT: "the quota is used up",
  ENOTDIR: "a part of the path is no folder",
  EISDIR: "it is a folder",
};

class PathError extends Error implements FileError {
  override readonly name = "FileError";
  constructor(
    message: string,
    readonly path: string,
    readonly code: string,
    cause: unknown,
  ) {
    super(message, { cause });
  }
}

function failure(action: string, path: string, error: unknown): PathError {
  const code = codeOf(error);
  const detail = words[code] ?? (error instanceof Error ? error.message : String(error));
  return new PathError(`Cannot ${action} ${path}: ${detail}`, path, code, error);
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

function namesOf(names: readonly string[]): string[] {
  return names.filter((name) => !name.startsWith(besidePrefix)).sort();
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function besideOf(path: string): string {
  return join(dirname(path), `${besidePrefix}${basename(path)}`);
}

async function removeWhole(path: string): Promise<void> {
  await rm(besideOf(path), { recursive: true, force: true });
  await rm(path, { recursive: true, force: true });
}

async function replaceWhole(path: string, bytes: Uint8Array | string, mode: number): Promise<void> {
  const beside = besideOf(path);
  // Whatever stands there, a link or a file that somebody holds open, is not what is written to.
  await rm(beside, { recursive: true, force: true });
  const file = await open(beside, besideFlags, mode);
  try {
    await file.chmod(mode);
    await file.writeFile(bytes);
    await file.sync();
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await rename(beside, path);
  await syncFolder(dirname(path));
}

async function overwrite(path: string, bytes: Uint8Array | string): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    const all = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    let written = 0;
    while (written < all.length) {
      const { bytesWritten } = await file.write(all, written, all.length - written, written);
      written += bytesWritten;
    }
    await file.truncate(all.length);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Writes of one path go one after the other: they share the name beside it. */
class Queue {
  private readonly last = new Map<string, Promise<void>>();

  async run(path: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.last.get(path) ?? Promise.resolve()).then(work, work);
    this.last.set(path, turn);
    try {
      await turn;
    } finally {
      if (this.last.get(path) === turn) this.last.delete(path);
    }
  }
}

const writes = new Queue();

async function readInput(bytesMax: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > bytesMax) return null;
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function watch(path: string, changed: () => void): { close(): void } {
  try {
    const watcher = watchFolder(path, { recursive: true }, () => changed());
    // The folder itself went away: that is a change too.
    watcher.on("error", () => changed());
    return { close: () => watcher.close() };
  } catch (error) {
    throw failure("watch", path, error);
  }
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
  readInput: (bytesMax) => named("read", "standard input", () => readInput(bytesMax)),
  writeAtomic: (path, bytes, mode = 0o644) =>
    named("write", path, () => writes.run(path, () => replaceWhole(path, bytes, mode))),
  writeInPlace: (path, bytes) => named("write", path, () => writes.run(path, () => overwrite(path, bytes))),
  append: (path, bytes) => named("append to", path, () => appendFile(path, bytes)),
  list: (path) => orAbsent("list", path, async () => namesOf(await readdir(path)), []),
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
          owner: found.uid,
          inode: found.ino,
        };
      },
      null,
    ),
  makeFolder: (path, mode) =>
    named("make folder", path, async () => {
      await mkdir(path, { recursive: true, ...(mode === undefined ? {} : { mode }) });
    }),
  move: (from, to) =>
    named("move", from, async () => {
      await rename(from, to);
      await syncFolder(dirname(to));
      await syncFolder(dirname(from));
    }),
  remove: (path) => named("remove", path, () => writes.run(path, () => removeWhole(path))),
  watch,
};
