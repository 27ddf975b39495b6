/**
 * First half of the seal: takes files, TCP and signals away from this process by Landlock, then replaces the process by
 * itself, because Landlock binds the calling thread and what comes of it, and Bun has other threads already.
 * What stays: reading and running the program and its libraries, and reading `/proc/self`, without which Bun does not start.
 */
import type { Native } from "../../runtime/contract.ts";
import { openDirectory } from "./system_calls.ts";

const calls = { createRuleset: 444, addRule: 445, restrictSelf: 446 } as const;

// linux/landlock.h
const versionFlag = 1;
const pathBeneath = 1;
const access = { execute: 1n, readFile: 4n, readFolder: 8n } as const;
const noNewPrivileges = 38;
const closeOnExec = 0o2000000;
const openPath = 0o10000000 | closeOnExec;

/** Bits of file access that each version of the interface knows. */
const fileBits: readonly bigint[] = [0n, 0x1fffn, 0x3fffn, 0x7fffn, 0x7fffn, 0xffffn];
const tcpBits = 3n;
const scopeBits = 3n;

function libraryOf(native: Native) {
  return native.library("libc.so.6", {
    syscall: { args: ["i64", "i64", "i64", "i64", "i64"], returns: "i64" },
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    open: { args: ["buffer", "i32"], returns: "i32" },
    close: { args: ["i32"], returns: "i32" },
    execve: { args: ["buffer", "buffer", "buffer"], returns: "i32" },
  });
}

type Library = ReturnType<typeof libraryOf>;

/** Restricts this thread. `maps` is the text of `/proc/self/maps`. Returns null, or why it could not. */
export function lockThread(native: Native, maps: string): string | null {
  const libc = libraryOf(native);
  const version = versionOf(libc);
  if (version < 1) return "this kernel has no Landlock";
  const ruleset = libc.syscall(
    calls.createRuleset,
    native.address(attributes(version)),
    sizeOf(version),
    0,
    0,
  );
  if (ruleset < 0) return `Landlock made no ruleset: errno ${native.errno()}`;
  const readable = ["/proc/self/exe", ...librariesIn(maps)];
  const problem =
    readable
      .map((path) => allow(native, libc, ruleset, path, access.execute | access.readFile))
      .find((each) => each !== null) ??
    allow(native, libc, ruleset, "/proc/self", access.readFile | access.readFolder);
  if (problem !== null) return problem;
  if (libc.prctl(noNewPrivileges, 1, 0, 0, 0) !== 0) return `prctl failed: errno ${native.errno()}`;
  if (libc.syscall(calls.restrictSelf, ruleset, 0, 0, 0) !== 0) {
    return `Landlock did not restrict: errno ${native.errno()}`;
  }
  libc.close(ruleset);
  return null;
}

/** Of the kernel's interface; 0: it has none, or nobody can tell. */
export function landlockVersion(native: Native): number {
  return native.available ? Math.max(0, versionOf(libraryOf(native))) : 0;
}

function versionOf(libc: Library): number {
  return libc.syscall(calls.createRuleset, 0, 0, versionFlag, 0);
}

/** struct landlock_ruleset_attr: everything this version can take away. */
function attributes(version: number): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, fileBits[Math.min(version, fileBits.length - 1)] ?? 0n, true);
  if (version >= 4) view.setBigUint64(8, tcpBits, true);
  if (version >= 6) view.setBigUint64(16, scopeBits, true);
  return bytes;
}

function sizeOf(version: number): number {
  if (version >= 6) return 24;
  return version >= 4 ? 16 : 8;
}

function allow(native: Native, libc: Library, ruleset: number, path: string, allowed: bigint): string | null {
  const file = libc.open(text(path), openPath);
  if (file < 0) return `Cannot open ${path}: errno ${native.errno()}`;
  const rule = new Uint8Array(12);
  const view = new DataView(rule.buffer);
  view.setBigUint64(0, allowed, true);
  view.setInt32(8, file, true);
  const answer = libc.syscall(calls.addRule, ruleset, pathBeneath, native.address(rule), 0);
  libc.close(file);
  return answer === 0 ? null : `Landlock did not take ${path}: errno ${native.errno()}`;
}

/** Whether the folder can be opened for reading: not under Landlock. True where nobody can tell. */
export function readsFolder(native: Native, path: string): boolean {
  const { architecture } = native;
  if (architecture === "other") return true;
  const libc = libraryOf(native);
  const folder = libc.open(text(path), openDirectory[architecture] | closeOnExec);
  if (folder < 0) return false;
  libc.close(folder);
  return true;
}

/** Files that are mapped into this process with the right to run. */
function librariesIn(maps: string): string[] {
  const paths = new Set<string>();
  for (const line of maps.split("\n")) {
    const at = line.indexOf("/");
    const path = line.slice(at);
    if (at > 0 && path.includes(".so")) paths.add(path);
  }
  return [...paths];
}

/** Becomes the program that the command names. Returns only when that failed: why. */
export function becomeProgram(
  native: Native,
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): string {
  const libc = libraryOf(native);
  const kept: Uint8Array[] = [];
  const pointers = (values: readonly string[]): Uint8Array => {
    const array = new BigUint64Array(values.length + 1);
    values.forEach((value, at) => {
      const bytes = text(value);
      kept.push(bytes);
      array[at] = native.address(bytes);
    });
    return new Uint8Array(array.buffer);
  };
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value ?? ""}`);
  libc.execve(text(command[0] ?? ""), pointers(command), pointers(variables));
  return `Cannot start ${command[0] ?? ""} again, after ${kept.length} words: errno ${native.errno()}`;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(`${value}\0`);
}
