/** Calls into the C library by Deno's foreign functions. Deno asks for `--allow-ffi`. */
import process from "node:process";
import type { Native, NativeSignature } from "../contract.ts";
import { deno } from "./host.ts";

const { arch } = process;
const architecture = arch === "x64" || arch === "arm64" ? arch : "other";
const available = process.platform === "linux";

function library<S extends Record<string, NativeSignature>>(
  path: string,
  symbols: S,
): { readonly [K in keyof S]: (...values: (number | bigint | Uint8Array)[]) => number } {
  if (!available)
    throw new Error(`Cannot load ${path}: native calls need Linux, this is ${process.platform}`);
  const described = Object.entries(symbols).map(([name, { args, returns }]) => {
    return [name, { parameters: args, result: returns }] as const;
  });
  const loaded = deno.dlopen(path, Object.fromEntries(described)).symbols;
  const calls = Object.entries(loaded).map(([name, call]) => {
    return [name, (...values: (number | bigint | Uint8Array)[]) => Number(call(...values) ?? 0)] as const;
  });
  return Object.fromEntries(calls) as {
    readonly [K in keyof S]: (...values: (number | bigint | Uint8Array)[]) => number;
  };
}

export function createNative(): Native {
  let locate: (() => unknown) | null = null;
  return {
    available,
    architecture,
    library,
    address: (bytes) => deno.UnsafePointer.value(deno.UnsafePointer.of(bytes)),
    errno() {
      if (locate === null) {
        const { __errno_location } = deno.dlopen("libc.so.6", {
          __errno_location: { parameters: [], result: "pointer" },
        }).symbols;
        if (__errno_location === undefined) throw new Error("Cannot find __errno_location in libc.so.6");
        locate = __errno_location;
      }
      return new deno.UnsafePointerView(locate()).getInt32();
    },
  };
}
