/** Bulk for tests: bytes that show where they belong, and a sender that obeys partial writes. */
import type { End } from "./sockets.ts";

const blockBytes = 1024 * 1024;

/** Writes all of `bytes`, again after each drain; resolves when the last was taken. Says how often it had to wait. */
export function sendAll(from: End, bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    let at = 0;
    let waits = 0;
    const push = (): void => {
      while (at < bytes.length) {
        const taken = from.socket.write(bytes, at, Math.min(bytes.length, at + blockBytes));
        if (taken < 0) return reject(new Error(`Closed after ${at} bytes`));
        at += taken;
        if (taken < Math.min(blockBytes, bytes.length - at + taken)) {
          waits++;
          return;
        }
      }
      resolve(waits);
    };
    from.heard.drain = push;
    push();
  });
}

export function patterned(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) bytes[index] = (index * 31 + (index >>> 13)) & 255;
  return bytes;
}
