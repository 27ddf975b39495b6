/** How much of what came the kernel keeps for a socket: Bun reads all of it at once, up to half a megabyte. */
import { createNative } from "./native.ts";

const socketLevel = 1;
const receiveBufferOption = 8;

/** Makes what sets it, loaded when it is first used: few processes ever do. */
export function receiveBuffers(): (descriptor: number, bytes: number) => void {
  const native = createNative();
  let set: ((...values: (number | bigint | Uint8Array)[]) => number) | null = null;
  const value = new Int32Array(1);
  const valueBytes = new Uint8Array(value.buffer);
  return (descriptor, bytes) => {
    if (!native.available) return;
    set ??= native.library("libc.so.6", {
      setsockopt: { args: ["i32", "i32", "i32", "buffer", "u32"], returns: "i32" },
    }).setsockopt;
    // The kernel doubles it, for what keeping costs.
    value[0] = bytes / 2;
    set(descriptor, socketLevel, receiveBufferOption, valueBytes, valueBytes.length);
  };
}
