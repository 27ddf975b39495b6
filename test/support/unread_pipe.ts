/** A pipe that is open at both ends, for writers whose reader is slow. */
import { createRuntime } from "../../runtime/bun/runtime.ts";

export function openPipe(): { readonly from: number; readonly to: number } {
  const ends = new Int32Array(2);
  const { pipe } = createRuntime().native.library("libc.so.6", {
    pipe: { args: ["buffer"], returns: "i32" },
  });
  if (pipe(new Uint8Array(ends.buffer)) !== 0) throw new Error("Cannot open a pipe");
  const [from = -1, to = -1] = ends;
  return { from, to };
}
