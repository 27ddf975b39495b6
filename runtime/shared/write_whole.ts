/** Texts to standard output and standard error. */
import { Buffer } from "node:buffer";
import { writeSync } from "node:fs";
import { codeOf } from "./errors.ts";

/** A full pipe is tried again this often. */
const retryMs = 2;

/** Writes a text whole, also to a pipe that does not block. Waits when the reader is slow: what is said is not lost. */
export function writeWhole(descriptor: number, text: string): void {
  let rest = Buffer.from(text, "utf8");
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      const code = codeOf(error);
      if (code === "EPIPE" || code === "EIO" || code === "EBADF") return; // Nobody reads any more.
      if (code !== "EAGAIN" && code !== "EINTR") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs);
    }
  }
}
