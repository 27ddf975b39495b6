/** Compression beside the event loop. */
import { gzip as compress } from "node:zlib";

/** RFC 1952. */
export function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) =>
    compress(bytes, (error, result) => (error === null ? resolve(result) : reject(error))),
  );
}
