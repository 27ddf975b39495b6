/** Address and port as the kernel writes them: `struct sockaddr_in` and `sockaddr_in6` (ip(7), ipv6(7)). */
import type { OriginalDestination } from "../contract.ts";

const inetFamily = 2;
const inet6Family = 10;

/** null: of another family. */
export function socketPlaceIn(bytes: Uint8Array): OriginalDestination | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const family = view.getUint16(0, true);
  const port = view.getUint16(2);
  if (family === inetFamily) return { host: bytes.subarray(4, 8).join("."), port };
  if (family !== inet6Family) return null;
  const groups = Array.from({ length: 8 }, (_, at) => view.getUint16(8 + 2 * at).toString(16));
  // What URLs hold is the shortest form (RFC 5952).
  return { host: new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1), port };
}
