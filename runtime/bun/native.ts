/** Calls into the C library by `bun:ffi`. */
import { dlopen, FFIType, ptr, read } from "bun:ffi";
import type { Native, NativeSignature } from "../contract.ts";

const kinds = {
  i32: FFIType.i32,
  u32: FFIType.u32,
  i64: FFIType.i64,
  u64: FFIType.u64,
  buffer: FFIType.ptr,
  void: FFIType.void,
} as const;

const { arch } = process;
const architecture = arch === "x64" || arch === "arm64" ? arch : "other";
const available = process.platform === "linux";

function library<S extends Record<string, NativeSignature>>(
  path: string,
  symbols: S,
): { readonly [K in keyof S]: (...values: (number | bigint | Uint8Array)[]) => number } {
  if (!available)
    throw new Error(`Cannot load ${path}: native calls need Linux, this is ${process.platform}`);
  const described: Record<string, { args: FFIType[]; returns: FFIType }> = {};
  for (const [name, signature] of Object.entries(symbols)) {
    described[name] = { args: signature.args.map((kind) => kinds[kind]), returns: kinds[signature.returns] };
  }
  const loaded = dlopen(path, described).symbols;
  const calls: Record<string, (...values: (number | bigint | Uint8Array)[]) => number> = {};
  for (const name of Object.keys(symbols)) {
    const call = loaded[name];
    if (call === undefined) throw new Error(`Cannot find ${name} in ${path}`);
    calls[name] = (...values) => Number(call(...values) ?? 0);
  }
  return calls as { readonly [K in keyof S]: (...values: (number | bigint | Uint8Array)[]) => number };
}

export function createNative(): Native {
  let locate: (() => number) | null = null;
  return {
    available,
    architecture,
    library,
    address: (bytes) => BigInt(ptr(bytes)),
    errno() {
      if (locate === null) {
        const { __errno_location } = dlopen("libc.so.6", {
          __errno_location: { args: [], returns: FFIType.ptr },
        }).symbols;
        locate = () => {
          const address = __errno_location();
          return address === null ? 0 : read.i32(address, 0);
        };
      }
      return locate();
    },
  };
}
