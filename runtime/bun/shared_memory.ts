/** Memory of several processes: a file without a name (memfd_create(2)) that each of them maps. */
import { fstatSync } from "node:fs";
import { toArrayBuffer, type Pointer } from "bun:ffi";
import type { Native, SharedMemory } from "../contract.ts";

// From the Linux headers: MFD_CLOEXEC, PROT_READ with PROT_WRITE, MAP_SHARED.
const closedInPrograms = 1;
const readAndWrite = 3;
const shared = 1;

function library(native: Native) {
  return native.library("libc.so.6", {
    memfd_create: { args: ["buffer", "u32"], returns: "i32" },
    ftruncate: { args: ["i32", "i64"], returns: "i32" },
    mmap: { args: ["u64", "u64", "i32", "i32", "i32", "i64"], returns: "i64" },
  });
}

export interface MappedMemory extends SharedMemory {
  readonly descriptor: number;
}

export function createMemory(native: Native, bytes: number): MappedMemory {
  const calls = library(native);
  const descriptor = calls.memfd_create(new TextEncoder().encode("heddle\0"), closedInPrograms);
  if (descriptor < 0 || calls.ftruncate(descriptor, bytes) !== 0)
    throw new Error(`Cannot make ${bytes} bytes of shared memory: errno ${native.errno()}`);
  return mapMemory(native, descriptor, bytes);
}

/** What the parent made, by the descriptor that this process was started with. */
export function inheritedMemory(native: Native, descriptor: number): MappedMemory {
  return mapMemory(native, descriptor, fstatSync(descriptor).size);
}

function mapMemory(native: Native, descriptor: number, bytes: number): MappedMemory {
  const address = library(native).mmap(0, bytes, readAndWrite, shared, descriptor, 0);
  if (address === -1) throw new Error(`Cannot map ${bytes} bytes of shared memory: errno ${native.errno()}`);
  return { descriptor, bytes: toArrayBuffer(address as Pointer, 0, bytes) };
}
