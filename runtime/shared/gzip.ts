/** Compression beside the event loop. */
import { gzip as compress } from "node:zlib";

/** RFC 1952. */
export function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) =>
    // What is sent within a network: most of what compression saves, for a third of what it costs.
    compress(bytes, { level: 1 }, (error, result) => (error === null ? resolve(result) : reject(error))),
  );
}
